/** Frees disk by itself, now and then: images that were not needed for long, and old logs. */
import { statfsSync } from 'node:fs';
import type { Engine } from '../../engine/engine.ts';
import type { JobSpec } from '../../engine/job-spec.ts';
import { bytesToFree, chooseEvictions, type GcMarks } from '../../images/gc.ts';
import type { Clock, Timers } from '../../model/clock.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import { recordMissingSizes, type SizePorts } from '../../reconcile/ops/images/image-size.ts';
import type { ImageWork } from '../../reconcile/ops/images/image-work.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import type { ImageStore } from '../../state/history/image-store.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { Logger } from '../log.ts';
import { type GarbagePorts, gcInput, removeGarbage } from './garbage.ts';
import { type LayerSizePorts, layerSize } from './layer-tree.ts';
import { trimLogs } from './log-budget.ts';

export interface CollectorOptions {
  readonly clock: Clock;
  readonly garbage: GarbagePorts & LayerSizePorts;
  readonly sizes: SizePorts & { readonly images: Pick<GraphIndex, 'all' | 'saveSize'> };
  readonly logs: Pick<ContainerStore, 'all' | 'path'>;
  /** When images were needed last. */
  readonly use: Pick<ImageStore, 'lastUsed' | 'noteUse'>;
  readonly imageWork: Pick<ImageWork, 'pruning'>;
  readonly engine: Engine;
  readonly timers: Timers;
  readonly log: Logger;
  readonly marks: GcMarks;
  /** Bytes that the logs of all containers together may take; null for no limit. */
  readonly logBudget: number | null;
  /** It is not certain now what is needed: nothing is removed but logs. */
  readonly isPaused: () => boolean;
  /** Takes away copies of files that nothing needs any more. */
  readonly sweepCopies: () => void;
  /** 0 never runs it. */
  readonly intervalMs: number;
}

/** The engine's job that does it. */
export const COLLECT_JOB: JobSpec = { name: 'collect', summary: 'frees disk: images not needed for long, old logs' };

export class Collector {
  readonly #options: CollectorOptions;
  #cancel = (): void => {};
  #running: Promise<void> = Promise.resolve();
  readonly #stopped = new AbortController();

  constructor(options: CollectorOptions) {
    this.#options = options;
    options.engine.register(COLLECT_JOB, async () => {
      await this.#collect();
      return undefined;
    });
  }

  start(): void {
    const { timers, intervalMs } = this.#options;
    if (intervalMs === 0 || this.#stopped.signal.aborted) return;
    this.#cancel = timers.after(intervalMs, () => {
      this.#running = this.#run().finally(() => this.start());
    });
  }

  /** Resolves when a collection that is under way has ended; one that waits for its turn gives up. */
  async stop(): Promise<void> {
    this.#stopped.abort();
    this.#cancel();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { engine, log } = this.#options;
    try {
      await engine.job(COLLECT_JOB.name).run();
    } catch (thrown) {
      if (this.#stopped.signal.aborted) return;
      const error = toTsdError(thrown);
      log.error({ code: error.code }, `collection of unused images: ${describeError(error)}`);
    }
  }

  async #collect(): Promise<void> {
    const { sizes, logs, imageWork, log, logBudget, sweepCopies, isPaused } = this.#options;
    if (!isPaused()) sweepCopies();
    await recordMissingSizes(sizes);
    const logBytes = logBudget === null ? 0 : trimLogs(logs, logBudget);
    if (logBytes > 0) log.info({ bytes: logBytes }, 'removed old logs beyond the budget');
    // Usually nothing is to be removed; then the collection does not wait for image work in progress.
    const { toFree } = await this.#look();
    if (toFree > 0 && !isPaused()) await imageWork.pruning(() => this.#collectImages(), this.#stopped.signal);
  }

  /** Notes which images are needed, and says how much has to go. */
  async #look() {
    const { clock, garbage, use, marks } = this.#options;
    const now = clock.now();
    const input = gcInput(garbage);
    const known = use.lastUsed();
    const present = input.images.map(({ id }) => id);
    use.noteUse(
      present.filter((id) => input.neededImages.has(id) || !known.has(id)),
      present,
      now.wallMs,
    );
    const layerBytes = new Map<string, number>();
    for (const { id, type } of input.layers) if (type === 'layer') layerBytes.set(id, await layerSize(garbage, id));
    const { blocks, bsize, bavail, bfree } = statfsSync(garbage.instance.root);
    const layers = [...layerBytes.values()].reduce((sum, bytes) => sum + bytes, 0);
    // What is reserved for root is neither used nor free to us.
    const disk = { bytes: (blocks - bfree + bavail) * bsize, free: bavail * bsize, layers };
    return { ...input, layerBytes, lastUsed: known, now, toFree: bytesToFree(disk, marks) };
  }

  async #collectImages(): Promise<void> {
    const { garbage, marks, log } = this.#options;
    // Again, because it may have been a while.
    const found = await this.#look();
    const { toFree } = found;
    if (toFree === 0) return;
    const evicted = chooseEvictions(found, marks);
    const names = new Map(found.images.map((image) => [image.id, image.names]));
    const { images, layers } = await removeGarbage(garbage, {
      images: evicted.images.map((id) => ({ id, tags: names.get(id) ?? [] })),
      layers: evicted.layers.map((id) => ({ id })),
    });
    const bytes = layers.reduce((sum, id) => sum + (found.layerBytes.get(id) ?? 0), 0);
    if (images.length > 0) log.info({ images, bytes }, 'removed images that were not needed for long');
    if (bytes < toFree) log.warn({ missing: toFree - bytes }, 'the disk stays too full: what is left is needed');
  }
}
