import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import { Env } from './env.ts';
import { Output } from './output.ts';

const STATUS = { ok: 0, error: 1, notFound: 127 } as const;

/** Does the work of a job and returns its status; none is 0, a thrown error 1. */
export type Handler = (job: Job) => number | undefined | Promise<number | undefined>;

/** What a job needs of its engine. */
export interface JobHost {
  /** Asks to begin; throws when the engine is shut down and the job does not override that. */
  enter(job: Job): void;
  leave(job: Job): void;
  log(line: () => string): void;
}

/** One piece of work by name, run once, after the job of Docker's engine: statuses, environment, output, last error. */
export class Job {
  readonly name: string;
  readonly args: readonly string[];
  /** Typed input for handlers that know what to expect, such as an op. */
  readonly payload: unknown;
  readonly env = new Env();
  readonly stdout = new Output();
  readonly stderr = new Output();
  readonly #host: JobHost;
  readonly #handler: Handler | undefined;
  #status: number = STATUS.ok;
  #ended = false;
  #failure: TsdError | null = null;

  constructor(host: JobHost, name: string, handler: Handler | undefined, args: readonly string[], payload: unknown) {
    this.#host = host;
    this.name = name;
    this.#handler = handler;
    this.args = args;
    this.payload = payload;
  }

  get status(): number {
    return this.#status;
  }

  /** The error behind a status other than 0, typed; null before the end and after success. */
  get failure(): TsdError | null {
    return this.#failure;
  }

  /** `name(a, b)` */
  toString(): string {
    return `${this.name}(${this.args.join(', ')})`;
  }

  /** Writes a line to stderr and returns the status of an error, for `return job.error('…')`. */
  error(text: string): number {
    this.stderr.write(`${text}\n`);
    return STATUS.error;
  }

  /** Runs the handler. Rejects with the job's failure, whose text is the last line of stderr. */
  async run(): Promise<void> {
    this.#host.enter(this);
    try {
      if (this.#ended) throw new TsdError('TSD_BUG', `${this.name}: job has already completed`);
      this.#host.log(() => `+job ${this}`);
      await this.#handle();
      this.stdout.close();
      this.stderr.close();
      this.#host.log(() => `-job ${this} = ${this.#status === STATUS.ok ? 'OK' : 'ERR'} (${this.#status})`);
      if (this.#failure) throw this.#failure;
    } finally {
      this.#host.leave(this);
    }
  }

  async #handle(): Promise<void> {
    if (!this.#handler) {
      this.stderr.write(`${this.name}: command not found\n`);
      this.#status = STATUS.notFound;
      this.#failure = new TsdError('TSD_BUG', this.stderr.lastLine);
      return;
    }
    try {
      this.#status = (await this.#handler(this)) ?? STATUS.ok;
      if (this.#status !== STATUS.ok) this.#failure = new TsdError('TSD_BUG', this.stderr.lastLine);
    } catch (thrown) {
      const failure = toTsdError(thrown);
      this.#status = STATUS.error;
      this.#failure = failure;
      this.stderr.write(`${describeError(failure)}\n`);
    }
    this.#ended = true;
  }
}
