/** The watched directory: each snapshot of it is accepted, or held while it looks like an accident. */
import type { DirectorySnapshot } from '../../manifest/source/watch.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import type { Refusal } from '../../model/trust.ts';
import { afterLook } from '../declarations/held-apps.ts';
import type { Unsaved } from '../views/manifest-views.ts';
import type { AcceptedSources } from './accepted-sources.ts';
import { bySourceId, type Source, type SourceMap } from './source.ts';

const INPUT_CHANGED = 'a referenced file changed';

const baseOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

export class WatchedDirectory {
  readonly path: string;
  readonly #accepted: AcceptedSources;
  /** The last queued {@link watch}. */
  #watching: Promise<void> = Promise.resolve();
  #closed = false;
  #unsaved: Unsaved | null = null;
  #looked = false;
  #refused: Refusal | null = null;

  constructor(path: string, accepted: AcceptedSources) {
    this.path = path;
    this.#accepted = accepted;
  }

  /** True once the directory was read and accepted. */
  get looked(): boolean {
    return this.#looked;
  }

  /** Why the directory is refused, or null. */
  get refused(): Refusal | null {
    return this.#refused;
  }

  /** The last snapshot that could not be stored, or null. */
  get unsaved(): Unsaved | null {
    return this.#unsaved;
  }

  /**
   * Accepts a snapshot of the watched directory after reading its build contexts. Calls run one after the other. Resolves
   * with false when {@link close} came first; then nothing was accepted.
   * @throws TSD_DISK_FULL; then nothing was accepted, and the waiting manifests are shown as held
   */
  watch(snapshot: DirectorySnapshot): Promise<boolean> {
    const watching = this.#watching.then(async () => {
      const { files, refused = null, inputsChanged } = snapshot;
      const found = files.map(({ path, content }): Source => {
        return { kind: 'watched', origin: path, baseDir: baseOf(path), content };
      });
      const watched = refused === null ? bySourceId(found) : this.#accepted.set.watched;
      await this.#accepted.resolver.look({ ...this.#accepted.set, watched });
      if (this.#closed) return false;
      this.#refused = refused;
      if (refused === null) this.#takeOver(snapshot, watched);
      else if (inputsChanged) this.#accepted.adopt({}, { otherwise: INPUT_CHANGED });
      return true;
    });
    this.#watching = watching.then(
      () => {},
      () => {},
    );
    return watching;
  }

  /** Accepts no further snapshot and resolves when the current {@link watch} has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#accepted.resolver.close();
    await this.#watching;
  }

  #takeOver({ files, loss, inputsChanged }: DirectorySnapshot, watched: SourceMap): void {
    const { set } = this.#accepted;
    const before = set.watched.size > 0 ? set.watched : set.remembered;
    const emptied = files.length === 0 && before.size > 1;
    if ((loss !== 'none' && before.size > 0) || emptied) {
      const what = loss === 'vanished' ? 'is gone' : 'was emptied';
      const message = `${this.path} ${what}; its ${before.size} manifests stay until \`tsdocker approve\``;
      this.#accepted.holdRemoval({ directory: this.path, message }, before);
      return;
    }
    const why = inputsChanged ? INPUT_CHANGED : `${this.path} changed`;
    try {
      const holds = afterLook(set.holds, watched);
      this.#accepted.adopt({ held: null, remembered: new Map(), watched, holds }, { otherwise: why });
      this.#looked = true;
      this.#unsaved = null;
    } catch (error) {
      this.#unsaved = { watched, message: `it waits to be taken over: ${describeError(toTsdError(error))}` };
      throw error;
    }
  }
}
