/** Declared images of registries: which image they mean now. */
import type { Registry } from '../../../images/registry/registries.ts';
import { TsdError, toTsdError } from '../../../model/errors/errors.ts';
import {
  familiarRepository,
  formatReference,
  type ImageReference,
  parseImageReference,
} from '../../../model/image-reference.ts';
import type { ImageSource } from '../../../model/kinds/image.ts';
import type { ProgressSink } from '../../../model/progress.ts';
import { parseImageName } from '../../../state/images/image-names.ts';
import type { ImageRecord } from '../../../state/images/image-record.ts';
import type { RepositoryStore } from '../../../state/images/repositories.ts';
import { type IntakePorts, loadContext, recordImage } from './image-intake.ts';

export interface PullPorts {
  readonly registry: Pick<Registry, 'pull'>;
  readonly repositories: Pick<RepositoryStore, 'get' | 'set'>;
  readonly intake: IntakePorts;
}

export type PullSource = Extract<ImageSource, { type: 'pull' }>;

/** @throws TSD_BAD_REQUEST with what is wrong with the name. */
export function imageReference(text: string): ImageReference {
  const reference = parseImageReference(text);
  if (reference.ok) return reference.value;
  throw new TsdError('TSD_BAD_REQUEST', reference.message, { hint: 'Correct the name of the image.' });
}

/** The image that has this name on this host. Only registries know what a digest refers to. */
function localImage(
  { repositories, intake }: PullPorts,
  reference: ImageReference,
  platform: string | null,
): ImageRecord | null {
  const { tag, digest } = reference;
  const id =
    tag === null || digest !== null ? null : repositories.get({ repository: familiarRepository(reference), tag });
  const image = id === null ? undefined : intake.images.get(id);
  if (image === undefined) return null;
  const [os, architecture] = platform?.split('/') ?? [image.os, image.architecture];
  return image.os === os && image.architecture === architecture ? image : null;
}

/** What a registry answers about a name says what to do about that name. */
function advised(error: TsdError, reference: ImageReference): TsdError {
  const name = formatReference(reference);
  const repository = familiarRepository(reference);
  switch (error.code) {
    case 'TSD_REGISTRY_NOT_FOUND':
      return error.withHint(
        `Check the name: \`tsdocker tags ${repository}\` lists its tags. \`tsdocker pull ${name}\` tries it at once.`,
      );
    case 'TSD_REGISTRY_DENIED':
      return error.class === 'denied'
        ? error.withHint(`Check the name ${name}; a private image needs \`tsdocker login ${reference.registry}\`.`)
        : error;
    default:
      return error;
  }
}

/** Pulls an image and gives it its name. @returns its id. @throws TSD_REGISTRY*, TSD_IMAGE_INVALID, TSD_DISK_FULL. */
export async function pullAndName(
  { registry, repositories, intake }: PullPorts,
  reference: ImageReference,
  asked: Parameters<Registry['pull']>[1],
  progress: ProgressSink,
): Promise<string> {
  const image = await registry.pull(reference, asked, loadContext(intake, progress)).catch((thrown: unknown) => {
    throw advised(toTsdError(thrown), reference);
  });
  await recordImage(intake, image);
  for (const name of image.references) await repositories.set(parseImageName(name), image.id, true);
  return image.id;
}

/** Id of the image that a declaration means: the one of this host, or that of the registry, as its policy says. */
export async function resolvePull(
  ports: PullPorts,
  source: PullSource,
  progress: ProgressSink,
  signal: AbortSignal,
): Promise<string> {
  const reference = imageReference(source.reference);
  const local = source.policy === 'always' ? null : localImage(ports, reference, source.platform);
  if (local !== null) return local.id;
  if (source.policy === 'never') {
    throw new TsdError('TSD_IMAGE_MISSING', `image ${source.reference} is not on this host, and its policy is never`, {
      hint: `\`tsdocker pull ${source.reference}\` brings it here, or write another policy.`,
    });
  }
  return pullAndName(ports, reference, { platform: source.platform, credentials: null, signal }, progress);
}
