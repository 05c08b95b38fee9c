import { createReadStream } from 'node:fs';
import type PQueue from 'p-queue';
import { TsdError } from '../../model/errors/errors.ts';
import { formatReference, type ImageReference } from '../../model/image-reference.ts';
import type { LoadContext, LoadedImage } from '../image.ts';
import { parseImageConfig } from '../image-config.ts';
import { chainIds, type LayerBlob, loadLayers } from '../layers.ts';
import type { TrustDecision } from '../trust/policy.ts';
import { requireSignature } from '../trust/signatures.ts';
import { askTrust, type TrustJobs } from '../trust/signed-manifest.ts';
import { downloadBlob } from './blob-download.ts';
import type { BlobFiles } from './blob-files.ts';
import type { BlobRecords } from './blob-records.ts';
import type { RegistryClient } from './client.ts';
import { type Descriptor, fetchImage, layerType, type Platform, type RemoteImage } from './manifest.ts';

export interface PullParts {
  readonly client: RegistryClient;
  readonly blobs: BlobFiles;
  readonly records: BlobRecords;
  /** Bounds the downloads that run at the same time. */
  readonly queue: PQueue;
  readonly retryDelayMs: number;
  /** The policy's word on the image, which is not rejection. */
  readonly trust: TrustDecision;
  /** Null: only the policy is asked. */
  readonly trustJobs: TrustJobs | null;
}

/** Brings an image into the graph. Layers that are there are not downloaded; the others are unpacked as they arrive. */
export async function pullImage(
  parts: PullParts,
  reference: ImageReference,
  platform: Platform,
  context: LoadContext,
): Promise<LoadedImage> {
  const image = await fetchImage(parts.client, reference, platform);
  const { trust, trustJobs, client } = parts;
  const { rule } = trust;
  if (rule.type === 'signed-by') await requireSignature(client, reference, image.digest, { ...trust, rule });
  // A mirror serves names of another registry, which no statement is about (graph/pull.go).
  if (trustJobs !== null && !client.endpoint.mirror) {
    const layers = image.layers.map(({ digest }) => digest);
    await askTrust(trustJobs, client, reference, layers, (what) => context.progress({ type: 'reading', what }));
  }
  const { diffIds, os, architecture } = parseImageConfig(image.configJson);
  if (diffIds.length !== image.layers.length) {
    const message = `the manifest lists ${image.layers.length} layers, the configuration ${diffIds.length}`;
    throw new TsdError('TSD_IMAGE_INVALID', message, { step: 'read image' });
  }
  if (os !== platform.os || architecture !== platform.architecture) {
    const message = `the image is for ${os}/${architecture}, not for ${platform.os}/${platform.architecture}`;
    throw new TsdError('TSD_IMAGE_INVALID', message, { step: 'choose platform' });
  }
  const chain = chainIds(diffIds);
  context.progress({
    type: 'manifest',
    digest: image.digest,
    size: image.size,
    layers: image.layers.map(({ digest }, index) => ({ digest, chainId: chain[index] ?? '' })),
  });
  const names = reference.tag === null ? [] : [formatReference({ ...reference, digest: null })];
  const loaded = await fetchLayers(parts, reference.repository, image, chain, names, context);
  for (const [index, { digest, size, mediaType }] of image.layers.entries()) {
    const { registry, repository } = reference;
    await parts.records.add(diffIds[index] ?? '', {
      digest,
      size,
      mediaType: layerType(mediaType),
      registry,
      repository,
    });
  }
  return loaded;
}

async function fetchLayers(
  { client, blobs, queue, retryDelayMs }: PullParts,
  repository: string,
  { layers, configJson }: RemoteImage,
  chain: readonly string[],
  names: readonly string[],
  context: LoadContext,
): Promise<LoadedImage> {
  const downloads = new Map<string, Promise<string>>();
  const start = (blob: Descriptor): Promise<string> => {
    const progress = (bytes: number) =>
      context.progress({ type: 'download', digest: blob.digest, bytes, total: blob.size });
    const options = { directory: blobs.directory, retryDelayMs, progress };
    const known = downloads.get(blob.digest);
    if (known !== undefined) return known;
    const download = queue.add(() => blobs.fetch(blob.digest, () => downloadBlob(client, repository, blob, options)), {
      signal: client.signal,
    });
    blobs.hold(blob.digest);
    // A failure is looked at where the layer is unpacked.
    download.catch(() => {});
    downloads.set(blob.digest, download);
    return download;
  };
  for (const [index, blob] of layers.entries()) if (!context.graph.exists(chain[index] ?? '')) void start(blob);
  // The bytes were verified as they arrived; their content is verified by the DiffID.
  const sources = layers.map(
    (blob): LayerBlob => ({
      ready: () => start(blob),
      open: async () => createReadStream(await start(blob)),
      digest: null,
      size: blob.size,
    }),
  );
  let used = false;
  try {
    const loaded = await loadLayers(configJson, names, sources, context);
    used = true;
    return loaded;
  } finally {
    if (!used) client.abort();
    for (const [digest, download] of downloads) {
      await download.catch(() => {});
      await blobs.release(digest, used);
    }
    if (used) for (const { digest } of layers) await blobs.drop(digest);
  }
}
