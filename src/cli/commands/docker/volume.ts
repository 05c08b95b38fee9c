import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect } from '../../options.ts';
import { formatTable } from '../../output/table.ts';
import { each } from './each.ts';
import { filtersOf } from './filters.ts';
import { labelsOf } from './labels.ts';
import { printLines } from './lines.ts';
import { requireNames } from './names.ts';

interface VolumeOptions {
  readonly label?: readonly string[];
  readonly filter?: readonly string[];
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly output: OutputFormat;
}

interface ListedVolume {
  readonly Name: string;
  readonly Driver: string;
  readonly Mountpoint: string;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists, creates, removes and inspects volumes through the Docker API. Volumes of manifests are listed as well; they go with ' +
      'their manifests, and their data stays.',
    examples: [
      ['tsdocker volume create data', 'Create a volume'],
      ['tsdocker volume ls --filter dangling=true', 'Those that no container uses'],
      ['tsdocker volume inspect data', 'Where it is'],
      ['tsdocker volume rm data', 'Remove it with its data'],
    ],
  });
  command.addArgument(new Argument('<action>', 'what to do').choices(['ls', 'create', 'rm', 'inspect']));
  command.argument('[names...]', 'volumes');
  command.addOption(new Option('--label <key=value>', 'create: a label; repeatable').argParser(collect));
  command.addOption(new Option('--filter <key=value>', 'ls: only those that pass; repeatable').argParser(collect));
  command.option('-f, --force', 'rm: one that is not there is no error');
  command.option('-q, --quiet', 'ls: only names');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action((action: string, names: string[], options: VolumeOptions) => run(context, action, names, options)),
  );
}

async function run(
  context: CliContext,
  action: string,
  names: readonly string[],
  options: VolumeOptions,
): Promise<number> {
  const { label, force, output } = options;
  if (action === 'ls') return list(context, options);
  if (action === 'create') {
    const docker = await context.docker();
    const [Name] = names;
    const body = { ...(Name !== undefined && { Name }), Labels: labelsOf(label) };
    context.print((await docker.post<ListedVolume>('/volumes/create', {}, body)).Name);
    return EXIT.ok;
  }
  requireNames(names, `tsdocker volume ${action}`);
  if (action === 'rm')
    return each(context, names, (docker, name) =>
      docker.delete(objectPath('volumes', name), { force: force === true }),
    );
  const docker = await context.docker();
  const found = await Promise.all(names.map((name) => docker.get(objectPath('volumes', name))));
  await context.printData(found, isData(output) ? output : 'json');
  return EXIT.ok;
}

async function list(context: CliContext, { filter, quiet, output }: VolumeOptions): Promise<number> {
  const docker = await context.docker();
  const { Volumes } = await docker.get<{ readonly Volumes: readonly ListedVolume[] }>('/volumes', {
    filters: filtersOf(filter),
  });
  if (quiet === true)
    printLines(
      context,
      Volumes.map(({ Name }) => Name),
    );
  else if (isData(output)) await context.printData(Volumes, output);
  else {
    const columns = [
      { title: 'DRIVER', value: ({ Driver }: ListedVolume) => Driver },
      { title: 'VOLUME NAME', value: ({ Name }: ListedVolume) => Name },
      { title: 'MOUNTPOINT', value: ({ Mountpoint }: ListedVolume) => Mountpoint, leaveOut: 1 },
    ];
    context.print(formatTable(context, columns, Volumes));
  }
  return EXIT.ok;
}
