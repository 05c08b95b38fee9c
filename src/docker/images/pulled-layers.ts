/** Layers of a pull as lines, by the ids of their downloads, which is what clients show. */
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import type { ProgressPart } from '../../model/progress.ts';
import { amountLine, type ProgressLine, stepLine } from './progress-line.ts';

type Progress = Extract<TransferEvent, { type: 'progress' }>;

export class PulledLayers {
  readonly #downloads = new Map<string, string>();
  readonly #complete = new Set<string>();
  readonly #extracted = new Set<string>();

  /** Nothing for what belongs to no manifest that was reported: layers that a build makes, other downloads. */
  *lines({ current, total }: Progress, part: ProgressPart): Generator<ProgressLine> {
    if (part.step === 'manifest') {
      for (const { download, layer } of part.layers) {
        this.#downloads.set(layer, download);
        yield stepLine('Pulling fs layer', download);
      }
    }
    if (part.step === 'download' && [...this.#downloads.values()].includes(part.item)) {
      yield amountLine('Downloading', part.item, current, total);
      if (current === total) yield* this.#downloaded(part.item);
    }
    const layer = part.step === 'layer' ? this.#downloads.get(part.item) : undefined;
    if (part.step === 'layer' && layer !== undefined) yield* this.#unpacked(part.state, layer, current, total);
  }

  *#downloaded(id: string): Generator<ProgressLine> {
    if (this.#complete.has(id)) return;
    this.#complete.add(id);
    yield stepLine('Verifying Checksum', id);
    yield stepLine('Download complete', id);
  }

  *#unpacked(
    state: 'exists' | 'unpacking' | 'done',
    id: string,
    current: number,
    total: number | null,
  ): Generator<ProgressLine> {
    if (this.#extracted.has(id)) return;
    if (state === 'exists') {
      // Also one that came while this pull waited for its download.
      yield stepLine(this.#complete.has(id) ? 'Pull complete' : 'Already exists', id);
      this.#extracted.add(id);
      return;
    }
    yield* this.#downloaded(id);
    if (state === 'unpacking') yield amountLine('Extracting', id, current, total);
    else {
      this.#extracted.add(id);
      yield stepLine('Pull complete', id);
    }
  }
}
