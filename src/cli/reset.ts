/** `tsdocker system reset`: through the supervisor that runs, or in its place. */

import type { ResetView } from '../api/requests.ts';
import type { InfoView } from '../api/views/host-views.ts';
import type { ResetPlace } from '../composition/offline/offline-reset.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { CliContext } from './context.ts';
import { type DataFormat, isData } from './data.ts';
import { EXIT } from './exit-codes.ts';
import { plural, printable } from './output/text.ts';
import { confirmed } from './terminal/ask.ts';

export interface ResetCommandOptions {
  readonly volumes?: boolean;
  readonly yes?: boolean;
  readonly root?: string;
  readonly runDir?: string;
  readonly output: 'table' | DataFormat;
}

interface Target extends ResetPlace {
  /** Null without a supervisor. */
  readonly info: InfoView | null;
}

const DEFAULT_ROOT = '/var/lib/tsdocker';
const DEFAULT_RUN_DIR = '/run/tsdocker';

export async function reset(context: CliContext, options: ResetCommandOptions): Promise<number> {
  const { volumes = false, yes = false, output } = options;
  if (process.geteuid?.() !== 0) {
    throw new TsdError('TSD_NOT_ROOT', 'a reset removes files of root, and must run as root');
  }
  if (isData(output) && !yes) throw new TsdError('TSD_BAD_REQUEST', `-o ${output} cannot ask`, { hint: 'Add --yes.' });
  const target = await targetOf(context, options);
  const { describeInstance, resetOffline, untilGone } = await import('../composition/offline/offline-reset.ts');
  const found = describeInstance(target.root);
  if (!isData(output)) printFound(context, target, found, volumes);
  if (!yes && !(await mayReset(context))) return EXIT.error;
  let view: Pick<ResetView, 'stays'>;
  if (target.info === null) view = { stays: await resetOffline(target, { volumes }) };
  else {
    const client = await context.client();
    view = await client.reset({ volumes });
  }
  const left = await untilGone(target, found.instance);
  const kept = volumes ? [] : found.volumes.map(({ path }) => path);
  if (isData(output)) {
    const { root, runDir } = target;
    await context.printData({ root, runDir, instance: found.instance, stays: view.stays, left, kept }, output);
  } else {
    for (const text of [...view.stays, ...left]) context.warn(`warning: ${printable(text)}`);
    if (kept.length > 0) context.print(`Kept ${plural(kept.length, 'volume')} in ${target.root}.`);
    context.print(left.length > 0 ? 'Not everything was removed.' : `The instance ${found.instance} is removed.`);
  }
  return left.length > 0 ? EXIT.error : EXIT.ok;
}

/** Named directories are those of a supervisor that does not run; without, the one that answers is meant, if any does. */
async function targetOf(context: CliContext, { root, runDir }: ResetCommandOptions): Promise<Target> {
  const named = { root: root ?? DEFAULT_ROOT, runDir: runDir ?? DEFAULT_RUN_DIR, info: null };
  if (root !== undefined || runDir !== undefined) return named;
  try {
    const info = await (await context.client()).info();
    return { root: info.root, runDir: info.runDir, info };
  } catch (thrown) {
    if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_NO_SUPERVISOR') throw thrown;
    return named;
  }
}

interface Found {
  readonly instance: string;
  readonly containers: number;
  readonly images: number;
  readonly volumes: readonly { readonly name: string; readonly path: string }[];
}

function printFound(context: CliContext, { root, runDir, info }: Target, found: Found, deletes: boolean): void {
  const running = info === null ? '' : ` (${info.running} running)`;
  const what = `${plural(found.containers, 'container')}${running}, ${plural(found.images, 'image')}`;
  context.print(
    [
      `The instance ${found.instance} goes, with ${root} and ${runDir}:`,
      `  ${what}, networks, firewall rules, control groups, logs and history`,
      ...(found.volumes.length === 0
        ? []
        : [`${deletes ? 'The data of these volumes is DELETED' : 'The data of these volumes stays'}:`]),
      ...found.volumes.map(({ name, path }) => `  ${printable(name)}  ${printable(path)}`),
      ...(info === null
        ? []
        : [`Manifests in ${info.manifests} stay: the next supervisor creates their resources again.`]),
    ].join('\n'),
  );
}

async function mayReset(context: CliContext): Promise<boolean> {
  if (context.streams.stdin.isTTY !== true) {
    throw new TsdError('TSD_BAD_REQUEST', 'a reset asks first, and standard input is not a terminal', {
      hint: 'Add --yes to remove what is listed.',
    });
  }
  return confirmed(context, 'Take it away?');
}
