/** Image manifests as registries serve them: Docker schema 2 and OCI, alone or in an index. */
import { z } from 'zod';
import { TsdError } from '../../model/errors/errors.ts';
import type { ImageReference } from '../../model/image-reference.ts';
import { goArchitecture } from '../../model/platform.ts';
import { digestSchema, parseJson, sha256Hex } from '../image-config.ts';
import { lying } from './answers.ts';
import type { RegistryClient } from './client.ts';

export const OCI_MANIFEST = 'application/vnd.oci.image.manifest.v1+json';
export const OCI_CONFIG = 'application/vnd.oci.image.config.v1+json';
export const OCI_LAYER = 'application/vnd.oci.image.layer.v1.tar';
const DOCKER_MANIFEST = 'application/vnd.docker.distribution.manifest.v2+json';
const INDEXES = [
  'application/vnd.oci.image.index.v1+json',
  'application/vnd.docker.distribution.manifest.list.v2+json',
];
const SCHEMA_1 = /^application\/vnd\.docker\.distribution\.manifest\.v1\+/;
const ACCEPT = [OCI_MANIFEST, DOCKER_MANIFEST, ...INDEXES].join(', ');

/** The size up to which the distribution specification wants manifests to be taken; configurations get as much. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;
const MAX_NESTING = 4;
/** More than the 127 that Docker allows, few enough to hold. */
const MAX_LAYERS = 1_000;

const descriptorSchema = z.object({
  mediaType: z.string().nullish(),
  digest: digestSchema,
  size: z.number().int().nonnegative(),
  urls: z.array(z.string()).nullish(),
  platform: z.object({ os: z.string(), architecture: z.string(), variant: z.string().nullish() }).nullish(),
});
export type Descriptor = z.infer<typeof descriptorSchema>;

const indexSchema = z.object({ manifests: z.array(descriptorSchema).max(MAX_LAYERS) });
const manifestSchema = z.object({
  config: descriptorSchema,
  layers: z.array(descriptorSchema).max(MAX_LAYERS, `more than ${MAX_LAYERS} layers`),
});

export interface Platform {
  readonly os: string;
  readonly architecture: string;
  readonly variant: string | null;
}

/** `linux/arm64`, `linux/arm/v7`. @throws TSD_BAD_REQUEST. */
export function parsePlatform(text: string): Platform {
  const match = /^([a-z0-9_]+)\/([a-z0-9_]+)(?:\/([a-z0-9_]+))?$/.exec(text);
  if (match === null)
    throw new TsdError('TSD_BAD_REQUEST', `${JSON.stringify(text)} is no platform; write for example linux/arm64`);
  const [, os = '', architecture = '', variant] = match;
  return { os, architecture, variant: variant ?? null };
}

export const hostPlatform = (): Platform => ({
  os: 'linux',
  architecture: goArchitecture(process.arch),
  variant: null,
});

export const describePlatform = ({
  os,
  architecture,
  variant,
}: z.infer<typeof descriptorSchema>['platform'] & object): string =>
  `${os}/${architecture}${variant ? `/${variant}` : ''}`;

export interface RemoteImage {
  /** Digest of what the reference means: of the index, where there is one. Hex. */
  readonly digest: string;
  /** Bytes of that. */
  readonly size: number;
  readonly config: Descriptor;
  readonly configJson: string;
  /** Bottom first. */
  readonly layers: readonly Descriptor[];
}

interface Document {
  readonly digest: string;
  readonly mediaType: string;
  readonly json: string;
}

/** The OCI type of a layer of either kind; the compression is the end of its name. */
export function layerType(mediaType: string | null | undefined): string {
  if (mediaType?.endsWith('zstd')) return `${OCI_LAYER}+zstd`;
  return mediaType?.endsWith('gzip') ? `${OCI_LAYER}+gzip` : OCI_LAYER;
}

export const pullScope = (repository: string): string => `repository:${repository}:pull`;

/** Finds the image that a reference means for a platform. Everything read is verified. @throws TSD_REGISTRY*, TSD_IMAGE_INVALID. */
export async function fetchImage(
  client: RegistryClient,
  reference: ImageReference,
  platform: Platform,
): Promise<RemoteImage> {
  const { repository, tag, digest } = reference;
  const top = await fetchManifest(client, repository, digest === null ? (tag ?? 'latest') : `sha256:${digest}`, null);
  let found = top;
  for (let depth = 0; INDEXES.includes(found.mediaType); depth++) {
    if (depth === MAX_NESTING) throw lying(`indexes are nested more than ${MAX_NESTING} deep`);
    const { manifests } = parseJson(indexSchema, found.json, 'image index');
    const chosen = choosePlatform(manifests, platform);
    found = await fetchManifest(client, repository, `sha256:${chosen.digest}`, chosen.size);
  }
  const { config, layers } = parseJson(manifestSchema, found.json, 'image manifest');
  const foreign = layers.find(({ urls }) => urls && urls.length > 0);
  if (foreign !== undefined) {
    throw new TsdError(
      'TSD_IMAGE_INVALID',
      'a layer of the image is kept outside of the registry, as Windows images do',
      {
        step: 'read manifest',
      },
    );
  }
  const what = `configuration of ${repository}`;
  const configJson = (await fetchBlob(client, repository, config, MAX_DOCUMENT_BYTES, what)).toString('utf8');
  return { digest: top.digest, size: Buffer.byteLength(top.json), config, configJson, layers };
}

/** What a registry has under a name, without its content. */
export interface DescribedImage {
  readonly mediaType: string;
  /** `sha256:…` */
  readonly digest: string;
  readonly size: number;
  readonly platforms: readonly Platform[];
}

const platformSchema = z.object({ os: z.string(), architecture: z.string(), variant: z.string().nullish() });

/** Everything read is verified. @throws TSD_REGISTRY*, TSD_IMAGE_INVALID. */
export async function describeImage(client: RegistryClient, reference: ImageReference): Promise<DescribedImage> {
  const { repository, tag, digest } = reference;
  const top = await fetchManifest(client, repository, digest === null ? (tag ?? 'latest') : `sha256:${digest}`, null);
  const said = { mediaType: top.mediaType, digest: `sha256:${top.digest}`, size: Buffer.byteLength(top.json) };
  if (INDEXES.includes(top.mediaType)) {
    const { manifests } = parseJson(indexSchema, top.json, 'image index');
    return { ...said, platforms: manifests.flatMap(({ platform }) => (platform ? [platformOf(platform)] : [])) };
  }
  const { config } = parseJson(manifestSchema, top.json, 'image manifest');
  const what = `configuration of ${repository}`;
  const json = (await fetchBlob(client, repository, config, MAX_DOCUMENT_BYTES, what)).toString('utf8');
  return { ...said, platforms: [platformOf(parseJson(platformSchema, json, what))] };
}

const platformOf = ({ os, architecture, variant }: z.infer<typeof platformSchema>): Platform => ({
  os,
  architecture,
  variant: variant ?? null,
});

/** A manifest or index, verified. @param size what its descriptor says, where there is one. */
export async function fetchManifest(
  client: RegistryClient,
  repository: string,
  reference: string,
  size: number | null,
): Promise<Document> {
  const what = `manifest ${repository}:${reference}`;
  const { bytes, headers } = await client.read(MAX_DOCUMENT_BYTES, {
    method: 'GET',
    path: `/v2/${repository}/manifests/${reference}`,
    headers: { accept: ACCEPT },
    scope: pullScope(repository),
    what,
  });
  const digest = sha256Hex(bytes);
  const claimed = reference.startsWith('sha256:')
    ? reference
    : String(headers['docker-content-digest'] ?? `sha256:${digest}`);
  if (claimed !== `sha256:${digest}`) throw lying(`${what} has digest sha256:${digest}, not ${claimed}`);
  if (size !== null && size !== bytes.length) throw lying(`${what} has ${bytes.length} bytes, not ${size}`);
  const json = bytes.toString('utf8');
  return { digest, json, mediaType: mediaTypeOf(json, String(headers['content-type'] ?? ''), what) };
}

const typedSchema = z.object({
  schemaVersion: z.number().nullish(),
  mediaType: z.string().nullish(),
  manifests: z.unknown().optional(),
});

/** The document's own word, else the header's: what was verified by a digest goes first. */
function mediaTypeOf(json: string, header: string, what: string): string {
  const { schemaVersion, mediaType, manifests } = parseJson(typedSchema, json, what);
  const type = mediaType ?? header.split(';', 1)[0]?.trim() ?? '';
  if (schemaVersion === 1 || SCHEMA_1.test(type)) {
    throw new TsdError(
      'TSD_IMAGE_INVALID',
      `${what} is of the old form "schema 1", which no registry should serve any more`,
      {
        step: 'read manifest',
        hint: 'Push the image again with a current tool.',
      },
    );
  }
  return mediaType === null || mediaType === undefined
    ? manifests === undefined
      ? OCI_MANIFEST
      : (INDEXES[0] ?? '')
    : type;
}

function choosePlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor {
  const fitting = manifests.filter(
    ({ platform }) => platform?.os === wanted.os && platform.architecture === wanted.architecture,
  );
  const exact = fitting.find(({ platform }) => wanted.variant !== null && platform?.variant === wanted.variant);
  const chosen = wanted.variant === null ? fitting[0] : exact;
  if (chosen !== undefined) return chosen;
  const has = manifests.flatMap(({ platform }) => (platform ? [describePlatform(platform)] : []));
  throw new TsdError(
    'TSD_IMAGE_INVALID',
    `the image is for ${[...new Set(has)].join(', ') || 'no platform'}, not for ${describePlatform(wanted)}`,
    { step: 'choose platform', hint: 'Ask the publisher for an image of this architecture.' },
  );
}

/** A small blob as a whole, verified. */
export async function fetchBlob(
  client: RegistryClient,
  repository: string,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  max: number,
  what: string,
): Promise<Buffer> {
  if (size > max) throw lying(`${what} is said to have ${size} bytes`);
  const { bytes } = await client.read(max, {
    method: 'GET',
    path: `/v2/${repository}/blobs/sha256:${digest}`,
    scope: pullScope(repository),
    what,
  });
  if (bytes.length !== size) throw lying(`${what} has ${bytes.length} bytes, not ${size}`);
  if (sha256Hex(bytes) !== digest) throw lying(`${what} has digest sha256:${sha256Hex(bytes)}, not sha256:${digest}`);
  return bytes;
}
