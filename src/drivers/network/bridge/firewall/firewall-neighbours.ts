/**
 * Other firewalls on the host. A packet must pass every table, so what dockerd or ufw drop in their forward chain
 * cannot be let through from ours. In `ip filter` and `ip6 filter`, the tables of iptables-nft, a chain of ours with one
 * commented jump to it passes what our own rules then judge; other firewalls are named for the user to open. The jump is
 * the last of its chain: it takes the place of the policy, and what the administrator drops stays dropped.
 */
import { append } from '../../../../model/lists.ts';
import type { Names } from '../names.ts';
import { chainsOf, type ForeignChain, type ForeignRule, type RunNft, rulesOf, verdictForAll } from './foreign-rules.ts';

/** Tables of iptables-nft and ip6tables-nft. */
const FILTERS = [
  { family: 'ip', table: 'filter' },
  { family: 'ip6', table: 'filter' },
] as const;
type Filter = (typeof FILTERS)[number];

const isIn =
  ({ family, table }: Filter) =>
  (chain: ForeignChain): boolean =>
    chain.family === family && chain.table === table;

/** The chain in which a jump of ours is needed: Docker keeps DOCKER-USER as it is, so it is preferred. */
function placeForJump(chains: readonly ForeignChain[]): string | null {
  const forward = chains.find(({ name, hook }) => name === 'FORWARD' && hook === 'forward');
  if (forward === undefined) return null;
  if (chains.some(({ name }) => name === 'DOCKER-USER')) return 'DOCKER-USER';
  return forward.policy === 'drop' ? 'FORWARD' : null;
}

/** Chains of these tables in which all that reaches the end is dropped by a rule, where a jump of ours has no effect. */
export function closedEnds(run: RunNft, chains: readonly ForeignChain[]): (Filter & { readonly chain: string })[] {
  return FILTERS.flatMap((filter) => {
    const place = placeForJump(chains.filter(isIn(filter)));
    if (place === null) return [];
    const ending = rulesOf(run, filter).filter(
      (rule) => ['FORWARD', place].includes(rule.chain) && verdictForAll(rule) === 'drop',
    );
    return [...new Set(ending.map(({ chain }) => chain))].map((chain) => ({ ...filter, chain }));
  });
}

/** A forward chain that a jump of ours opens. */
export function isOpened({ family, table, name }: ForeignChain): boolean {
  return name === 'FORWARD' && FILTERS.some((filter) => filter.family === family && filter.table === table);
}

export interface Passage {
  /** Our bridges. */
  readonly bridges: readonly string[];
  /** Interfaces through which their containers leave the host. */
  readonly outward: readonly string[];
}

export const NO_PASSAGE: Passage = { bridges: [], outward: [] };

/** Makes the neighbours pass these bridges, and takes our chains away where there is none left or they are not needed. */
export function openNeighbours(run: RunNft, names: Names, passage: Passage): void {
  const commands = neighbourChanges(run, names, passage);
  if (commands.length > 0) run('change our jumps in tables of iptables', commands.join('\n'));
}

/** What it takes to let the neighbours pass these bridges; none when all is as it should be. */
export function neighbourChanges(run: RunNft, names: Names, passage: Passage): string[] {
  const chains = chainsOf(run);
  return FILTERS.flatMap((filter) => changesIn(filter, chains.filter(isIn(filter)), { run, names, passage }));
}

interface Wanted {
  readonly run: RunNft;
  readonly names: Names;
  readonly passage: Passage;
}

function changesIn(filter: Filter, chains: readonly ForeignChain[], { run, names, passage }: Wanted): string[] {
  const isThere = chains.some(({ name }) => name === names.table);
  const place = passage.bridges.length === 0 ? null : placeForJump(chains);
  if (place === null && !isThere) return [];
  const table = `${filter.family} ${filter.table}`;
  const rules = rulesOf(run, filter);
  const jumps = jumpsIn(rules, names);
  const isSettled = place !== null && isLast(rules, place, jumps);
  const commands = isSettled ? [] : jumps.map(({ chain, handle }) => `delete rule ${table} ${chain} handle ${handle}`);
  const chain = `${table} ${names.table}`;
  if (place === null) return [...commands, `flush chain ${chain}`, `delete chain ${chain}`];
  const wanted = passing(passage);
  const present = rules.filter((rule) => rule.chain === names.table).map(textOf);
  if (!isThere || present.join('\n') !== wanted.join('\n')) {
    append(commands, [`add chain ${chain}`, `flush chain ${chain}`]);
    append(
      commands,
      wanted.map((rule) => `add rule ${chain} ${rule}`),
    );
  }
  if (!isSettled) commands.push(jumpCommand(names, `${table} ${place}`, finalReturn(rules, place)));
  return commands;
}

/**
 * Into our bridges everything passes to our own rules; out of them what leaves the host. What leads to a bridge of
 * somebody else is left to the neighbour. Only matches that iptables can print: another would break iptables-save.
 */
function passing({ bridges, outward }: Passage): string[] {
  return bridges.flatMap((bridge) => [
    `oifname "${bridge}" accept`,
    ...outward.map((name) => `iifname "${bridge}" oifname "${name}" accept`),
  ]);
}

/** A rule of {@link passing} as it was written; any other is another text. */
function textOf({ expr }: ForeignRule): string {
  const parts = expr.map((part) => {
    if ('accept' in part) return 'accept';
    const match = part.match as {
      readonly left?: { readonly meta?: { readonly key?: string } };
      readonly right?: unknown;
    };
    return `${match?.left?.meta?.key} ${JSON.stringify(match?.right)}`;
  });
  return parts.join(' ');
}

function jumpsIn(rules: readonly ForeignRule[], names: Names): ForeignRule[] {
  const comment = names.mark('firewall', 'forward');
  return rules.filter((rule) => rule.comment === comment);
}

/** At the end of a chain, or before the rule with this handle. */
function jumpCommand(names: Names, chain: string, before: number | null): string {
  const rule = `jump ${names.table} comment "${names.mark('firewall', 'forward')}"`;
  return before === null ? `add rule ${chain} ${rule}` : `insert rule ${chain} handle ${before} ${rule}`;
}

/** Handle of the RETURN that Docker ends DOCKER-USER with, and behind which nothing is looked at; null when there is none. */
function finalReturn(rules: readonly ForeignRule[], chain: string): number | null {
  return rules.find((rule) => rule.chain === chain && verdictForAll(rule) === 'return')?.handle ?? null;
}

/** Reports whether the jump is where it would be inserted: an administrator may have added rules behind it since. */
function isLast(rules: readonly ForeignRule[], chain: string, jumps: readonly ForeignRule[]): boolean {
  const inChain = rules.filter((rule) => rule.chain === chain);
  const end = inChain.findIndex((rule) => verdictForAll(rule) === 'return');
  const lookedAt = end < 0 ? inChain : inChain.slice(0, end);
  return jumps.length === 1 && lookedAt.at(-1)?.handle === jumps[0]?.handle;
}
