import type { DockerClient } from '../../../api/docker/client.ts';
import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatBytes } from '../../output/text.ts';
import type { ListedContainer } from './ps.ts';

interface Counters {
  readonly rx_bytes: number;
  readonly tx_bytes: number;
}

interface Processor {
  readonly cpu_usage?: { readonly total_usage?: number };
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
}

/** Of GET /containers/{id}/stats. */
interface Stats {
  readonly id: string;
  readonly name: string;
  readonly cpu_stats: Processor;
  readonly precpu_stats: Processor;
  readonly memory_stats: {
    readonly usage?: number;
    readonly limit?: number;
    readonly stats?: { readonly total_inactive_file?: number; readonly inactive_file?: number };
  };
  readonly pids_stats: { readonly current?: number };
  readonly networks?: Readonly<Record<string, Counters>>;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Shows once what running containers use: processor over one second, memory, network, processes.',
    examples: [
      ['tsdocker stats', 'All that run'],
      ['tsdocker stats web -o json', 'One of them, as the Docker API counts it'],
    ],
  });
  command.addArgument(new Argument('[containers...]', 'names or ids (default: all that run)').completes('containers'));
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action(async (names: string[], { output }: { output: OutputFormat }) => {
      const docker = await context.docker();
      const wanted = names.length > 0 ? names : await running(docker);
      const one = (name: string) => docker.get<Stats>(objectPath('containers', name, '/stats'), { stream: false });
      const found = await Promise.all(wanted.map(one));
      if (isData(output)) await context.printData(found, output);
      else context.print(formatTable(context, COLUMNS, found));
      return EXIT.ok;
    }),
  );
}

async function running(docker: DockerClient): Promise<readonly string[]> {
  return (await docker.get<readonly ListedContainer[]>('/containers/json')).map(({ Id }) => Id);
}

/** As Docker's client counts it: 100 is one processor. */
function processorPercent({ cpu_stats: now, precpu_stats: before }: Stats): number {
  const own = (now.cpu_usage?.total_usage ?? 0) - (before.cpu_usage?.total_usage ?? 0);
  const all = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  return all > 0 && own > 0 ? (own / all) * (now.online_cpus ?? 1) * 100 : 0;
}

function memoryBytes({ memory_stats: { usage = 0, stats } }: Stats): number {
  return Math.max(0, usage - (stats?.total_inactive_file ?? stats?.inactive_file ?? 0));
}

function traffic({ networks = {} }: Stats): string {
  const sum = (key: keyof Counters) => Object.values(networks).reduce((total, counters) => total + counters[key], 0);
  return `${formatBytes(sum('rx_bytes'))} / ${formatBytes(sum('tx_bytes'))}`;
}

const COLUMNS: readonly Column<Stats>[] = [
  { title: 'NAME', value: ({ name }) => name.replace(/^\//, '') },
  { title: 'CPU', value: (row) => `${processorPercent(row).toFixed(1)}%` },
  {
    title: 'MEMORY',
    value: (row) => `${formatBytes(memoryBytes(row))} / ${formatBytes(row.memory_stats.limit ?? 0)}`,
  },
  { title: 'NET IN / OUT', value: traffic, leaveOut: 1 },
  { title: 'PIDS', value: ({ pids_stats }) => String(pids_stats.current ?? 0) },
];
