import type {
  CredentialsView,
  DistributionView,
  ImageHistoryView,
  LoginRequest,
  PullRequest,
  PushRequest,
  RegistryApi,
  RemovedView,
  RemoveImageRequest,
  SearchRequest,
  SearchView,
} from '../../api/images/registry-views.ts';
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import { type LayerStore, layerTar, layerTarSize } from '../../images/export/layer-tar.ts';
import type { PushedImage, PushProgress } from '../../images/registry/push.ts';
import type { Registry } from '../../images/registry/registries.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { familiarRepository, formatReference, type ImageReference, registryName } from '../../model/image-reference.ts';
import type { ImageSpec } from '../../model/kinds/image.ts';
import type { ProgressSink } from '../../model/progress.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import { imageReference, type PullPorts, pullAndName } from '../../reconcile/ops/images/image-pull.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { DigestNames } from '../../state/images/digest-names.ts';
import { parseImageName } from '../../state/images/image-names.ts';
import type { ImageRecord } from '../../state/images/image-record.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { findImage, type ImageLookup, storedImage } from './find-images.ts';
import { imageHistory } from './image-history.ts';
import { type RemoveImagePorts, removeImage } from './remove-image.ts';
import { streamed } from './streamed.ts';

export interface RegistryCommandsParts extends Declared, ImageLookup {
  readonly repositories: ImageLookup['repositories'] & Pick<RepositoryStore, 'get' | 'set'>;
  readonly digests: Pick<DigestNames, 'add'>;
  /** What names mean in manifests. */
  readonly resources: Pick<ResourceStore, 'images' | 'setImage'>;
  readonly imageWork: Pick<ImageWork, 'making' | 'pruning'>;
  readonly pulls: PullPorts;
  readonly removals: RemoveImagePorts;
  readonly layers: LayerStore;
  readonly registry: Registry;
  /** Has these looked at by the loop. */
  readonly enqueue: (keys: Iterable<ResourceKey>) => void;
}

const STAGE_TEXT = {
  exists: 'exists already',
  mounted: 'taken from another repository',
  sending: 'sending',
  sent: 'sent',
} as const satisfies Record<PushProgress['stage'], string>;

/** Registries, and the names of images. */
export class RegistryCommands implements RegistryApi {
  readonly #parts: RegistryCommandsParts;

  constructor(parts: RegistryCommandsParts) {
    this.#parts = parts;
  }

  /** Pulls an image. Declarations of this name mean the new image from now on. */
  pull({ reference: text, platform, credentials }: PullRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    const work = async (report: ProgressSink): Promise<string> => {
      const reference = imageReference(text);
      const asked = { platform, credentials, signal: signal ?? new AbortController().signal };
      const noted = notingDigest(report, reference.digest === null ? null : `sha256:${reference.digest}`);
      const { pulls, imageWork } = this.#parts;
      const id = await imageWork.making(() => pullAndName(pulls, reference, asked, noted.report));
      await this.#noteDigest(reference, noted.digest(), id);
      this.#rebind(reference, platform, id);
      return `pulled ${formatReference(reference)}, sha256:${id}`;
    };
    return streamed(text, work, signal);
  }

  push({ reference: text, credentials }: PushRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    const work = async (report: ProgressSink): Promise<string> => {
      const reference = imageReference(text);
      if (reference.digest !== null) throw new TsdError('TSD_BAD_REQUEST', 'cannot push a digest; name a tag');
      const record = this.#find(text, reference);
      const image = this.#pushed(record);
      const asked = { credentials, signal: signal ?? new AbortController().signal };
      const sent = ({ diffId, stage, from, bytes, total }: PushProgress): void => {
        const part = { step: 'upload', item: diffId, state: stage, from } as const;
        report(`layer ${diffId.slice(0, 12)} ${STAGE_TEXT[stage]}`, bytes, total, part);
      };
      const { digest, size } = await this.#parts.registry.push(image, reference, asked, sent);
      report(`manifest ${digest.slice('sha256:'.length).slice(0, 12)}`, size, size, {
        step: 'manifest',
        item: digest,
        size,
        layers: [],
      });
      await this.#noteDigest(reference, digest, record.id);
      return `pushed ${formatReference(reference)}, ${digest}`;
    };
    return streamed(text, work, signal);
  }

  checkLogin({ registry, credentials }: LoginRequest, signal?: AbortSignal): Promise<void> {
    return this.#parts.registry.checkLogin(registryName(registry), credentials, signal ?? new AbortController().signal);
  }

  tags(text: string, credentials: CredentialsView, signal?: AbortSignal): Promise<readonly string[]> {
    return this.#parts.registry.tags(imageReference(text), {
      credentials,
      signal: signal ?? new AbortController().signal,
    });
  }

  distribution(text: string, credentials: CredentialsView, signal?: AbortSignal): Promise<DistributionView> {
    const asked = { credentials, signal: signal ?? new AbortController().signal };
    return this.#parts.registry.describe(imageReference(text), asked);
  }

  search({ registry, term, credentials }: SearchRequest, signal?: AbortSignal): Promise<readonly SearchView[]> {
    const asked = { credentials, signal: signal ?? new AbortController().signal };
    return this.#parts.registry.search(registry === null ? null : registryName(registry), term, asked);
  }

  tag(image: string, name: string, force: boolean): Promise<void> {
    const work = async (): Promise<void> => {
      const { id } = findImage(this.#parts, image);
      await this.#parts.repositories.set(parseImageName(name), id, force);
    };
    // While images are removed, one of them could get a name and go all the same.
    return this.#parts.imageWork.making(work);
  }

  removeImage({ image, force }: RemoveImageRequest): Promise<readonly RemovedView[]> {
    return this.#parts.imageWork.pruning(() => removeImage(this.#parts.removals, image, force));
  }

  async imageHistory(image: string): Promise<readonly ImageHistoryView[]> {
    return imageHistory(findImage(this.#parts, image));
  }

  /** By the name as written, or by the one it has here: `docker.io/library/nginx` is kept as `nginx`. */
  #find(text: string, reference: ImageReference): ImageRecord {
    const { repositories } = this.#parts;
    const familiar = { repository: familiarRepository(reference), tag: reference.tag ?? 'latest' };
    return findImage(this.#parts, repositories.get(familiar) === null ? text : formatReference(reference));
  }

  #pushed(record: ImageRecord): PushedImage {
    const { configJson, layers } = storedImage(record, []);
    const store = this.#parts.layers;
    return {
      configJson,
      layers: layers.map((layer) => ({
        diffId: layer.diffId,
        size: () => layerTarSize(store, layer),
        tar: () => layerTar(store, layer),
      })),
    };
  }

  /** @param digest null where it was not reported: another pull of the same image had begun before */
  async #noteDigest(reference: ImageReference, digest: string | null, id: string): Promise<void> {
    const { digests, images } = this.#parts;
    if (digest === null) return;
    await digests.add(`${familiarRepository(reference)}@${digest}`, id, (known) => images.get(known) !== undefined);
  }

  #rebind(reference: ImageReference, platform: string | null, imageId: string): void {
    const { resources, desired } = this.#parts;
    const declared = desired().resources;
    const moved = resources.images().filter((binding) => {
      const source = (declared.get(binding.key)?.spec as ImageSpec | undefined)?.source;
      const same = source?.type === 'pull' && source.reference === formatReference(reference);
      return same && source.platform === platform && source.policy !== 'never' && binding.imageId !== imageId;
    });
    for (const binding of moved) resources.setImage({ ...binding, imageId });
    this.#parts.enqueue(moved.map(({ key }) => key));
  }
}

/** Passes reports on, and keeps the digest of the manifest that they are about. */
function notingDigest(report: ProgressSink, known: string | null) {
  let digest = known;
  const noting: ProgressSink = (message, current, total, part) => {
    if (part?.step === 'manifest') digest = part.item;
    report(message, current, total, part);
  };
  return { report: noting, digest: () => digest };
}
