import { TsdError } from '../../model/errors.ts';
import type { ContainerRecord } from '../../state/container-record.ts';

type Container = Pick<ContainerRecord, 'id' | 'engineName'>;

/** Work that reads the files of containers, told when these do not stay as they are: parts of two states make no whole. */
export class FileReaders {
  readonly #readers = new Map<string, Set<AbortController>>();

  /**
   * Runs work with a signal that says from when on it must not use what it reads of the container; a failure after that
   * is for the signal's reason.
   * @throws TSD_CONTAINER_CHANGED, and what the work throws
   */
  async reading<T>({ id }: Container, work: (disturbed: AbortSignal) => Promise<T>): Promise<T> {
    const reader = new AbortController();
    const readers = this.#readers.get(id) ?? new Set();
    this.#readers.set(id, readers.add(reader));
    try {
      return await work(reader.signal);
    } catch (thrown) {
      throw reader.signal.aborted ? reader.signal.reason : thrown;
    } finally {
      readers.delete(reader);
      if (readers.size === 0) this.#readers.delete(id);
    }
  }

  /** To be called before something may change the files. @param what it is, as in `was stopped` */
  disturb({ id, engineName }: Container, what: string): void {
    const message = `container ${engineName} ${what} while its files were read`;
    for (const reader of this.#readers.get(id) ?? []) reader.abort(new TsdError('TSD_CONTAINER_CHANGED', message));
  }
}
