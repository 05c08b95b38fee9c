/** How far transfers are and how fast, from their events and the time alone. */
import type { TransferEvent } from '../../api/images/transfer-event.ts';
import { formatBytes, printable } from './text.ts';

export type TransferProgress = Extract<TransferEvent, { type: 'progress' }>;

interface Sample {
  readonly atMs: number;
  readonly bytes: number;
}

interface Transfer {
  /** At its first event, and those of the last seconds. */
  readonly first: Sample;
  recent: Sample[];
  /** When a line was last written about it, and up to which quarter of the whole. */
  said: { readonly atMs: number; readonly quarter: number };
}

/** The speed is that of the last so many ms: of a longer time it would not show that a transfer stands still. */
const WINDOW_MS = 5_000;
/** A speed over less than this is noise. */
const LEAST_MS = 250;
/** Least time between two lines about one transfer. */
const LINE_INTERVAL_MS = 2_000;
const QUARTERS = 4;

export class Transfers {
  readonly #now: () => number;
  readonly #known = new Map<string, Transfer>();

  /** @param now in ms. */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** Returns the text of an event with progress, speed and remaining time, where known. */
  describe(event: TransferProgress): string {
    return textOf(event, this.#follow(event).speed);
  }

  /** Returns a line for an output without rewriting, or null: at the start, at each quarter some time after the last line, at the end. */
  line(event: TransferProgress): string | null {
    const isNew = !this.#known.has(transferKey(event));
    const { transfer, speed } = this.#follow(event);
    const { current, total } = event;
    if (total === null || total === 0) return isNew ? `${subject(event)}` : null;
    const nowMs = this.#now();
    const quarter = Math.min(QUARTERS, Math.floor((current / total) * QUARTERS));
    const isDue = quarter > transfer.said.quarter && nowMs - transfer.said.atMs >= LINE_INTERVAL_MS;
    const isEnd = quarter === QUARTERS && transfer.said.quarter < QUARTERS;
    if (!isNew && !isDue && !isEnd) return null;
    transfer.said = { atMs: nowMs, quarter };
    return textOf(event, speed);
  }

  #follow(event: TransferProgress): { readonly transfer: Transfer; readonly speed: number | null } {
    const key = transferKey(event);
    const sample = { atMs: this.#now(), bytes: event.current };
    let transfer = this.#known.get(key);
    // One that was begun again counts from its new start.
    if (transfer === undefined || sample.bytes < (transfer.recent.at(-1)?.bytes ?? 0)) {
      transfer = { first: sample, recent: [], said: transfer?.said ?? { atMs: sample.atMs, quarter: 0 } };
      this.#known.set(key, transfer);
    }
    const since = sample.atMs - WINDOW_MS;
    transfer.recent = [...transfer.recent.filter(({ atMs }) => atMs >= since), sample];
    const isDone = event.total !== null && event.current >= event.total;
    return { transfer, speed: speedBetween(isDone ? transfer.first : transfer.recent[0], sample) };
  }
}

/** Names one transfer; the steps of one item have the same key. */
export function transferKey({ resource, message, part }: TransferProgress): string {
  return `${resource} ${part?.item ?? message}`;
}

/** Bytes a second. */
function speedBetween(from: Sample | undefined, to: Sample): number | null {
  if (from === undefined || to.atMs - from.atMs < LEAST_MS || to.bytes <= from.bytes) return null;
  return ((to.bytes - from.bytes) * 1000) / (to.atMs - from.atMs);
}

const subject = ({ resource, message }: TransferProgress): string => `${printable(resource)}: ${printable(message)}`;

function textOf(event: TransferProgress, speed: number | null): string {
  const { current, total } = event;
  if (total === null)
    return current === 0 ? subject(event) : [`${subject(event)} ${formatBytes(current)}`, ...rate(speed)].join(', ');
  // A report that a step is done counts no bytes.
  if (total <= 1) return subject(event);
  const percent = Math.min(100, Math.floor((current / total) * 100));
  const left = speed === null || current >= total ? [] : [`${formatSeconds((total - current) / speed)} left`];
  return [`${subject(event)} ${percent}% of ${formatBytes(total)}`, ...rate(speed), ...left].join(', ');
}

const rate = (speed: number | null): string[] => (speed === null ? [] : [`${formatBytes(Math.round(speed))}/s`]);

function formatSeconds(seconds: number): string {
  const whole = Math.ceil(seconds);
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${whole % 60}s`;
  return `${Math.floor(whole / 3600)}h${Math.floor((whole % 3600) / 60)}m`;
}
