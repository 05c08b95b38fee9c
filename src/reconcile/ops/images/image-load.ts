import type { ImageSource } from '../../../images/image.ts';
import { loadImage, sourceFingerprint } from '../../../images/load-image.ts';
import type { Desired } from '../../../model/desired.ts';
import { toTsdError } from '../../../model/errors/errors.ts';
import type { ImageConfig, ImageSpec } from '../../../model/kinds/image.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ImageStore } from '../../../state/history/image-store.ts';
import { REFRESH_REQUESTED, type ResourceStore } from '../../../state/history/resource-store.ts';
import type { ImageName } from '../../../state/images/image-names.ts';
import type { OpOf } from '../../op.ts';
import type { BuildPorts } from '../build/build-host.ts';
import { type BuildOrder, carryOut } from '../build/build-order.ts';
import { type Declared, desiredOf } from '../declared.ts';
import { type Admission, archiveContext, recordImage } from './image-intake.ts';
import { imageName } from './image-name.ts';
import { type PullPorts, type PullSource, resolvePull } from './image-pull.ts';

export interface LoadImagePorts extends Declared, PullPorts, Admission {
  readonly resources: Pick<ResourceStore, 'images' | 'isUncached' | 'setImage'>;
  readonly imagesOfPast: Pick<ImageStore, 'pinned'>;
  readonly builder: BuildPorts;
}

/** The source of an image that is created from files of this host. */
type FileSource = Exclude<ImageSpec['source'], { type: 'pull' | 'build' }>;
type DeclaredConfig = Extract<ImageSource, { type: 'host' }>['config'];

function declaredConfig(config: ImageConfig | null): DeclaredConfig {
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
  ports: LoadImagePorts,
  op: OpOf<'image.load'>,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  return ports.intake.imageWork.making(() => loadAndName(ports, op, progress, signal));
}

async function loadAndName(
  ports: LoadImagePorts,
  op: OpOf<'image.load'>,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<void> {
  const desired = desiredOf(ports, 'image', op.key);
  try {
    const { source, config } = desired.spec;
    const binding = ports.resources.images().find(({ key }) => key === op.key);
    const uncached = ports.resources.isUncached(op.key);
    const refresh = uncached || binding?.sourceFingerprint === REFRESH_REQUESTED;
    const past = refresh ? null : imageOfPast(ports, op.key);
    // Before it is built: a base that changes meanwhile has it built again.
    const bases = source.type === 'build' ? basesNow(ports, desired) : null;
    if (past !== null) {
      if (source.type !== 'pull') await ports.repositories.set(imageName(desired), past, true);
      ports.resources.setImage({
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
        ? await buildDeclared(ports, desired, { ...source, noCache: uncached }, progress, signal)
        : source.type === 'pull'
          ? {
              imageId: await resolvePull(ports, currentSource(source, refresh), progress, signal),
              sourceFingerprint: '',
            }
          : await loadFiles(ports, imageName(desired), imageSource(source, config), progress, signal);
    ports.resources.setImage({ key: op.key, specHash: desired.specHash, ...found, bases });
  } catch (error) {
    throw toTsdError(error).withContext({ key: op.key, source: desired.source });
  }
}

/** The images that a build uses, as they are now. */
function basesNow(
  { resources }: Pick<LoadImagePorts, 'resources'>,
  { references }: Desired<'image'>,
): Readonly<Record<ResourceKey, string>> {
  const bound = resources.images().filter(({ key }) => references.bases.includes(key));
  return Object.fromEntries(bound.map(({ key, imageId }) => [key, imageId]));
}

/** What an earlier generation that was brought back meant, while it is on this host. */
function imageOfPast({ imagesOfPast, intake }: LoadImagePorts, key: ResourceKey): string | null {
  const id = imagesOfPast.pinned(key);
  const image = id === null ? undefined : intake.images.get(id);
  if (image === undefined) return null;
  return image.parent === '' || intake.graph.exists(image.parent) ? image.id : null;
}

/** Returns the source, to be resolved at its registry when a refresh was requested and the manifest permits that. */
function currentSource(source: PullSource, refresh: boolean): PullSource {
  return refresh && source.policy !== 'never' ? { ...source, policy: 'always' } : source;
}

async function buildDeclared(
  ports: LoadImagePorts,
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
    limits: null,
    extraHosts: [],
    pull: false,
    logins: {},
    declared: desired.key,
  };
  const report = {
    step: (label: string, text: string, cached: boolean) =>
      progress(`${label} ${text}${cached ? ' (cached)' : ''}`, 0, null),
    output: (label: string, text: string) => progress(`${label} ${text.trimEnd().split('\n').at(-1)}`, 0, null),
    warning: (text: string) => progress(`warning: ${text}`, 0, null),
  };
  const image = await carryOut(ports.builder, order, report, progress, signal);
  await ports.repositories.set(imageName(desired), image.id, true);
  return { imageId: image.id, sourceFingerprint: '' };
}

async function loadFiles(
  ports: LoadImagePorts,
  name: ImageName,
  source: ImageSource,
  progress: ProgressSink,
  signal: AbortSignal,
) {
  const fingerprint = await sourceFingerprint(source, signal);
  const { intake, trustPolicy } = ports;
  const image = await loadImage(source, archiveContext({ ...intake, trustPolicy }, progress, signal));
  await recordImage(intake, image);
  await ports.repositories.set(name, image.id, true);
  return { imageId: image.id, sourceFingerprint: fingerprint };
}
