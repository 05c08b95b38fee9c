/** Requests under way, and how they end when the server does. */
import { TsdError } from '../model/errors/errors.ts';

export interface OpenRequest {
  /** Aborts when the client is gone, or with a TsdError when the server ends. */
  readonly signal: AbortSignal;
  /** The client is gone. */
  leave(): void;
  /** It was answered. */
  end(): void;
}

interface Entry {
  readonly controller: AbortController;
  readonly finishes: boolean;
}

/** Why a request was ended by the server; null when its client is gone or nothing has ended it. */
export function endedBy(signal: AbortSignal): TsdError | null {
  return signal.reason instanceof TsdError ? signal.reason : null;
}

/** What the work resolves with. @throws why the server ends, at once then */
export function unlessEnded<T>(work: Promise<T> | T, signal: AbortSignal): Promise<T> {
  return new Promise((resolve, reject) => {
    const end = (): void => {
      const reason = endedBy(signal);
      if (reason !== null) reject(reason);
    };
    if (signal.aborted) end();
    else signal.addEventListener('abort', end, { once: true });
    Promise.resolve(work)
      .then(resolve, reject)
      .finally(() => signal.removeEventListener('abort', end));
  });
}

export class OpenRequests {
  readonly #open = new Set<Entry>();
  #reason: TsdError | null = null;
  #whenIdle = (): void => {};

  /**
   * @param finishes it is work that continues until the server closes, not until it refuses
   * @throws why the server takes no more
   */
  begin(finishes: boolean): OpenRequest {
    if (this.#reason !== null) throw this.#reason;
    const entry: Entry = { controller: new AbortController(), finishes };
    this.#open.add(entry);
    return {
      signal: entry.controller.signal,
      leave: () => entry.controller.abort(),
      end: () => {
        if (this.#open.delete(entry) && this.#open.size === 0) this.#whenIdle();
      },
    };
  }

  /** Takes no more requests, and ends those that do not finish. */
  refuse(reason: TsdError): void {
    this.#reason = reason;
    for (const { controller, finishes } of this.#open) if (!finishes) controller.abort(reason);
  }

  /** Ends all. Resolves when they have been answered. */
  async endAll(reason: TsdError): Promise<void> {
    this.#reason = reason;
    const idle = new Promise<void>((resolve) => {
      this.#whenIdle = resolve;
    });
    for (const { controller } of this.#open) controller.abort(reason);
    if (this.#open.size > 0) await idle;
  }
}
