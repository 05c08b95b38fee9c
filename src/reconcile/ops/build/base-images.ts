/** Images that FROM names. */
import type { BaseImage } from '../../../images/build/host.ts';
import type { Credentials } from '../../../images/registry/auth-file.ts';
import type { Clock } from '../../../model/clock.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { familiarRepository, parseImageReference } from '../../../model/image-reference.ts';
import { own } from '../../../model/own.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import { parseKey, type ResourceKey, resourceKey } from '../../../model/resource.ts';
import type { ImageStore } from '../../../state/history/image-store.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { Declared } from '../declared.ts';
import type { ImageStores } from '../images/image-of.ts';
import { imageReference, type PullPorts, pullAndName } from '../images/image-pull.ts';

export interface BaseImagePorts extends Declared, PullPorts {
  readonly imageStores: ImageStores;
  readonly imagesOfPast: Pick<ImageStore, 'noteMoment'>;
  readonly clock: Clock;
}

/** Where a build takes its images from. */
export interface BaseRules {
  /** Declared image that is built: FROM may name the others of its app by their short names; null for none. */
  readonly own: ResourceKey | null;
  /** Images of registries are looked up there also where they are on this host. */
  readonly fresh: boolean;
  /** Logins by registry; of others, those of the supervisor. */
  readonly logins: Readonly<Record<string, Credentials>>;
}

interface NamedBase extends BaseRules {
  readonly name: string;
  readonly platform: string | null;
}

/** Of the same app, by its name or id on this host, or else from its registry. */
export async function baseImage(
  ports: BaseImagePorts,
  base: NamedBase,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<BaseImage> {
  const declared = declaredImage(ports, base.own, base.name);
  return describedBase(ports, declared ?? (await namedImage(ports, base, signal, progress)));
}

/** Another image that the same app declares. @throws TSD_IMAGE_MISSING while it is not here. */
function declaredImage(ports: BaseImagePorts, own: ResourceKey | null, name: string): ImageRecord | null {
  if (own === null || !/^[a-z0-9][a-z0-9-]*$/.test(name)) return null;
  const key = resourceKey('image', parseKey(own).app, name);
  if (key === own || !ports.desired().resources.has(key)) return null;
  const bound = ports.imageStores.resources.images().find((binding) => binding.key === key);
  const image = bound === undefined ? undefined : ports.imageStores.images.get(bound.imageId);
  if (image !== undefined) return image;
  throw new TsdError('TSD_IMAGE_MISSING', `image ${name} of this app is not made yet`, {
    class: 'unavailable',
    hint: 'It is tried again by itself.',
  });
}

/** By its name or id on this host, else from its registry. */
async function namedImage(
  ports: BaseImagePorts,
  { name, platform, fresh, logins }: NamedBase,
  signal: AbortSignal,
  progress: ProgressSink,
): Promise<ImageRecord> {
  const local = localImage(ports, name);
  const [os, architecture] = platform?.split('/') ?? [local?.os, local?.architecture];
  const fits = local !== undefined && local.os === os && local.architecture === architecture;
  // What only this host has under an id is in no registry.
  if (fits && !(fresh && isOfRegistry(local, name))) return local;
  const reference = imageReference(name);
  const credentials = own(logins, reference.registry) ?? null;
  const id = await pullAndName(ports, reference, { platform, credentials, signal }, progress);
  const pulled = ports.imageStores.images.get(id);
  if (pulled === undefined) throw new TsdError('TSD_IMAGE_MISSING', `image ${name} was removed meanwhile`);
  return pulled;
}

const isOfRegistry = ({ id }: ImageRecord, name: string): boolean =>
  parseImageReference(name).ok && !id.startsWith(name.replace(/^sha256:/, ''));

function localImage({ imageStores, repositories }: BaseImagePorts, name: string): ImageRecord | undefined {
  const reference = parseImageReference(name);
  const familiar =
    reference.ok && reference.value.tag !== null && reference.value.digest === null
      ? repositories.get({ repository: familiarRepository(reference.value), tag: reference.value.tag })
      : null;
  if (familiar !== null) return imageStores.images.get(familiar);
  try {
    const { images } = imageStores;
    return images.get(imageStores.repositories.lookup(name, (prefix) => images.lookup(prefix).id));
  } catch (error) {
    if (error instanceof TsdError && error.class === 'not-found') return undefined;
    throw error;
  }
}

function describedBase(ports: BaseImagePorts, image: ImageRecord): BaseImage {
  const { Tsdocker: stored } = image;
  if (!stored) {
    throw new TsdError('TSD_IMAGE_MISSING', `image ${image.id.slice(0, 12)} was made by Docker 1.4`, {
      class: 'unsupported',
      hint: 'Save it with that Docker and load the archive here.',
    });
  }
  // No container needs it, but a build used it recently.
  ports.imagesOfPast.noteMoment(image.id, ports.clock.now().wallMs);
  const layers = (stored.Layers ?? []).map(({ ChainId, DiffId }) => ({ chainId: ChainId, diffId: DiffId }));
  return { id: image.id, configJson: stored.ConfigJson, layers };
}
