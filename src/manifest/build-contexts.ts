/** Cache of build contexts. They can be large: they are read in small steps, between which other work continues. */
import { setImmediate } from 'node:timers/promises';
import { type BuildSource, type ContextContent, finish, readBuildContext, type Steps } from './build-context.ts';

/** Longest stretch without a pause. */
const SLICE_MS = 5;
/** A context that takes this long to read may have changed meanwhile, and is read until it is the same twice. */
const LONG_MS = 100;
const MAX_READS = 5;
/** Contexts that are remembered beyond those of the latest look. */
const SPARE = 32;

/** Null when the signal aborts before the end. */
async function inSlices<T>(steps: Steps<T>, signal: AbortSignal): Promise<T | null> {
  let since = performance.now();
  for (;;) {
    const step = steps.next();
    if (step.done) return step.value;
    if (performance.now() - since < SLICE_MS) continue;
    await setImmediate();
    if (signal.aborted) {
      // Closes the files of the reader.
      steps.return(undefined as never);
      return null;
    }
    since = performance.now();
  }
}

const nameOf = (source: BuildSource): string => JSON.stringify(source);

export class BuildContexts {
  readonly #known = new Map<string, ContextContent>();
  readonly #closing = new AbortController();
  #looking: Promise<void> = Promise.resolve();

  /** Reads contexts as they are now, one after the other, unless {@link close} ends that. @param sources with absolute paths. */
  look(sources: readonly BuildSource[]): Promise<void> {
    this.#looking = this.#looking.then(() => this.#look(sources));
    return this.#looking;
  }

  /** As of the latest look; undefined for one that was never looked at. */
  known(source: BuildSource): ContextContent | undefined {
    return this.#known.get(nameOf(source));
  }

  /** What is known of a context, else what is there now. */
  read(source: BuildSource): ContextContent {
    const content = this.known(source) ?? finish(readBuildContext(source));
    this.#known.set(nameOf(source), content);
    return content;
  }

  /** Starts no read any more, and ends the running one. */
  close(): void {
    this.#closing.abort();
  }

  async #look(sources: readonly BuildSource[]): Promise<void> {
    for (const source of sources) {
      const name = nameOf(source);
      const content = await this.#settled(source);
      if (content === null) return;
      // Again at the end: the latest are kept longest.
      this.#known.delete(name);
      this.#known.set(name, content);
    }
    for (const name of this.#known.keys()) {
      if (this.#known.size <= sources.length + SPARE) break;
      this.#known.delete(name);
    }
  }

  async #settled(source: BuildSource): Promise<ContextContent | null> {
    const { signal } = this.#closing;
    if (signal.aborted) return null;
    let before: ContextContent | null = null;
    for (let reads = 1; ; reads++) {
      const startedAt = performance.now();
      const content = await inSlices(readBuildContext(source), signal);
      if (content === null) return null;
      const quick = performance.now() - startedAt < LONG_MS;
      if (quick || content.hash === before?.hash || reads === MAX_READS) return content;
      before = content;
    }
  }
}
