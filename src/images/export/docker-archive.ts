import { type LayerStore, layerTar, layerTarSize, type StoredLayer } from './layer-tar.ts';
import type { StoredImage } from './stored-image.ts';
import { directory, END, streamedFile, textFile } from './tar-output.ts';

/** Every image directory of the v1 form holds it. */
const V1_VERSION = '1.0';
const EPOCH = '1970-01-01T00:00:00Z';

/**
 * A docker-archive of some images, streamed: `manifest.json` for Docker from 1.10 on and everything newer, and for older
 * ones `repositories` with a directory for each layer, in which an image is an empty layer on top of its last one.
 * Layers that images share are stored once.
 * @throws TSD_IMAGE_INVALID when a layer's tar cannot be put together again.
 */
export async function* dockerArchive(store: LayerStore, images: readonly StoredImage[]): AsyncGenerator<Buffer> {
  const written = new Set<string>();
  for (const image of images) {
    for (const [index, layer] of image.layers.entries()) {
      if (written.has(layer.chainId)) continue;
      written.add(layer.chainId);
      yield* layerDirectory(store, layer, image.layers[index - 1] ?? null);
    }
    if (written.has(image.id)) continue;
    written.add(image.id);
    yield* imageDirectory(image);
    yield* textFile(`${image.id}.json`, image.configJson);
  }
  yield* textFile('manifest.json', JSON.stringify(images.map(manifestOf)));
  yield* textFile('repositories', JSON.stringify(repositoriesOf(images)));
  yield END;
}

const manifestOf = ({ id, names, layers }: StoredImage): object => ({
  Config: `${id}.json`,
  RepoTags: names.length === 0 ? null : names,
  Layers: layers.map(({ chainId }) => `${chainId}/layer.tar`),
});

function repositoriesOf(images: readonly StoredImage[]): Record<string, Record<string, string>> {
  const repositories = new Map<string, Record<string, string>>();
  for (const { id, names } of images) {
    for (const name of names) {
      const colon = name.lastIndexOf(':');
      const tags = repositories.get(name.slice(0, colon)) ?? {};
      repositories.set(name.slice(0, colon), { ...tags, [name.slice(colon + 1)]: id });
    }
  }
  return Object.fromEntries(repositories);
}

async function* layerDirectory(
  store: LayerStore,
  layer: StoredLayer,
  below: StoredLayer | null,
): AsyncGenerator<Buffer> {
  const { chainId } = layer;
  const json = { id: chainId, ...(below !== null && { parent: below.chainId }), created: EPOCH, os: 'linux' };
  yield* v1Start(chainId, json);
  yield* streamedFile(`${chainId}/layer.tar`, await layerTarSize(store, layer), layerTar(store, layer));
}

function* imageDirectory({ id, configJson, layers }: StoredImage): Generator<Buffer> {
  const parent = layers.at(-1)?.chainId;
  const { created, architecture, os, config } = JSON.parse(configJson) as Record<string, unknown>;
  yield* v1Start(id, {
    id,
    ...(parent !== undefined && { parent }),
    created: created ?? EPOCH,
    config,
    architecture,
    os,
  });
  yield* textFile(`${id}/layer.tar`, END);
}

function* v1Start(id: string, json: object): Generator<Buffer> {
  yield directory(id);
  yield* textFile(`${id}/VERSION`, V1_VERSION);
  yield* textFile(`${id}/json`, JSON.stringify(json));
}
