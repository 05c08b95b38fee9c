/** Closes registered parts at a shutdown: all at once, except that a part is closed after the parts that use it. */
import type { Timers } from '../model/clock.ts';
import { TsdError, toTsdError } from '../model/errors/errors.ts';

export type Close = () => void | Promise<void>;

export interface FailedHandler {
  readonly name: string;
  readonly error: TsdError;
}

export interface HandlersReport {
  readonly failed: readonly FailedHandler[];
  /** Handlers that had not ended at the time limit. */
  readonly hanging: readonly string[];
}

/** The registry in which the owner of a part says how it is closed. */
export interface OnShutdown {
  /**
   * @param uses names of parts that have to stay open until this one is closed; each is registered already
   * @returns closes this part now, before the shutdown; does nothing when it was closed already
   */
  onShutdown(name: string, close: Close, uses?: readonly string[]): Close;
}

export interface HandlerLimits {
  readonly timers: Timers;
  /** Time limit of all handlers together. */
  readonly totalMs: number;
  /** How long a part stays open for users that hang. */
  readonly turnMs: number;
}

interface Part {
  readonly name: string;
  readonly close: Close;
  readonly uses: readonly string[];
}

export class ShutdownHandlers implements OnShutdown {
  /** By name, in the order of registration. */
  readonly #open = new Map<string, Part>();
  readonly #closing = new Map<string, Part>();
  readonly #failed: FailedHandler[] = [];
  #whenClosed = (): void => {};

  /** @throws TSD_BUG for a name that is taken, and for one in `uses` that is not registered */
  onShutdown(name: string, close: Close, uses: readonly string[] = []): Close {
    if (this.#open.has(name)) throw new TsdError('TSD_BUG', `two shutdown handlers named ${name}`);
    const unknown = uses.find((used) => !this.#open.has(used));
    if (unknown !== undefined) throw new TsdError('TSD_BUG', `${name} uses ${unknown}, which is not open`);
    const part: Part = { name, close, uses };
    this.#open.set(name, part);
    return () => {
      if (this.#open.get(name) !== part) return;
      this.#open.delete(name);
      return close();
    };
  }

  /** Handlers that run or wait for the users of their part. */
  get names(): readonly string[] {
    return [...this.#closing.keys(), ...this.#open.keys()];
  }

  /** Closes all parts, each once. A failed one does not keep others open; a hanging one does for a limited time. */
  async close({ timers, totalMs, turnMs }: HandlerLimits): Promise<HandlersReport> {
    const closed = new Promise<void>((resolve) => {
      this.#whenClosed = resolve;
    });
    let cancelTotal = (): void => {};
    const late = new Promise<void>((resolve) => {
      cancelTotal = timers.after(totalMs, resolve);
    });
    const cancelTurn = timers.after(turnMs, () => {
      for (const part of [...this.#open.values()].reverse()) this.#begin(part);
      this.#proceed();
    });
    this.#proceed();
    await Promise.race([closed, late]);
    cancelTotal();
    cancelTurn();
    return { failed: [...this.#failed], hanging: this.names };
  }

  /** Closes synchronous parts in one turn of the event loop, so that no callback runs between a driver and its database. */
  #proceed(): void {
    for (;;) {
      const part = [...this.#open.values()].reverse().find((one) => !this.#isUsed(one));
      if (part === undefined) break;
      this.#begin(part);
    }
    if (this.#open.size === 0 && this.#closing.size === 0) this.#whenClosed();
  }

  #isUsed({ name }: Part): boolean {
    return [...this.#open.values(), ...this.#closing.values()].some(({ uses }) => uses.includes(name));
  }

  #begin(part: Part): void {
    if (!this.#open.delete(part.name)) return;
    this.#closing.set(part.name, part);
    try {
      const work = part.close();
      if (work === undefined) this.#closing.delete(part.name);
      else void this.#ended(part, work);
    } catch (thrown) {
      this.#fail(part, thrown);
    }
  }

  async #ended(part: Part, work: Promise<void>): Promise<void> {
    await work.then(
      () => this.#closing.delete(part.name),
      (thrown: unknown) => this.#fail(part, thrown),
    );
    this.#proceed();
  }

  #fail({ name }: Part, thrown: unknown): void {
    this.#closing.delete(name);
    this.#failed.push({ name, error: toTsdError(thrown) });
  }
}
