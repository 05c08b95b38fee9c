/** The trust directory of Docker 1.4: statements about who may publish under which name, and where they come from. */
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Timers } from '../../model/clock.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import { keyId } from './daemon-key.ts';
import { waitAfterFailure, waitWhileHeld } from './fetch-schedule.ts';
import { parseStatement, type SignedStatement } from './statement.ts';
import { requireSuccessor } from './trust-base.ts';
import { collapse, type TrustGraph } from './trust-graph.ts';

const OFFICIAL = 'official.json';

/** Where statements come from; tests and the composition root give the way there. */
export interface TrustBase {
  /** In words: its address. */
  readonly name: string;
  fetch(signal: AbortSignal): Promise<Buffer>;
}

export interface TrustStoreOptions {
  /** Made when it is missing. */
  readonly directory: string;
  /** Null: statements are those that lie in the directory. */
  readonly base: TrustBase | null;
  readonly clock: Clock;
  readonly timers: Timers;
  readonly log: (text: string) => void;
}

export class TrustStore {
  readonly #options: TrustStoreOptions;
  readonly #ending = new AbortController();
  #graph: TrustGraph | null = null;
  #fetching: Promise<void> | null = null;
  #failures = 0;
  #cancel = () => {};

  /** @throws TSD_TRUST_STORE for a statement that cannot be read or is not signed right. */
  constructor(options: TrustStoreOptions) {
    this.#options = options;
    mkdirSync(options.directory, { recursive: true, mode: 0o700 });
    this.#graph = readGraph(options.directory);
  }

  /** Null when there is no statement. Expired ones count: what they say is then answered as expired. */
  get graph(): TrustGraph | null {
    return this.#graph;
  }

  /** From now on statements are fetched before they expire. */
  begin(): void {
    if (this.#options.base !== null) this.#schedule(waitWhileHeld(this.#graph?.expiresAtMs ?? null, this.#nowMs));
  }

  /**
   * Fetches the base and puts it in force. Who asks while that continues waits for the same fetch.
   * @throws TSD_TRUST_BASE, TSD_TRUST_STORE, TSD_REGISTRY*: what is held stays in force.
   */
  update(): Promise<void> {
    this.#fetching ??= this.#update().finally(() => {
      this.#fetching = null;
    });
    return this.#fetching;
  }

  close(): void {
    this.#cancel();
    this.#ending.abort(new Error('the supervisor ends'));
  }

  get #nowMs(): number {
    return this.#options.clock.now().wallMs;
  }

  async #update(): Promise<void> {
    const { base } = this.#options;
    if (base === null) {
      throw new TsdError('TSD_TRUST_BASE', 'there is no trust base to fetch', {
        class: 'precondition',
        hint: 'Start the supervisor with --trust-base URL; statements may also be put into trust/ of its root.',
      });
    }
    try {
      await this.#take(base);
      this.#failures = 0;
      this.#schedule(waitWhileHeld(this.#graph?.expiresAtMs ?? null, this.#nowMs));
    } catch (thrown) {
      this.#failures++;
      this.#schedule(waitAfterFailure(this.#failures));
      throw thrown;
    }
  }

  async #take({ name, fetch }: TrustBase): Promise<void> {
    const { directory, log } = this.#options;
    const bytes = await fetch(this.#ending.signal);
    const next = parseStatement(bytes, name);
    const file = join(directory, OFFICIAL);
    const held = existsSync(file) ? readStatement(file) : null;
    requireSuccessor(next, held, { what: name, file, nowMs: this.#nowMs });
    if (held === null) log(`trust base ${name} is signed by ${next.keys.map(keyId).join(', ')}, which is kept`);
    writeFileSync(`${file}.tmp`, bytes, { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
    this.#graph = readGraph(directory);
  }

  #schedule(ms: number): void {
    this.#cancel();
    if (this.#ending.signal.aborted) return;
    this.#cancel = this.#options.timers.after(ms, () => {
      this.update().catch((thrown: unknown) => {
        if (!this.#ending.signal.aborted) this.#options.log(`trust base: ${describeError(toTsdError(thrown))}`);
      });
    });
  }
}

function readGraph(directory: string): TrustGraph | null {
  const names = readdirSync(directory).filter((file) => file.endsWith('.json'));
  return collapse(names.sort().map((file) => readStatement(join(directory, file))));
}

function readStatement(path: string): SignedStatement {
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new TsdError('TSD_TRUST_STORE', `cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
  return parseStatement(bytes, path);
}
