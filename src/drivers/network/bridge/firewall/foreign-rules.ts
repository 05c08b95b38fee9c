/** Chains and rules of all tables of this host, as libnftables lists them: libnftables-json(5). */

/** Runs nft commands and returns their JSON. */
export type RunNft = (step: string, commands: string) => string;

export interface ForeignChain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

export interface ForeignRule {
  readonly chain: string;
  readonly handle: number;
  readonly comment?: string;
  readonly expr: readonly Readonly<Record<string, unknown>>[];
}

function entriesOf<T>(kind: string, text: string): T[] {
  const { nftables } = JSON.parse(text) as { nftables: readonly Record<string, T>[] };
  return nftables.flatMap((entry) => entry[kind] ?? []);
}

export function chainsOf(run: RunNft): ForeignChain[] {
  return entriesOf<ForeignChain>('chain', run('list chains', 'list chains'));
}

/** Names that nft takes as they are; it has no quotes for others. */
const PLAIN = /^[A-Za-z_][A-Za-z0-9_./-]*$/;

/** None of a table whose name nft cannot be asked for. */
export function rulesOf(run: RunNft, { family, table }: Pick<ForeignChain, 'family' | 'table'>): ForeignRule[] {
  if (!PLAIN.test(table)) return [];
  return entriesOf<ForeignRule>('rule', run(`list table ${family} ${table}`, `list table ${family} ${table}`));
}

/** Returns the verdict of an unconditional rule; null for a conditional one and for one that continues with the next rule. */
export function verdictForAll({ expr }: Pick<ForeignRule, 'expr'>): 'return' | 'drop' | null {
  const [only, ...more] = expr.filter((part) => !('counter' in part));
  if (only === undefined || more.length > 0) return null;
  if ('return' in only) return 'return';
  const target = only.xt as { readonly type?: string; readonly name?: string } | undefined;
  const rejects = target?.type === 'target' && target.name === 'REJECT';
  return 'drop' in only || 'reject' in only || rejects ? 'drop' : null;
}
