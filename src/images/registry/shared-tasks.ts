/** Work that several may wait for: it runs once and is cancelled only when no caller waits any more. */
import { cancelled } from './cancelled.ts';

interface Task<T, E> {
  readonly result: Promise<T>;
  readonly controller: AbortController;
  readonly listeners: Set<(event: E) => void>;
}

export class SharedTasks<T, E> {
  readonly #running = new Map<string, Task<T, E>>();
  readonly #step: string;

  /** @param step of the error for one who leaves. */
  constructor(step: string) {
    this.#step = step;
  }

  get keys(): readonly string[] {
    return [...this.#running.keys()];
  }

  has(key: string): boolean {
    return this.#running.has(key);
  }

  /** Resolves when the work under `key` has ended, however; at once when there is none. */
  async ended(key: string): Promise<void> {
    await this.#running.get(key)?.result.catch(() => {});
  }

  /**
   * Joins the work under `key`, or starts it.
   * @param listener called with the reports from now on.
   * @param signal leaves: the work continues while others wait for it.
   */
  async join(
    key: string,
    start: (signal: AbortSignal, report: (event: E) => void) => Promise<T>,
    listener: (event: E) => void,
    signal: AbortSignal,
  ): Promise<T> {
    // One that everyone left ends without a result.
    while (this.#running.get(key)?.controller.signal.aborted) await this.ended(key);
    const task = this.#running.get(key) ?? this.#start(key, start);
    // A function of its own, because the same listener may have joined before.
    const own = (event: E) => listener(event);
    task.listeners.add(own);
    let leave: () => void = () => {};
    const left = new Promise<never>((_resolve, reject) => {
      leave = () => reject(cancelled(signal, this.#step));
      if (signal.aborted) leave();
      signal.addEventListener('abort', leave, { once: true });
    });
    try {
      return await Promise.race([task.result, left]);
    } finally {
      signal.removeEventListener('abort', leave);
      task.listeners.delete(own);
      if (task.listeners.size === 0 && this.#running.get(key) === task) {
        task.controller.abort();
        // It has left nothing behind when the last one who wanted it continues.
        if (signal.aborted) await task.result.catch(() => {});
      }
    }
  }

  #start(key: string, start: (signal: AbortSignal, report: (event: E) => void) => Promise<T>): Task<T, E> {
    const controller = new AbortController();
    const listeners = new Set<(event: E) => void>();
    const report = (event: E): void => {
      for (const listener of listeners) listener(event);
    };
    const result = start(controller.signal, report).finally(() => this.#running.delete(key));
    const task: Task<T, E> = { result, controller, listeners };
    result.catch(() => {});
    this.#running.set(key, task);
    return task;
  }
}
