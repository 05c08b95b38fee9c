import { createReadStream, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import type {
  ChangeView,
  CommitRequest,
  DiskUsageView,
  ImageFilesApi,
  ImportRequest,
  PruneRequest,
  PruneView,
  SaveRequest,
  TreeNodeView,
} from '../../api/images/image-files.ts';
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import { changesTar } from '../../images/export/changes-tar.ts';
import { dockerArchive } from '../../images/export/docker-archive.ts';
import { type LayerStore, layerTarSize } from '../../images/export/layer-tar.ts';
import { ociArchive } from '../../images/export/oci-archive.ts';
import { ociLayout } from '../../images/export/oci-layout.ts';
import { rootTar } from '../../images/export/root-tar.ts';
import type { StoredImage } from '../../images/export/stored-image.ts';
import { writeWhole, writeWholeDirectory } from '../../images/export/write-file.ts';
import type { LoadedImage } from '../../images/image.ts';
import { addLayer } from '../../images/make/add-layer.ts';
import { loadArchiveImages } from '../../images/sources/archive.ts';
import { sourceMissing } from '../../images/sources/image-files.ts';
import { SparseMaps } from '../../images/tree/sparse-entry.ts';
import { decompressed } from '../../images/unpack/decompress.ts';
import { type Clock, formatTime } from '../../model/clock.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { append } from '../../model/lists.ts';
import type { ProgressSink } from '../../model/progress.ts';
import {
  type Admission,
  archiveContext,
  type IntakePorts,
  loadContext,
  recordImage,
} from '../../reconcile/ops/images/image-intake.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { checkImageName, parseImageName } from '../../state/images/image-names.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import type { Pauses } from '../requests/pauses.ts';
import { type TreePorts as ContainerTreePorts, ownChanges } from './container-tree.ts';
import { type DiskUsagePorts, diskUsage } from './disk-usage.ts';
import { imagesToSave, type NamedImages, storedImage } from './find-images.ts';
import { imageTree, type TreePorts as LayerTreePorts } from './layer-tree.ts';
import { type PrunePorts, prune } from './prune.ts';
import { streamed } from './streamed.ts';

const REPORT_BYTES = 1024 ** 2;

const ARCHIVES = { docker: dockerArchive, oci: ociArchive } as const;

export interface ImageFilesParts {
  readonly clock: Clock;
  readonly imageWork: Pick<ImageWork, 'making'>;
  readonly intake: IntakePorts & Admission;
  readonly images: NamedImages & { readonly repositories: Pick<RepositoryStore, 'set'> };
  readonly layers: LayerStore;
  readonly trees: ContainerTreePorts & { readonly graph: Pick<GraphDriver, 'rootMount'> };
  readonly layerTree: LayerTreePorts;
  readonly usage: DiskUsagePorts;
  readonly prunes: PrunePorts;
  readonly pauses: Pauses;
  /** The container that a person means, when it is made. @throws TSD_NO_SUCH_RESOURCE, TSD_SHIM when it is unknown whether it runs. */
  readonly container: (name: string, signal?: AbortSignal) => Promise<ContainerRecord>;
}

/** Images as files of this host, changes of containers, and the disk. */
export class ImageFiles implements ImageFilesApi {
  readonly #parts: ImageFilesParts;

  constructor(parts: ImageFilesParts) {
    this.#parts = parts;
  }

  /** Loads all images of an archive or an OCI layout and gives them the names they have in it. */
  load(path: string, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#making(path, signal, async (report) => {
      const loaded: string[] = [];
      for await (const image of loadArchiveImages(path, archiveContext(this.#parts.intake, report))) {
        await recordImage(this.#parts.intake, image);
        for (const name of image.references) await this.#tag(name, image);
        // As Docker says it, so that scripts find the name.
        if (image.references.length === 0) loaded.push(`Loaded image ID: sha256:${image.id}`);
        append(
          loaded,
          image.references.map((name) => `Loaded image: ${name}`),
        );
      }
      return loaded;
    });
  }

  save({ images, path, format }: SaveRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#making(path, signal, async (report) => {
      const wanted = imagesToSave(this.#parts.images, images);
      const store = this.#parts.layers;
      const progress = written(path, await tarBytes(store, wanted), report);
      const bytes =
        format === 'oci-layout'
          ? await writeWholeDirectory(path, ociLayout(store, wanted), progress, signal)
          : await writeWhole(path, ARCHIVES[format](store, wanted), progress, signal);
      return `saved ${wanted.length} images to ${path}, ${bytes} bytes`;
    });
  }

  import(request: ImportRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    const { path } = request;
    return this.#making(path, signal, async (report) => {
      await requireFile(path);
      const described = { ...this.#described(request), baseConfigJson: null, author: '' };
      const tar = () => decompressed(createReadStream(path), counted(`reading ${path}`, sizeOf(path), report));
      return this.#make(request.name, () => addLayer({ ...described, tar }, loadContext(this.#parts.intake, report)));
    });
  }

  export(container: string, path: string, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return streamed(
      path,
      async (report) => {
        const record = await this.#parts.container(container, signal);
        const bytes = await this.#parts.pauses.during(
          record,
          (still, ended) => {
            const tar = still(rootTar(this.#parts.trees.graph.rootMount(record.snapshotId), ended));
            return writeWhole(path, tar, written(path, null, report), ended);
          },
          signal,
        );
        return `exported ${record.engineName} to ${path}, ${bytes} bytes`;
      },
      signal,
    );
  }

  commit(container: string, request: CommitRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#making(container, signal, async (report) => {
      const record = await this.#parts.container(container, signal);
      const base = this.#parts.images.images.get(record.imageId);
      const sparse = new SparseMaps();
      return this.#make(request.name, async () => {
        const image = await this.#parts.pauses.during(
          record,
          (still, ended) =>
            addLayer(
              {
                ...this.#described(request),
                baseConfigJson: base === undefined ? null : storedImage(base, []).configJson,
                author: request.author,
                config: request.config,
                createdBy: [record.path, ...record.args].join(' '),
                tar: () => still(changesTar(ownChanges(this.#parts.trees, record, ended), sparse)),
              },
              loadContext(this.#parts.intake, report, ended),
            ),
          signal,
        );
        return { ...image, committedFrom: record.imageId };
      });
    });
  }

  async changes(container: string, signal?: AbortSignal): Promise<readonly ChangeView[]> {
    const record = await this.#parts.container(container, signal);
    return this.#parts.pauses.during(
      record,
      async (still, ended) => {
        const views: ChangeView[] = [];
        for await (const { kind, path } of still(ownChanges(this.#parts.trees, record, ended))) {
          views.push({ kind, path: `/${path.toString()}` });
        }
        return views;
      },
      signal,
    );
  }

  tree(): Promise<readonly TreeNodeView[]> {
    return imageTree(this.#parts.layerTree);
  }

  diskUsage(): Promise<DiskUsageView> {
    return diskUsage(this.#parts.usage);
  }

  prune(request: PruneRequest): Promise<PruneView> {
    return prune(this.#parts.prunes, request);
  }

  #making(
    resource: string,
    signal: AbortSignal | undefined,
    work: (report: ProgressSink) => Promise<string | readonly string[]>,
  ): AsyncIterable<TransferEvent> {
    return streamed(resource, (report) => this.#parts.imageWork.making(() => work(report)), signal);
  }

  /** @throws TSD_BAD_REQUEST for a bad name, before anything is created */
  async #make(name: string, make: () => Promise<LoadedImage>): Promise<string> {
    if (name !== '') checkImageName(parseImageName(name));
    const image = await make();
    await recordImage(this.#parts.intake, image);
    if (name !== '') await this.#tag(name, image);
    return `made ${name === '' ? '' : `${name}, `}sha256:${image.id}`;
  }

  #described({ changes, message }: { readonly changes: readonly string[]; readonly message: string }) {
    return { changes, comment: message, created: formatTime(this.#parts.clock.now().wallMs) };
  }

  async #tag(name: string, image: LoadedImage): Promise<void> {
    await this.#parts.images.repositories.set(parseImageName(name), image.id, true);
  }
}

/** @param total bytes, about; null where that is not known. */
function written(path: string, total: number | null, report: ProgressSink): (bytes: number) => void {
  return (bytes) => report(`writing ${path}`, bytes, total === null ? null : Math.max(total, bytes));
}

/** Of the layers of images, each once. */
async function tarBytes(store: LayerStore, images: readonly StoredImage[]): Promise<number> {
  let bytes = 0;
  const layers = new Map(images.flatMap((image) => image.layers).map((layer) => [layer.chainId, layer]));
  for (const layer of layers.values()) bytes += await layerTarSize(store, layer);
  return bytes;
}

/** @throws TSD_IMAGE_SOURCE for what cannot be read. */
async function requireFile(path: string): Promise<void> {
  try {
    if (!(await stat(path)).isDirectory()) return;
  } catch (thrown) {
    throw sourceMissing(path, thrown);
  }
  throw new TsdError('TSD_IMAGE_SOURCE', `${path} is a directory`, {
    step: 'open image source',
    hint: `Name a tar of it: tar -C ${path} -cf FILE.tar .`,
  });
}

/** Returns null for anything but a regular file, and when stat fails: opening it then reports why. */
function sizeOf(path: string): number | null {
  try {
    const found = statSync(path);
    return found.isFile() ? found.size : null;
  } catch {
    return null;
  }
}

/** Reports about once in so many bytes what was read. */
function counted(what: string, total: number | null, report: ProgressSink): (piece: Buffer) => void {
  let bytes = 0;
  let reported = 0;
  return ({ length }) => {
    bytes += length;
    if (bytes - reported < REPORT_BYTES && bytes !== total) return;
    reported = bytes;
    report(what, bytes, total);
  };
}
