import { objectPath } from '../../../api/docker/paths.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { bytesArgument, bytesOrNoneArgument, nanoCpus, numberArgument, restartOf } from '../../limit-arguments.ts';
import { printable } from '../../output/text.ts';
import { each } from './each.ts';
import { requireNames } from './names.ts';

interface UpdateOptions {
  readonly blkioWeight?: number;
  readonly cpuPeriod?: number;
  readonly cpuQuota?: number;
  readonly cpuShares?: number;
  readonly cpus?: number;
  readonly cpusetCpus?: string;
  readonly cpusetMems?: string;
  readonly memory?: number;
  readonly memoryReservation?: number;
  readonly memorySwap?: number;
  readonly pidsLimit?: number;
  readonly restart?: string;
  readonly asDeclared?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Changes limits and restart policy of containers that were made through the Docker API; they go on running. What is not ' +
      'given stays as it is. The limits of a container of a manifest are in the manifest; where the daemon has ' +
      '--api-override=allow, other ones hold until its entry there changes, or until --as-declared.',
    examples: [
      ['tsdocker update --memory 512m --memory-swap 1g web', 'More memory'],
      ['tsdocker update --cpus 0.5 --restart always web db', 'Of several containers'],
      ['tsdocker update --as-declared shop-web', 'Back to what the manifest says'],
    ],
    exitCodes: [
      ['0', 'all were changed'],
      ['1', 'one could not be changed'],
    ],
  });
  command.addArgument(new Argument('[containers...]', 'names or ids').completes('containers'));
  const number = (flags: string, text: string) => command.addOption(new Option(flags, text).argParser(numberArgument));
  const bytes = (flags: string, text: string, parse = bytesOrNoneArgument) =>
    command.addOption(new Option(flags, text).argParser(parse));
  bytes('-m, --memory <size>', 'limit of memory: 256m', bytesArgument);
  bytes('--memory-swap <size>', 'limit of memory and swap together; -1 for none');
  bytes('--memory-reservation <size>', 'memory that it keeps when the host is short of it', bytesArgument);
  number('--cpus <number>', 'limit of processors: 0.5');
  number('-c, --cpu-shares <number>', 'share of busy processors; 1024 is the usual one');
  number('--cpu-period <microseconds>', 'period of the scheduler');
  number('--cpu-quota <microseconds>', 'time in each period');
  command.option('--cpuset-cpus <list>', 'processors to run on: 0-2,4');
  command.option('--cpuset-mems <list>', 'memory nodes to use: 0');
  number('--pids-limit <number>', 'limit of processes; -1 for none');
  number('--blkio-weight <number>', 'share of busy disks, 10 to 1000');
  command.option('--restart <policy>', 'no, always, unless-stopped, on-failure[:N]');
  command.option('--as-declared', 'of a container of a manifest: end the changes made with this command');
  command.action(context.action((names: string[], options: UpdateOptions) => run(context, names, options)));
}

/** The body of POST /containers/{id}/update. @throws TsdError TSD_BAD_REQUEST where nothing is to change */
function changesOf({ cpus, restart, ...options }: UpdateOptions): Readonly<Record<string, unknown>> {
  const { blkioWeight, cpuPeriod, cpuQuota, cpuShares, cpusetCpus, cpusetMems } = options;
  const { memory, memoryReservation, memorySwap, pidsLimit } = options;
  const members = {
    BlkioWeight: blkioWeight,
    CpuPeriod: cpuPeriod,
    CpuQuota: cpuQuota,
    CpuShares: cpuShares,
    CpusetCpus: cpusetCpus,
    CpusetMems: cpusetMems,
    Memory: memory,
    MemoryReservation: memoryReservation,
    MemorySwap: memorySwap,
    NanoCpus: cpus === undefined ? undefined : nanoCpus(cpus),
    PidsLimit: pidsLimit,
    RestartPolicy: restart === undefined ? undefined : restartOf(restart),
  };
  const given = Object.entries(members).filter(([, value]) => value !== undefined);
  if (given.length > 0) return Object.fromEntries(given);
  throw new TsdError('TSD_BAD_REQUEST', 'nothing is to be changed', {
    hint: 'For example `tsdocker update --memory 512m web`; `tsdocker update --help` lists what can be changed.',
  });
}

function run(context: CliContext, names: readonly string[], options: UpdateOptions): Promise<number> {
  requireNames(names, 'tsdocker update');
  const body = options.asDeclared === true ? {} : changesOf(options);
  const query = options.asDeclared === true ? { declared: 1 } : {};
  return each(context, names, async (docker, name) => {
    const path = objectPath('containers', name, '/update');
    const { Warnings } = await docker.post<{ readonly Warnings: readonly string[] | null }>(path, query, body);
    for (const warning of Warnings ?? []) context.warn(`warning: ${printable(warning)}`);
  });
}
