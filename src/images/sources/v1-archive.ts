import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import type { LoadContext, LoadedImage } from '../image.ts';
import { parseJson } from '../image-config.ts';
import { type LayerBlob, loadLayers } from '../layers.ts';
import { measured } from '../tree/tree-tar.ts';
import { decompressed } from '../unpack/decompress.ts';
import { ambiguousImage } from './docker-archive.ts';
import type { ImageFiles } from './image-files.ts';

/** Names the images of an archive that Docker before 1.10 wrote: repository → tag → id. */
export const V1_REPOSITORIES = 'repositories';

/** Docker's own limit on the layers of an image (graph.go). */
const MAX_LAYERS = 127;
/** sha256 of a tar without entries: an image that only changes the configuration. */
const EMPTY_TAR = '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef';

const repositoriesSchema = z.record(z.string(), z.record(z.string(), z.string().regex(/^[0-9a-f]{64}$/)));
const v1Schema = z.object({
  parent: z.string().nullish(),
  created: z.string().nullish(),
  author: z.string().nullish(),
  architecture: z.string().nullish(),
  os: z.string().nullish(),
  config: z.record(z.string(), z.unknown()).nullish(),
});
type V1Image = z.infer<typeof v1Schema>;

/** Loads the image that `ref` (`repository:tag`) names, or the only one. @throws TSD_IMAGE_INVALID. */
export async function loadV1Archive(
  files: ImageFiles,
  ref: string | undefined,
  context: LoadContext,
): Promise<LoadedImage> {
  const images = [...namedImages(files)];
  const wanted = ref === undefined ? images : images.filter(([, names]) => names.some((name) => isNamed(name, ref)));
  const [only] = wanted;
  if (only !== undefined && wanted.length === 1) return loadV1Image(files, only, context);
  throw ambiguousImage(
    ref,
    wanted.length,
    images.flatMap(([, names]) => names),
  );
}

/** Loads every image that has a name. */
export async function* loadV1Images(files: ImageFiles, context: LoadContext): AsyncGenerator<LoadedImage> {
  for (const named of namedImages(files)) yield await loadV1Image(files, named, context);
}

const isNamed = (name: string, ref: string): boolean => name === ref || name === `${ref}:latest`;

function namedImages(files: ImageFiles): Map<string, string[]> {
  const names = new Map<string, string[]>();
  const repositories = parseJson(repositoriesSchema, files.readText(V1_REPOSITORIES), V1_REPOSITORIES);
  for (const [repository, tags] of Object.entries(repositories)) {
    for (const [tag, id] of Object.entries(tags)) names.set(id, [...(names.get(id) ?? []), `${repository}:${tag}`]);
  }
  return names;
}

async function loadV1Image(
  files: ImageFiles,
  [id, names]: readonly [string, string[]],
  context: LoadContext,
): Promise<LoadedImage> {
  const diffIds: string[] = [];
  const blobs: LayerBlob[] = [];
  for (const layer of chainOf(files, id)) {
    const open = () => files.open(`${layer}/layer.tar`);
    const { sha256: diffId } = await measured(decompressed(open(), () => {}));
    if (diffId === EMPTY_TAR) continue;
    diffIds.push(diffId);
    blobs.push({ open, digest: null, size: files.size(`${layer}/layer.tar`) });
  }
  return loadLayers(modernConfig(readV1(files, id), diffIds), names, blobs, context);
}

/** Ids of an image and those below it, bottom first. */
function chainOf(files: ImageFiles, top: string): string[] {
  const chain: string[] = [];
  for (let id: string | null | undefined = top; id; id = readV1(files, id).parent) {
    if (chain.length >= MAX_LAYERS || !/^[0-9a-f]{64}$/.test(id)) {
      throw new TsdError('TSD_IMAGE_INVALID', `image ${top} has more than ${MAX_LAYERS} layers or one without an id`, {
        step: 'read image',
      });
    }
    chain.push(id);
  }
  return chain.reverse();
}

function readV1(files: ImageFiles, id: string): V1Image {
  return parseJson(v1Schema, files.readText(`${id}/json`), `${id}/json`);
}

/** The configuration that describes the same image today. The same archive always gives the same text. */
function modernConfig({ architecture, os, created, author, config }: V1Image, diffIds: readonly string[]): string {
  return JSON.stringify({
    architecture: architecture || 'amd64',
    os: os || 'linux',
    ...(created && { created }),
    ...(author && { author }),
    config: config ?? {},
    rootfs: { type: 'layers', diff_ids: diffIds.map((diffId) => `sha256:${diffId}`) },
  });
}
