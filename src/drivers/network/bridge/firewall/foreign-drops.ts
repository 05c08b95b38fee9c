/** What other firewalls of this host drop of our containers' packets, in sentences for `doctor`. */
import { readTextOrEmpty } from '../../../../ffi/files/text-files.ts';
import { append } from '../../../../model/lists.ts';
import type { Names } from '../names.ts';
import { closedEnds, isOpened } from './firewall-neighbours.ts';
import { chainsOf, type ForeignChain, type RunNft, rulesOf, verdictForAll } from './foreign-rules.ts';

const FAMILIES: readonly string[] = ['ip', 'ip6', 'inet'];

/** How to let containers through a firewall that has a command for it. */
const REMEDIES: Readonly<Record<string, string>> = {
  firewalld:
    'firewall-cmd --permanent --zone=trusted --add-interface=BRIDGE && firewall-cmd --reload, for each of our bridges ' +
    'whose containers it is to let out (published ports pass it)',
};

/** Whether all that reaches the end of a chain is dropped: by its policy, or by its last rule. */
function endsInDrop(run: RunNft, chain: ForeignChain): boolean {
  if (chain.policy === 'drop') return true;
  const last = rulesOf(run, chain)
    .filter((rule) => rule.chain === chain.name)
    .at(-1);
  return last !== undefined && verdictForAll(last) === 'drop';
}

/** What is not ours to change. */
export function foreignDrops(run: RunNft, names: Names): string[] {
  const chains = chainsOf(run);
  const found = chains
    .filter((chain) => chain.hook === 'forward' && chain.table !== names.table && !isOpened(chain))
    .filter((chain) => FAMILIES.includes(chain.family) && endsInDrop(run, chain))
    .map(
      ({ family, table, name }) =>
        `chain ${name} of table ${family} ${table} drops what it does not know: ${REMEDIES[table] ?? 'accept our bridges there'}`,
    );
  append(
    found,
    closedEnds(run, chains).map(
      ({ family, table, chain }) =>
        `chain ${chain} of table ${family} ${table} drops all that reaches its end: make that its policy ` +
        `(${family === 'ip' ? 'iptables' : 'ip6tables'} -P FORWARD DROP) or accept our bridges before it`,
    ),
  );
  for (const [names6, program] of [
    ['ip_tables_names', 'iptables-legacy'],
    ['ip6_tables_names', 'ip6tables-legacy'],
  ] as const) {
    if (!readTextOrEmpty(`/proc/thread-self/net/${names6}`).split('\n').includes('filter')) continue;
    found.push(`${program} has a filter table: if its FORWARD policy is DROP, accept our bridges there`);
  }
  return found;
}
