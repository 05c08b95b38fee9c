/**
 * Other firewalls on the host. A packet must pass every table, so what dockerd or ufw drop in their forward chain
 * cannot be let through from ours (DESIGN §13.16). In `ip filter`, the table of iptables-nft, a chain of ours with one
 * commented jump to it passes what our own rules then judge; other firewalls are named for the user to open.
 */
import type { Names } from './names.ts';
import { readTextOrEmpty } from './text-files.ts';

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
  const jumps = jumpsOf(run, names);
  const commands = jumps
    .filter(({ chain }) => chain !== place)
    .map(({ chain, handle }) => `delete rule ip filter ${chain} handle ${handle}`);
  if (place === null) {
    commands.push(`flush chain ip filter ${names.table}`, `delete chain ip filter ${names.table}`);
  } else {
    commands.push(...chainCommands(names, { bridges, outward }));
    if (!jumps.some(({ chain }) => chain === place)) {
      const comment = names.mark('firewall', 'forward');
      commands.push(`insert rule ip filter ${place} jump ${names.table} comment "${comment}"`);
    }
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

function jumpsOf(run: RunNft, names: Names): Rule[] {
  const comment = names.mark('firewall', 'forward');
  const rules = entriesOf<Rule>('rule', run('list the filter table', 'list table ip filter'));
  return rules.filter((rule) => rule.comment === comment);
}

/** What may drop our containers' packets and is not ours to change, in sentences. */
export function foreignDrops(run: RunNft, names: Names): string[] {
  const found = chainsOf(run)
    .filter(({ hook, policy, table }) => hook === 'forward' && policy === 'drop' && table !== names.table)
    .filter(({ family, table, name }) => !(family === 'ip' && table === 'filter' && name === 'FORWARD'))
    .filter(({ family }) => family === 'ip' || family === 'inet')
    .map(
      ({ family, table, name }) =>
        `chain ${name} of table ${family} ${table} drops what it does not know: accept our bridges there`,
    );
  const legacy = readTextOrEmpty('/proc/thread-self/net/ip_tables_names').split('\n').includes('filter');
  if (!legacy) return found;
  return [...found, 'iptables-legacy has a filter table: if its FORWARD policy is DROP, accept our bridges there'];
}
