import type { ImageSource } from '../../../images/image.ts';
import { loadImage, sourceFingerprint } from '../../../images/load-image.ts';
import type { Desired } from '../../../model/desired.ts';
import { toTsdError } from '../../../model/errors/errors.ts';
import type { ImageConfig, ImageSpec } from '../../../model/kinds/image.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { REFRESH_REQUESTED } from '../../../state/history/resource-store.ts';
import type { ImageName } from '../../../state/images/image-names.ts';
import type { OpOf } from '../../op.ts';
import { type BuildOrder, carryOut } from '../build/build-order.ts';
import { desiredOf, type World } from '../world.ts';
import { archiveContext, imageName, type ProgressSink, recordImage } from './image.ts';
import { type PullSource, resolvePull } from './image-pull.ts';

/** Where an image comes from that is made of files of this host. */
type FileSource = Exclude<ImageSpec['source'], { type: 'pull' | 'build' }>;
type Declared = Extract<ImageSource, { type: 'host' }>['config'];

function declaredConfig(config: ImageConfig | null): Declared {
  if (config === null) return {};
  return {
    env: config.env,
    entrypoint: config.entrypoint ?? undefined,
    command: config.command ?? undefined,
    workingDir: config.workingDir ?? undefined,
    user: config.user ?? undefined,
    expose: config.expose.map(({ port, protocol }) => `${port}/${protocol}`),
    volumes: config.volumes,
    labels: config.labels,
    stopSignal: config.stopSignal ?? undefined,
  };
}

/** An image of a manifest as the loader wants it. */
function imageSource(source: FileSource, config: ImageConfig | null): ImageSource {
  switch (source.type) {
    case 'archive':
    case 'layout':
      return { type: source.type, path: source.path, ref: source.ref ?? undefined };
    case 'rootfs':
      return { ...source, config: declaredConfig(config) };
    case 'host':
      return { ...source, config: declaredConfig(config) };
  }
}

/** Loads or pulls the image of a declaration, and remembers which one it is. */
export function loadDeclaredImage(
  world: World,
  op: OpOf<'image.load'>,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  return world.imageWork.making(() => loadAndName(world, op, progress, signal));
}

async function loadAndName(
  world: World,
  op: OpOf<'image.load'>,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const desired = desiredOf(world, 'image', op.key);
  try {
    const { source, config } = desired.spec;
    const binding = world.resources.images().find(({ key }) => key === op.key);
    const uncached = world.resources.isUncached(op.key);
    const refresh = uncached || binding?.sourceFingerprint === REFRESH_REQUESTED;
    const past = refresh ? null : imageOfPast(world, op.key);
    // Before it is built: a base that changes meanwhile has it built again.
    const bases = source.type === 'build' ? basesNow(world, desired) : null;
    if (past !== null) {
      if (source.type !== 'pull') await world.repositories.set(imageName(desired), past, true);
      world.resources.setImage({
        key: op.key,
        specHash: desired.specHash,
        imageId: past,
        sourceFingerprint: '',
        bases,
      });
      return;
    }
    const found =
      source.type === 'build'
        ? await buildDeclared(world, desired, { ...source, noCache: uncached }, progress, signal)
        : source.type === 'pull'
          ? {
              imageId: await resolvePull(world, currentSource(source, refresh), progress, signal),
              sourceFingerprint: '',
            }
          : await loadFiles(world, imageName(desired), imageSource(source, config), progress, signal);
    world.resources.setImage({ key: op.key, specHash: desired.specHash, ...found, bases });
  } catch (error) {
    throw toTsdError(error).withContext({ key: op.key, source: desired.source });
  }
}

/** The images that a build uses, as they are now. */
function basesNow(world: World, { references }: Desired<'image'>): Readonly<Record<ResourceKey, string>> {
  const bound = world.resources.images().filter(({ key }) => references.bases.includes(key));
  return Object.fromEntries(bound.map(({ key, imageId }) => [key, imageId]));
}

/** What an earlier generation that was brought back meant, while it is on this host. */
function imageOfPast(world: World, key: ResourceKey): string | null {
  const id = world.imagesOfPast.pinned(key);
  const image = id === null ? undefined : world.images.get(id);
  if (image === undefined) return null;
  return image.parent === '' || world.graph.exists(image.parent) ? image.id : null;
}

/** Returns the source, to be resolved at its registry when a refresh was requested and the manifest permits that. */
function currentSource(source: PullSource, refresh: boolean): PullSource {
  return refresh && source.policy !== 'never' ? { ...source, policy: 'always' } : source;
}

async function buildDeclared(
  world: World,
  desired: Desired<'image'>,
  source: Extract<ImageSpec['source'], { type: 'build' }> & { readonly noCache: boolean },
  progress: ProgressSink,
  signal: AbortSignal,
) {
  const order: BuildOrder = {
    ...source,
    context: { type: 'directory', path: source.context },
    dockerfile:
      source.dockerfileInline === undefined
        ? { type: 'path', path: source.dockerfile }
        : { type: 'text', text: source.dockerfileInline },
    allow: [],
    declared: desired.key,
  };
  const report = {
    step: (label: string, text: string, cached: boolean) =>
      progress(`${label} ${text}${cached ? ' (cached)' : ''}`, 0, null),
    output: (label: string, text: string) => progress(`${label} ${text.trimEnd().split('\n').at(-1)}`, 0, null),
    warning: (text: string) => progress(`warning: ${text}`, 0, null),
  };
  const image = await carryOut(world, order, report, progress, signal);
  await world.repositories.set(imageName(desired), image.id, true);
  return { imageId: image.id, sourceFingerprint: '' };
}

async function loadFiles(
  world: World,
  name: ImageName,
  source: ImageSource,
  progress: ProgressSink,
  signal: AbortSignal,
) {
  const fingerprint = await sourceFingerprint(source, signal);
  const image = await loadImage(source, archiveContext(world, progress, signal));
  await recordImage(world, image);
  await world.repositories.set(name, image.id, true);
  return { imageId: image.id, sourceFingerprint: fingerprint };
}
