import type { TaskExit } from '../../../drivers/contract/exec.ts';
import type { ResourceKey } from '../../../model/resource.ts';

/** Key under which a command of a build holds its address. */
export const buildLeaseKey = (id: string): ResourceKey => `container//build-${id.slice(0, 12)}` as ResourceKey;

/** What builds of this process have in the kernel and the graph; whatever carries another id is an orphan. */
export class BuildWork {
  readonly #ids = new Set<string>();
  readonly #listeners = new Map<string, (exit: TaskExit) => void>();
  readonly #locks = new Map<string, Promise<unknown>>();

  /** Calls `listener` once with the end of a run of this id. */
  onExit(id: string, listener: (exit: TaskExit) => void): void {
    this.#listeners.set(id, listener);
  }

  /** Takes the end of any run. */
  exited(exit: TaskExit): void {
    this.#listeners.get(exit.containerId)?.(exit);
    this.#listeners.delete(exit.containerId);
  }

  /** True for a snapshot, process, sandbox or lease that a build is using. */
  holds(id: string): boolean {
    return this.#ids.has(id);
  }

  /** Marks an id as in use for as long as `work` lasts. */
  async using<T>(id: string, work: () => Promise<T>): Promise<T> {
    this.#ids.add(id).add(buildLeaseKey(id));
    try {
      return await work();
    } finally {
      this.#ids.delete(id);
      this.#ids.delete(buildLeaseKey(id));
      this.#listeners.delete(id);
    }
  }

  /** Runs after all earlier work under the same name has ended. */
  async alone<T>(name: string, work: () => Promise<T>): Promise<T> {
    const before = this.#locks.get(name) ?? Promise.resolve();
    const running = before.then(work, work);
    const tail = running.catch(() => {});
    this.#locks.set(name, tail);
    try {
      return await running;
    } finally {
      if (this.#locks.get(name) === tail) this.#locks.delete(name);
    }
  }
}
