import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import type { LoadContext, LoadedImage } from '../image.ts';
import { parseImageConfig, parseJson, sha256Hex } from '../image-config.ts';
import { loadLayers } from '../layers.ts';
import { expectDigest } from '../unpack/unpack.ts';
import type { ImageFiles } from './image-files.ts';

export const DOCKER_MANIFEST = 'manifest.json';

const manifestSchema = z
  .array(
    z.object({ Config: z.string(), RepoTags: z.array(z.string()).nullish(), Layers: z.array(z.string()).nullish() }),
  )
  .min(1);
type Manifest = z.infer<typeof manifestSchema>[number];

/** A file named after its digest, as docker save writes it: `<hex>.json`, `blobs/sha256/<hex>`. */
const DIGEST_NAME = /(?:^|\/)([0-9a-f]{64})(?:\.json)?$/;

/** Loads an image of a `docker save` archive. @throws TSD_IMAGE_INVALID. */
export async function loadDockerArchive(
  files: ImageFiles,
  ref: string | undefined,
  context: LoadContext,
): Promise<LoadedImage> {
  return loadManifest(files, pickManifest(readManifests(files), ref), context);
}

/** Loads every image of a `docker save` archive. @throws TSD_IMAGE_INVALID. */
export async function* loadDockerImages(files: ImageFiles, context: LoadContext): AsyncGenerator<LoadedImage> {
  for (const manifest of readManifests(files)) yield await loadManifest(files, manifest, context);
}

function readManifests(files: ImageFiles): Manifest[] {
  return parseJson(manifestSchema, files.readText(DOCKER_MANIFEST), DOCKER_MANIFEST);
}

function loadManifest(files: ImageFiles, manifest: Manifest, context: LoadContext): Promise<LoadedImage> {
  const configJson = files.readText(manifest.Config);
  const named = DIGEST_NAME.exec(manifest.Config)?.[1];
  if (named !== undefined) expectDigest('image configuration', sha256Hex(configJson), named);
  const { diffIds } = parseImageConfig(configJson);
  const paths = manifest.Layers ?? [];
  if (paths.length !== diffIds.length) {
    const message = `${DOCKER_MANIFEST} lists ${paths.length} layers, the configuration ${diffIds.length}`;
    throw new TsdError('TSD_IMAGE_INVALID', message, { step: 'read image' });
  }
  // A compressed layer is stored under the digest of its uncompressed form, so its name says nothing to check.
  const blobs = paths.map((path) => ({ open: () => files.open(path), digest: null, size: files.size(path) }));
  return loadLayers(configJson, manifest.RepoTags ?? [], blobs, context);
}

function pickManifest(manifests: readonly Manifest[], ref: string | undefined): Manifest {
  const names = manifests.flatMap(({ RepoTags }) => RepoTags ?? []);
  const matching = ref === undefined ? manifests : manifests.filter((manifest) => isNamed(manifest, ref));
  const only = matching[0];
  if (only !== undefined && matching.length === 1) return only;
  throw ambiguousImage(ref, matching.length, names);
}

function isNamed({ Config, RepoTags }: Manifest, ref: string): boolean {
  const tagged = (RepoTags ?? []).some((name) => name === ref || name === `${ref}:latest`);
  return tagged || (ref.startsWith('sha256:') && DIGEST_NAME.exec(Config)?.[1] === ref.slice('sha256:'.length));
}

/** The error for a reference that does not pick exactly one image. */
export function ambiguousImage(ref: string | undefined, count: number, names: readonly string[]): TsdError {
  const has = names.length === 0 ? 'none of its images has a name' : `it has ${names.join(', ')}`;
  const what =
    ref === undefined ? 'an image must be chosen' : count === 0 ? `no image ${ref}` : `several images ${ref}`;
  return new TsdError('TSD_IMAGE_INVALID', `${what}: ${has}`, {
    step: 'choose image',
    hint: 'Name one of its images with `ref`.',
  });
}
