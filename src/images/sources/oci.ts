import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import { goArchitecture } from '../../model/platform.ts';
import type { LoadContext, LoadedImage } from '../image.ts';
import { digestSchema, parseImageConfig, parseJson, sha256Hex } from '../image-config.ts';
import { type LayerBlob, loadLayers } from '../layers.ts';
import { expectDigest } from '../unpack/unpack.ts';
import { ambiguousImage } from './docker-archive.ts';
import type { ImageFiles } from './image-files.ts';

export const OCI_INDEX = 'index.json';
const OCI_LAYOUT = 'oci-layout';

/** Annotations that carry names: the OCI image-spec's, and what containerd and docker save write beside it. */
const NAME_ANNOTATIONS = ['io.containerd.image.name', 'org.opencontainers.image.ref.name'];
const INDEX_TYPES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const MAX_NESTING = 4;

const descriptorSchema = z.object({
  mediaType: z.string().nullish(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  annotations: z.record(z.string(), z.string()).nullish(),
  platform: z.object({ os: z.string(), architecture: z.string() }).nullish(),
});
type Descriptor = z.infer<typeof descriptorSchema>;

const layoutSchema = z.object({ imageLayoutVersion: z.literal('1.0.0') });
const indexSchema = z.object({ manifests: z.array(descriptorSchema) });
const manifestSchema = z.object({ config: descriptorSchema, layers: z.array(descriptorSchema) });

/** Loads an image of an OCI layout (a directory or an archive of one). Every blob is verified. @throws TSD_IMAGE_INVALID. */
export async function loadOci(files: ImageFiles, ref: string | undefined, context: LoadContext): Promise<LoadedImage> {
  const manifests = readIndex(files);
  return loadChosen(files, { chosen: pickByName(manifests, ref), ref, manifests }, context);
}

/** Loads every image of an OCI layout that is for this machine: those of one digest as one image with several names. */
export async function* loadOciImages(files: ImageFiles, context: LoadContext): AsyncGenerator<LoadedImage> {
  const manifests = readIndex(files);
  const fitting = manifests.filter(
    ({ platform }) => !platform || (platform.os === 'linux' && platform.architecture === goArchitecture(process.arch)),
  );
  for (const digest of new Set((fitting.length === 0 ? manifests : fitting).map((manifest) => manifest.digest))) {
    const chosen = manifests.filter((manifest) => manifest.digest === digest);
    yield await loadChosen(files, { chosen, ref: `sha256:${digest}`, manifests }, context);
  }
}

function readIndex(files: ImageFiles): readonly Descriptor[] {
  parseJson(layoutSchema, files.readText(OCI_LAYOUT), OCI_LAYOUT);
  return parseJson(indexSchema, files.readText(OCI_INDEX), OCI_INDEX).manifests;
}

interface Choice {
  readonly chosen: readonly Descriptor[];
  readonly ref: string | undefined;
  readonly manifests: readonly Descriptor[];
}

function loadChosen(files: ImageFiles, { chosen, ref, manifests }: Choice, context: LoadContext): Promise<LoadedImage> {
  const manifestBlob = pickByPlatform(files, oneOfEach(chosen), ref, manifests.flatMap(namesOf), 0);
  const { config, layers } = parseJson(manifestSchema, readBlob(files, manifestBlob), 'image manifest');
  const configJson = readBlob(files, config);
  const { diffIds } = parseImageConfig(configJson);
  if (layers.length !== diffIds.length) {
    const message = `the manifest lists ${layers.length} layers, the configuration ${diffIds.length}`;
    throw new TsdError('TSD_IMAGE_INVALID', message, { step: 'read image' });
  }
  const blobs = layers.map(
    ({ digest, size }): LayerBlob => ({ open: () => files.open(blobPath(digest)), digest, size }),
  );
  return loadLayers(configJson, chosen.flatMap(namesOf), blobs, context);
}

/** An image under several names is listed once for each. */
function oneOfEach(descriptors: readonly Descriptor[]): readonly Descriptor[] {
  return [...new Map(descriptors.map((descriptor) => [descriptor.digest, descriptor])).values()];
}

const blobPath = (digest: string): string => `blobs/sha256/${digest}`;

const namesOf = ({ annotations }: Descriptor): string[] =>
  NAME_ANNOTATIONS.flatMap((key) => annotations?.[key] ?? []).slice(0, 1);

function readBlob(files: ImageFiles, { digest, size }: Descriptor): string {
  const text = files.readText(blobPath(digest));
  expectDigest(`blob ${digest.slice(0, 12)}`, sha256Hex(text), digest);
  if (Buffer.byteLength(text) === size) return text;
  throw new TsdError('TSD_IMAGE_INVALID', `blob ${digest} has not ${size} bytes as its descriptor says`, {
    step: 'verify digest',
  });
}

function pickByName(manifests: readonly Descriptor[], ref: string | undefined): readonly Descriptor[] {
  if (ref === undefined) return manifests;
  return manifests.filter(({ digest, annotations }) => {
    const names = NAME_ANNOTATIONS.map((key) => annotations?.[key]);
    return `sha256:${digest}` === ref || names.includes(ref) || names.includes(`${ref}:latest`);
  });
}

/** The one manifest for this machine; an index among the descriptors is replaced by its entries. */
function pickByPlatform(
  files: ImageFiles,
  descriptors: readonly Descriptor[],
  ref: string | undefined,
  names: readonly string[],
  depth: number,
): Descriptor {
  const fitting = descriptors.filter(
    ({ platform }) => !platform || (platform.os === 'linux' && platform.architecture === goArchitecture(process.arch)),
  );
  if (descriptors.length > 0 && fitting.length === 0) {
    const has = descriptors.map(({ platform }) => `${platform?.os}/${platform?.architecture}`).join(', ');
    throw new TsdError('TSD_IMAGE_INVALID', `the image is for ${has}, not for linux/${goArchitecture(process.arch)}`, {
      step: 'choose image',
    });
  }
  const only = fitting[0];
  if (only === undefined || fitting.length !== 1) throw ambiguousImage(ref, fitting.length, names);
  if (!INDEX_TYPES.includes(only.mediaType ?? '')) return only;
  if (depth >= MAX_NESTING) {
    throw new TsdError('TSD_IMAGE_INVALID', `indexes are nested more than ${MAX_NESTING} deep`, {
      step: 'choose image',
    });
  }
  const { manifests } = parseJson(indexSchema, readBlob(files, only), 'image index');
  return pickByPlatform(files, manifests, ref, names, depth + 1);
}
