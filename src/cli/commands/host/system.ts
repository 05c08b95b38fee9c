import type { DiskUsageView, PruneView } from '../../../api/images/image-files.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { type DataFormat, isData } from '../../data.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatBytes, plural, printable } from '../../output/text.ts';
import { confirmed } from '../../terminal/ask.ts';

interface SystemOptions {
  readonly all?: boolean;
  readonly volumes?: boolean;
  readonly dryRun?: boolean;
  readonly yes?: boolean;
  readonly force?: boolean;
  readonly root?: string;
  readonly runDir?: string;
  readonly output: 'table' | DataFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Shows the disk usage of images, containers, volumes, logs, pinned files and the build cache (df), removes images that are ' +
      'not needed (prune), or removes a whole instance (reset).\n\n' +
      'An image or a pinned file is needed by a container, by a manifest, or by one of the last generations. prune removes untagged ' +
      'images, results of build steps that no image uses and copies that are not needed; with -a also tagged images and the build ' +
      'cache. It lists them and asks before it removes anything. Objects created after the question stay, except in the build cache, which ' +
      'is removed as a whole. With --volumes it also deletes the data of anonymous volumes whose container was removed; ' +
      '`get volumes` shows these as Released. It waits for builds and pulls to end.\n\n' +
      'reset lists what it will remove and asks; then it stops every container and removes networks, firewall rules, control groups, layers, ' +
      'images and state. A running supervisor does this and ends; without one, name its --root and --run-dir. ' +
      'Data of volumes stays below the root, unless --volumes is given. Manifests are not touched.',
    examples: [
      ['tsdocker system df', 'Disk usage, and what can be freed'],
      ['tsdocker system prune --dry-run -a', 'List what would be removed'],
      ['tsdocker system prune --volumes', 'Also delete data of removed containers'],
      ['tsdocker system prune -y', 'Remove untagged images, without a question'],
      ['tsdocker system reset', 'List what an instance has on this host, ask, and remove it'],
      [
        'tsdocker system reset --root /tmp/t/root --run-dir /tmp/t/run --volumes --yes',
        'Without a supervisor or a question',
      ],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error, or the answer was no and nothing was removed'],
      ['130', 'Ctrl-C at the question; nothing was removed'],
    ],
  });
  command.addArgument(new Argument('<action>', 'what to do').choices(['df', 'prune', 'reset']));
  command.option('-a, --all', 'prune: also tagged images, and the build cache');
  command.option(
    '--volumes',
    'prune: also the data of anonymous volumes whose container was removed; reset: of all volumes',
  );
  command.option('--dry-run', 'prune: only list what would be removed');
  command.option('-y, --yes', 'prune, reset: do not ask');
  command.option('--root <dir>', 'reset: root of a supervisor that does not run (default: /var/lib/tsdocker)');
  command.option('--run-dir <dir>', 'reset: its run directory (default: /run/tsdocker)');
  command.option('-f, --force', 'prune: the same option as in Docker');
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['table', 'json', 'yaml']).default('table'),
  );
  command.action(
    context.action(async (action: 'df' | 'prune' | 'reset', options: SystemOptions) => {
      if (action === 'df') return showUsage(context, options);
      if (action === 'prune') return prune(context, options);
      const { reset } = await import('../../reset.ts');
      return reset(context, options);
    }),
  );
}

type UsageRow = DiskUsageView['rows'][number];

const COLUMNS: readonly Column<UsageRow>[] = [
  { title: 'TYPE', value: ({ type }) => type },
  { title: 'COUNT', value: ({ count }) => String(count) },
  { title: 'ACTIVE', value: ({ active }) => String(active) },
  { title: 'SIZE', value: ({ bytes }) => formatBytes(bytes) },
  { title: 'RECLAIMABLE', value: ({ reclaimable }) => (reclaimable === null ? '-' : formatBytes(reclaimable)) },
];

async function showUsage(context: CliContext, { output }: SystemOptions): Promise<number> {
  const client = await context.client();
  const usage = await client.imageFiles.diskUsage();
  if (isData(output)) await context.printData(usage, output);
  else {
    const { free, bytes } = usage.filesystem;
    context.print(formatTable(context, COLUMNS, usage.rows));
    context.print(`\n${formatBytes(free)} of ${formatBytes(bytes)} are free.`);
  }
  return EXIT.ok;
}

async function prune(
  context: CliContext,
  { all = false, volumes = false, dryRun = false, output, ...given }: SystemOptions,
): Promise<number> {
  const yes = given.yes === true || given.force === true;
  const client = await context.client();
  if (isData(output) && !dryRun && !yes) {
    throw new TsdError('TSD_BAD_REQUEST', `-o ${output} cannot ask`, { hint: 'Add -y, or --dry-run.' });
  }
  const found = await client.imageFiles.prune({ all, volumes, dryRun: dryRun || !yes, listed: null });
  if (isData(output)) await context.printData(found, output);
  else printGarbage(context, found, dryRun ? 'Would free' : yes ? 'Freed' : 'To be freed:');
  if (dryRun || yes || isNothing(found)) return EXIT.ok;
  if (!(await mayRemove(context))) return EXIT.error;
  // The answer was about what was listed, and nothing else.
  const { bytes } = await client.imageFiles.prune({ all, volumes, dryRun: false, listed: found });
  context.print(`Freed ${formatBytes(bytes)}.`);
  return EXIT.ok;
}

const isNothing = ({ images, layers, volumes, copies, buildCacheBytes }: PruneView): boolean =>
  images.length + layers.length + volumes.length + copies.length + buildCacheBytes === 0;

function printGarbage(context: CliContext, found: PruneView, what: string): void {
  const { images, layers, volumes, copies, buildCacheBytes, bytes } = found;
  const named = images.map(({ id, tags }) => `image ${id.slice(0, 12)} ${printable(tags.join(', '))}`.trimEnd());
  const sized = layers.map((layer) => `layer ${layer.id.slice(0, 12)} ${formatBytes(layer.bytes)}`);
  const kept = buildCacheBytes > 0 ? [`build cache ${formatBytes(buildCacheBytes)}`] : [];
  const data = volumes.map(
    ({ name, target, bytes: size }) => `volume ${name} ${printable(target)} ${formatBytes(size)}`,
  );
  const copyBytes = copies.reduce((total, copy) => total + copy.bytes, 0);
  const files = copies.length > 0 ? [`${plural(copies.length, 'pinned file')} ${formatBytes(copyBytes)}`] : [];
  const counts = [plural(images.length, 'image'), plural(layers.length, 'layer')];
  if (volumes.length > 0) counts.push(plural(volumes.length, 'volume'));
  const total = `${what} ${formatBytes(bytes)}: ${counts.join(', ')}.`;
  context.print([...named, ...sized, ...data, ...files, ...kept, total].join('\n'));
}

async function mayRemove(context: CliContext): Promise<boolean> {
  if (context.streams.stdin.isTTY !== true) {
    throw new TsdError('TSD_BAD_REQUEST', 'the question cannot be asked: standard input is not a terminal', {
      hint: 'Add -y to remove what is listed.',
    });
  }
  return confirmed(context, 'Remove them?');
}
