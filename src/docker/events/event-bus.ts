/** Events for Docker's clients: the latest are kept for those that come later. */
import type { Clock } from '../../model/clock.ts';
import { type EventDraft, type EventMessage, messageOf } from './message.ts';

/** Docker keeps as many. */
const KEPT = 256;
/** Events that wait for a reader; of one that is slower than that the oldest are left out. */
const MOST_WAITING = 1_024;
/** The longest time of a timer. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const NS_PER_MS = 1_000_000n;

export interface EventSpan {
  /** Unix time in ns; null for what comes from now on, and without an end. */
  readonly sinceNs: bigint | null;
  readonly untilNs: bigint | null;
}

interface Dated {
  readonly atNs: bigint;
  readonly message: EventMessage;
}

export class DockerEventBus {
  readonly #clock: Pick<Clock, 'now'>;
  readonly #kept: Dated[] = [];
  readonly #readers = new Set<(event: Dated) => void>();
  #last = 0n;

  constructor(clock: Pick<Clock, 'now'>) {
    this.#clock = clock;
  }

  /** @internal */
  get readers(): number {
    return this.#readers.size;
  }

  emit(draft: EventDraft): void {
    const now = BigInt(Math.round(this.#clock.now().wallMs * 1000)) * 1000n;
    // Two at one time cannot be distinguished by a client that goes on after the one it saw last.
    this.#last = now > this.#last ? now : this.#last + 1_000n;
    const event = { atNs: this.#last, message: messageOf(draft, this.#last) };
    this.#kept.push(event);
    if (this.#kept.length > KEPT) this.#kept.shift();
    for (const reader of this.#readers) reader(event);
  }

  /** Listens from now on, also before the first one is asked for. */
  events({ sinceNs, untilNs }: EventSpan, signal: AbortSignal): AsyncGenerator<EventMessage> {
    const isIn = ({ atNs }: Dated): boolean => untilNs === null || atNs <= untilNs;
    const reader = new Reader(
      sinceNs === null ? [] : this.#kept.filter((event) => event.atNs >= sinceNs && isIn(event)),
    );
    const take = (event: Dated): void => {
      if (isIn(event)) reader.take(event);
    };
    this.#readers.add(take);
    const leave = (): void => {
      this.#readers.delete(take);
      reader.wake();
    };
    signal.addEventListener('abort', leave, { once: true });
    return this.#pass(reader, untilNs, signal, leave);
  }

  async *#pass(
    reader: Reader,
    untilNs: bigint | null,
    signal: AbortSignal,
    leave: () => void,
  ): AsyncGenerator<EventMessage> {
    try {
      while (!signal.aborted) {
        for (let event = reader.next(); event !== undefined; event = reader.next()) yield event.message;
        const end = untilNs === null ? Number.POSITIVE_INFINITY : Number(untilNs / NS_PER_MS);
        const leftMs = end - this.#clock.now().wallMs;
        if (leftMs < 0) return;
        if (!signal.aborted) await reader.more(leftMs + 1);
      }
    } finally {
      leave();
      signal.removeEventListener('abort', leave);
    }
  }
}

/** Events that wait for one client. */
class Reader {
  readonly #waiting: Dated[];
  #wake = (): void => {};

  constructor(past: readonly Dated[]) {
    this.#waiting = [...past];
  }

  take(event: Dated): void {
    this.#waiting.push(event);
    if (this.#waiting.length > MOST_WAITING) this.#waiting.shift();
    this.wake();
  }

  next(): Dated | undefined {
    return this.#waiting.shift();
  }

  wake(): void {
    this.#wake();
  }

  /** Resolves when there is one, when it is woken, or when the time is over. */
  async more(ms: number): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = Number.isFinite(ms) ? setTimeout(resolve, Math.min(ms, LONGEST_TIMER_MS)) : undefined;
      this.#wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
    this.#wake = () => {};
  }
}
