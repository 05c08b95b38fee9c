import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';

type Container = Pick<ContainerRecord, 'id' | 'engineName'>;

function changed(message: string, cause?: unknown): TsdError {
  return new TsdError('TSD_CONTAINER_CHANGED', message, { cause });
}

/** Work that reads the files of containers, and work that may change them: parts of two states make no whole. */
export class FileReaders {
  readonly #readers = new Map<string, Set<AbortController>>();
  /** What is said of changes that are under way, by container. */
  readonly #changes = new Map<string, { readonly message: string }[]>();

  /**
   * Runs work with a signal that says from when on it must not use what it reads of the container; a failure after that
   * is for the signal's reason.
   * @throws TSD_CONTAINER_CHANGED, also while a change is under way, and what the work throws
   */
  async reading<T>({ id }: Container, work: (disturbed: AbortSignal) => Promise<T>): Promise<T> {
    const change = this.#changes.get(id)?.at(-1);
    if (change) throw changed(change.message);
    const reader = new AbortController();
    const readers = this.#readers.get(id) ?? new Set();
    this.#readers.set(id, readers.add(reader));
    try {
      return await work(reader.signal);
    } catch (thrown) {
      const { aborted, reason } = reader.signal;
      throw aborted && thrown !== reason ? changed(reason.message, thrown) : thrown;
    } finally {
      readers.delete(reader);
      if (readers.size === 0) this.#readers.delete(id);
    }
  }

  /**
   * Runs work during which the files may change. Aborts the current readers first, without waiting for them, and refuses new
   * ones meanwhile.
   * @param what is done to the container, as in `being stopped`
   */
  async changing<T>({ id, engineName }: Container, what: string, work: () => Promise<T>): Promise<T> {
    const change = { message: `the files of container ${engineName} cannot be read while it is being ${what}` };
    this.#changes.set(id, [...(this.#changes.get(id) ?? []), change]);
    for (const reader of this.#readers.get(id) ?? []) reader.abort(changed(change.message));
    try {
      return await work();
    } finally {
      const others = this.#changes.get(id)?.filter((other) => other !== change) ?? [];
      if (others.length > 0) this.#changes.set(id, others);
      else this.#changes.delete(id);
    }
  }
}
