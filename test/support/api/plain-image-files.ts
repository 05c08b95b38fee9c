import type {
  ChangeView,
  DiskUsageView,
  ImageFilesApi,
  PruneRequest,
  PruneView,
  TreeNodeView,
} from '../../../src/api/images/image-files.ts';
import type { TransferEvent } from '../../../src/api/images/transfer-event.ts';

const ID = 'b2'.repeat(32);
const LAYER = 'e5'.repeat(32);

/** Answers about images as files with fixed values, and keeps what it was asked. */
export class PlainImageFiles implements ImageFilesApi {
  readonly asked: unknown[] = [];

  save(request: unknown): AsyncIterable<TransferEvent> {
    return this.#done('save', request);
  }

  import(request: unknown): AsyncIterable<TransferEvent> {
    return this.#done('import', request);
  }

  export(container: string, path: string): AsyncIterable<TransferEvent> {
    return this.#done('export', { container, path });
  }

  commit(container: string, request: unknown): AsyncIterable<TransferEvent> {
    return this.#done('commit', { container, request });
  }

  async changes(): Promise<readonly ChangeView[]> {
    return [
      { kind: 'modified', path: '/etc' },
      { kind: 'added', path: '/etc/new\u001b[31m' },
      { kind: 'deleted', path: '/old' },
    ];
  }

  async tree(): Promise<readonly TreeNodeView[]> {
    const image: TreeNodeView = { id: ID, type: 'image', tags: ['nginx:1.27'], size: 0, children: [] };
    const top: TreeNodeView = { id: LAYER, type: 'layer', tags: [], size: 1_000_000, children: [image] };
    return [
      { id: 'f6'.repeat(32), type: 'layer', tags: [], size: 50_000_000, children: [top, { ...image, tags: [] }] },
    ];
  }

  async diskUsage(): Promise<DiskUsageView> {
    return {
      rows: [
        { type: 'images', count: 3, active: 1, bytes: 90_000_000, reclaimable: 30_000_000 },
        { type: 'volumes', count: 1, active: 1, bytes: 4096, reclaimable: null },
      ],
      filesystem: { bytes: 100_000_000_000, free: 40_000_000_000 },
    };
  }

  async prune(request: PruneRequest): Promise<PruneView> {
    this.asked.push({ prune: request });
    return {
      images: [{ id: ID, tags: [] }],
      layers: [{ id: LAYER, bytes: 1_000_000 }],
      volumes: [],
      copies: [],
      buildCacheBytes: 0,
      bytes: 1_000_000,
    };
  }

  async *#done(call: string, request: unknown): AsyncGenerator<TransferEvent> {
    this.asked.push({ [call]: request });
    yield { type: 'ready', generation: 0 };
  }
}
