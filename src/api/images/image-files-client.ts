import { readNdjson } from '../ndjson.ts';
import { exchange, exchangeJson } from '../transport.ts';
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
} from './image-files.ts';
import type { TransferEvent } from './transfer-event.ts';

/** The part of the client that is about images as files and about the disk. */
export class ImageFilesClient implements ImageFilesApi {
  readonly #socketPath: string;

  constructor(socketPath: string) {
    this.#socketPath = socketPath;
  }

  save(request: SaveRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream('/images/save', request, signal);
  }

  import(request: ImportRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream('/images/import', request, signal);
  }

  export(container: string, path: string, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream(`/containers/${encodeURIComponent(container)}/export`, { path }, signal);
  }

  commit(container: string, request: CommitRequest, signal?: AbortSignal): AsyncIterable<TransferEvent> {
    return this.#stream(`/containers/${encodeURIComponent(container)}/commit`, request, signal);
  }

  changes(container: string): Promise<readonly ChangeView[]> {
    return this.#get(`/containers/${encodeURIComponent(container)}/changes`);
  }

  tree(): Promise<readonly TreeNodeView[]> {
    return this.#get('/images/tree');
  }

  diskUsage(): Promise<DiskUsageView> {
    return this.#get('/system/df');
  }

  prune(request: PruneRequest): Promise<PruneView> {
    return exchangeJson(this.#socketPath, { method: 'POST', path: '/system/prune', body: request });
  }

  #get<T>(path: string): Promise<T> {
    return exchangeJson(this.#socketPath, { method: 'GET', path });
  }

  async *#stream(path: string, body: unknown, signal?: AbortSignal): AsyncGenerator<TransferEvent, void, undefined> {
    yield* readNdjson<TransferEvent>(await exchange(this.#socketPath, { method: 'POST', path, body, signal }));
  }
}
