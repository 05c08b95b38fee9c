/**
 * Other firewalls on the host. A packet must pass every table, so what dockerd or ufw drop in their forward chain
 * cannot be let through from ours. In `ip filter`, the table of iptables-nft, a chain of ours with one
 * commented jump to it passes what our own rules then judge; other firewalls are named for the user to open. The jump is
 * the last of its chain: it takes the place of the policy, and what the administrator drops stays dropped.
 */

import { readTextOrEmpty } from '../../../../ffi/files/text-files.ts';
import { append } from '../../../../model/lists.ts';
import type { Names } from '../names.ts';

interface Chain {
  readonly family: string;
  readonly table: string;
  readonly name: string;
  readonly hook?: string;
  readonly policy?: string;
}

interface Rule {
  readonly chain: string;
  readonly handle: number;
  readonly comment?: string;
  readonly expr: readonly Readonly<Record<string, unknown>>[];
}

/** Runs nft commands and returns their JSON. */
export type RunNft = (step: string, commands: string) => string;

function entriesOf<T>(kind: string, text: string): T[] {
  const { nftables } = JSON.parse(text) as { nftables: readonly Record<string, T>[] };
  return nftables.flatMap((entry) => entry[kind] ?? []);
}

function chainsOf(run: RunNft): Chain[] {
  return entriesOf<Chain>('chain', run('list chains', 'list chains'));
}

/** The chain of `ip filter` in which a jump of ours is needed: Docker keeps DOCKER-USER as it is, so it is preferred. */
function placeForJump(chains: readonly Chain[]): string | null {
  const filter = chains.filter(({ family, table }) => family === 'ip' && table === 'filter');
  const forward = filter.find(({ name, hook }) => name === 'FORWARD' && hook === 'forward');
  if (forward === undefined) return null;
  if (filter.some(({ name }) => name === 'DOCKER-USER')) return 'DOCKER-USER';
  return forward.policy === 'drop' ? 'FORWARD' : null;
}

export interface Passage {
  /** Our bridges. */
  readonly bridges: readonly string[];
  /** Interfaces through which their containers leave the host. */
  readonly outward: readonly string[];
}

/** Makes the neighbour pass these bridges, and takes our chain away when there is none left or it is not needed. */
export function openNeighbour(run: RunNft, names: Names, { bridges, outward }: Passage): void {
  const chains = chainsOf(run);
  const ours = chains.some(({ family, table, name }) => family === 'ip' && table === 'filter' && name === names.table);
  const place = bridges.length === 0 ? null : placeForJump(chains);
  if (place === null && !ours) return;
  const rules = rulesOf(run);
  const jumps = jumpsIn(rules, names);
  const settled = place !== null && isLast(rules, place, jumps);
  const commands = jumps
    .filter(() => !settled)
    .map(({ chain, handle }) => `delete rule ip filter ${chain} handle ${handle}`);
  if (place === null) {
    commands.push(`flush chain ip filter ${names.table}`, `delete chain ip filter ${names.table}`);
  } else {
    append(commands, chainCommands(names, { bridges, outward }));
    if (!settled) commands.push(jumpCommand(names, place, finalReturn(rules, place)));
  }
  run('change the jump in ip filter', commands.join('\n'));
}

/**
 * Into our bridges everything passes to our own rules; out of them what leaves the host. What leads to a bridge of
 * somebody else is left to the neighbour. Only matches that iptables can print: another would break iptables-save.
 */
function chainCommands(names: Names, { bridges, outward }: Passage): string[] {
  const chain = `ip filter ${names.table}`;
  const rules = bridges.flatMap((bridge) => [
    `add rule ${chain} oifname "${bridge}" accept`,
    ...outward.map((name) => `add rule ${chain} iifname "${bridge}" oifname "${name}" accept`),
  ]);
  return [`add chain ${chain}`, `flush chain ${chain}`, ...rules];
}

function rulesOf(run: RunNft): Rule[] {
  return entriesOf<Rule>('rule', run('list the filter table', 'list table ip filter'));
}

function jumpsIn(rules: readonly Rule[], names: Names): Rule[] {
  const comment = names.mark('firewall', 'forward');
  return rules.filter((rule) => rule.comment === comment);
}

/** At the end of a chain, or before the rule with this handle. */
function jumpCommand(names: Names, chain: string, before: number | null): string {
  const rule = `jump ${names.table} comment "${names.mark('firewall', 'forward')}"`;
  return before === null
    ? `add rule ip filter ${chain} ${rule}`
    : `insert rule ip filter ${chain} handle ${before} ${rule}`;
}

/** Returns the verdict of an unconditional rule; null for a conditional one and for one that continues with the next rule. */
function verdictForAll({ expr }: Rule): 'return' | 'drop' | null {
  const [only, ...more] = expr.filter((part) => !('counter' in part));
  if (only === undefined || more.length > 0) return null;
  if ('return' in only) return 'return';
  const target = only.xt as { readonly type?: string; readonly name?: string } | undefined;
  const rejects = target?.type === 'target' && target.name === 'REJECT';
  return 'drop' in only || 'reject' in only || rejects ? 'drop' : null;
}

/** Handle of the RETURN that Docker ends DOCKER-USER with; null when there is none. */
function finalReturn(rules: readonly Rule[], chain: string): number | null {
  const last = rules.filter((rule) => rule.chain === chain).at(-1);
  return last !== undefined && verdictForAll(last) === 'return' ? last.handle : null;
}

/** Reports whether the jump is where it would be inserted: an administrator may have added rules behind it since. */
function isLast(rules: readonly Rule[], chain: string, jumps: readonly Rule[]): boolean {
  const inChain = rules.filter((rule) => rule.chain === chain);
  if (finalReturn(rules, chain) !== null) inChain.pop();
  return jumps.length === 1 && inChain.at(-1)?.handle === jumps[0]?.handle;
}

/** Rules that end the way of every packet before our jump or without one, in sentences. */
function finalDrops(run: RunNft, chains: readonly Chain[]): string[] {
  const place = placeForJump(chains);
  if (place === null) return [];
  const ending = rulesOf(run).filter(
    (rule) => ['FORWARD', place].includes(rule.chain) && verdictForAll(rule) === 'drop',
  );
  return [...new Set(ending.map(({ chain }) => chain))].map(
    (chain) =>
      `chain ${chain} of table ip filter drops all that reaches its end: make that its policy ` +
      `(iptables -P FORWARD DROP) or accept our bridges before it`,
  );
}

/** What may drop our containers' packets and is not ours to change, in sentences. */
export function foreignDrops(run: RunNft, names: Names): string[] {
  const chains = chainsOf(run);
  const found = chains
    .filter(({ hook, policy, table }) => hook === 'forward' && policy === 'drop' && table !== names.table)
    .filter(({ family, table, name }) => !(family === 'ip' && table === 'filter' && name === 'FORWARD'))
    .filter(({ family }) => family === 'ip' || family === 'ip6' || family === 'inet')
    .map(
      ({ family, table, name }) =>
        `chain ${name} of table ${family} ${table} drops what it does not know: accept our bridges there`,
    );
  append(found, finalDrops(run, chains));
  const legacy = readTextOrEmpty('/proc/thread-self/net/ip_tables_names').split('\n').includes('filter');
  if (!legacy) return found;
  return [...found, 'iptables-legacy has a filter table: if its FORWARD policy is DROP, accept our bridges there'];
}
