import type { Command } from '../../command-line/command.ts';
import { Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect, countArgument } from '../../options.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatAge, formatBytes } from '../../output/text.ts';
import { filtersOf } from './filters.ts';
import { printLines } from './lines.ts';

/** Of GET /containers/json. */
export interface ListedContainer {
  readonly Id: string;
  readonly Names: readonly string[];
  readonly Image: string;
  readonly Command: string;
  /** Unix seconds. */
  readonly Created: number;
  readonly Status: string;
  readonly Ports: readonly {
    readonly IP?: string;
    readonly PrivatePort: number;
    readonly PublicPort?: number;
    readonly Type: string;
  }[];
  readonly SizeRw?: number;
}

interface PsOptions {
  readonly all?: boolean;
  readonly quiet?: boolean;
  readonly latest?: boolean;
  readonly last?: number;
  readonly size?: boolean;
  readonly trunc: boolean;
  readonly filter?: readonly string[];
  readonly output: OutputFormat;
}

const SHORT_ID = 12;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists containers as `docker ps` does: those that run, or all with -a. Containers of manifests and those made through ' +
      'the Docker API are in one list. `tsdocker get containers` shows what is wanted of them, too.',
    examples: [
      ['tsdocker ps', 'What runs'],
      ['tsdocker ps -a --filter status=exited', 'What has ended'],
      ['tsdocker ps -aq --filter label=tier=front', 'Ids of all with a label'],
    ],
  });
  command.option('-a, --all', 'also those that do not run');
  command.option('-q, --quiet', 'only ids');
  command.option('-l, --latest', 'the one created last, in any state');
  command.addOption(new Option('-n, --last <count>', 'so many, created last, in any state').argParser(countArgument));
  command.option('-s, --size', 'what each has written');
  command.option('--no-trunc', 'whole ids and commands');
  command.addOption(new Option('--filter <key=value>', 'only those that pass; repeatable').argParser(collect));
  command.addOption(outputOption('table', 'json', 'yaml', 'name'));
  command.action(context.action((options: PsOptions) => run(context, options)));
}

async function run(context: CliContext, options: PsOptions): Promise<number> {
  const docker = await context.docker();
  const limit = options.latest === true ? 1 : options.last;
  const rows = await docker.get<readonly ListedContainer[]>('/containers/json', {
    all: options.all === true || undefined,
    limit,
    size: options.size === true || undefined,
    filters: filtersOf(options.filter),
  });
  const { output } = options;
  const idOf = ({ Id }: ListedContainer) => (options.trunc ? Id.slice(0, SHORT_ID) : Id);
  if (options.quiet === true) printLines(context, rows.map(idOf));
  else if (isData(output)) await context.printData(rows, output);
  else if (output === 'name') printLines(context, rows.map(namesOf));
  else context.print(formatTable(context, columns(options, context.streams.now(), idOf), rows, !options.trunc));
  return EXIT.ok;
}

const namesOf = ({ Names }: ListedContainer): string => Names.map((name) => name.replace(/^\//, '')).join(',');

function portsOf({ Ports }: ListedContainer): string {
  return Ports.map(({ IP, PrivatePort, PublicPort, Type }) => {
    const inside = `${PrivatePort}/${Type}`;
    if (PublicPort === undefined) return inside;
    return `${IP?.includes(':') ? `[${IP}]` : (IP ?? '')}:${PublicPort}->${inside}`;
  }).join(', ');
}

function columns(
  { trunc, size }: PsOptions,
  nowMs: number,
  idOf: (row: ListedContainer) => string,
): readonly Column<ListedContainer>[] {
  const longest = 20;
  const commandOf = ({ Command }: ListedContainer) =>
    trunc && Command.length > longest ? `${Command.slice(0, longest - 1)}…` : Command;
  return [
    { title: 'CONTAINER ID', value: idOf },
    { title: 'IMAGE', value: ({ Image }) => Image, min: 8 },
    { title: 'COMMAND', value: (row) => JSON.stringify(commandOf(row)), min: 8, leaveOut: 2 },
    { title: 'CREATED', value: ({ Created }) => formatAge(new Date(Created * 1000).toISOString(), nowMs), leaveOut: 3 },
    { title: 'STATUS', value: ({ Status }) => Status },
    { title: 'PORTS', value: portsOf, min: 8, leaveOut: 1 },
    ...(size === true ? [{ title: 'SIZE', value: ({ SizeRw }: ListedContainer) => formatBytes(SizeRw ?? 0) }] : []),
    { title: 'NAMES', value: namesOf },
  ];
}
