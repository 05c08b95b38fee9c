import type { Instant } from '../model/clock.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import { Env } from './env.ts';
import { Input } from './input.ts';
import type { JobSpec } from './job-spec.ts';
import { Output } from './output.ts';

const STATUS = { ok: 0, error: 1, notFound: 127 } as const;

/** Does the work of a job and returns its status. No status means 0; a thrown error means 1. */
export type Handler = (job: Job) => number | undefined | Promise<number | undefined>;

/** The part of the engine that a job uses. */
export interface JobHost {
  /** Registers the start of the job. @throws when the engine is shut down and the job does not override that */
  enter(job: Job): void;
  leave(job: Job): void;
  now(): Instant;
  log(line: () => string): void;
  /** Receives the stderr of jobs. */
  readonly stderr: ((text: string) => void) | undefined;
}

/** The requester of a job; the uid is null when the connection does not report it. */
export interface Asker {
  readonly uid: number | null;
}

export interface JobOptions {
  /** Typed input for handlers that know what to expect, such as an op. */
  readonly payload?: unknown;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: AsyncIterable<Uint8Array>;
  /** Cancels the job when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** The requester; absent or null: the supervisor. */
  readonly by?: Asker | null;
}

/** A unit of work with a name, run once, like a job of Docker's engine: status, environment, streams, last error. */
export class Job {
  readonly spec: JobSpec;
  readonly args: readonly string[];
  readonly payload: unknown;
  /** Null for the supervisor itself. */
  readonly by: Asker | null;
  /** The stage that its handler last reported. */
  stage: string | null = null;
  readonly #host: JobHost;
  readonly #handler: Handler | undefined;
  readonly #outside: AbortSignal | undefined;
  #env: Env | undefined;
  #stdin: Input | undefined;
  #stdout: Output | undefined;
  #stderr: Output | undefined;
  #controller: AbortController | undefined;
  #cancelled: TsdError | null = null;
  #state: 'new' | 'running' | 'ended' = 'new';
  #status: number = STATUS.ok;
  #failure: TsdError | null = null;
  #began: Instant | null = null;
  #ended: Instant | null = null;

  constructor(
    host: JobHost,
    spec: JobSpec,
    handler: Handler | undefined,
    args: readonly string[],
    { payload, env, stdin, signal, by = null }: JobOptions,
  ) {
    this.#host = host;
    this.spec = spec;
    this.#handler = handler;
    this.args = args;
    this.payload = payload;
    this.by = by;
    this.#outside = signal;
    if (env !== undefined) for (const [key, value] of Object.entries(env)) this.env.set(key, value);
    if (stdin !== undefined) this.stdin.attach(stdin);
  }

  get name(): string {
    return this.spec.name;
  }

  // Created on first use: most jobs use none, and creating all costs more than the rest of a job's bookkeeping.
  get env(): Env {
    this.#env ??= new Env();
    return this.#env;
  }

  get stdin(): Input {
    this.#stdin ??= new Input();
    return this.#stdin;
  }

  get stdout(): Output {
    this.#stdout ??= this.#output(false);
    return this.#stdout;
  }

  get stderr(): Output {
    if (this.#stderr === undefined) {
      const { stderr } = this.#host;
      this.#stderr = this.#output(true);
      if (stderr) this.#stderr.add((chunk) => stderr(String(chunk)));
    }
    return this.#stderr;
  }

  /** Aborts when the job is cancelled. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.#cancelled !== null) this.#controller.abort(this.#cancelled);
    }
    return this.#controller.signal;
  }

  get status(): number {
    return this.#status;
  }

  /** The error behind a status other than 0, typed; null before the end and after success. */
  get failure(): TsdError | null {
    return this.#failure;
  }

  /** True once it was cancelled; it runs until its handler has ended. */
  get isCancelled(): boolean {
    return this.#cancelled !== null;
  }

  /** Null before it began. */
  get began(): Instant | null {
    return this.#began;
  }

  /** Returns its duration; until `now` while it runs. */
  ms(now: Instant): number {
    return this.#began === null ? 0 : (this.#ended ?? now).bootMs - this.#began.bootMs;
  }

  /** Returns the arguments that are known not to be secret. */
  get shownArgs(): readonly string[] {
    const { shownArgs = Number.POSITIVE_INFINITY } = this.spec;
    return this.args.length <= shownArgs ? this.args : [...this.args.slice(0, shownArgs), '…'];
  }

  /** Returns the environment as `K=V`; a value that is or may be secret is `…`. */
  get shownEnv(): readonly string[] {
    const known = this.spec.env ?? {};
    return (this.#env?.list() ?? []).map((variable) => {
      const name = variable.slice(0, variable.indexOf('='));
      const isShown = Object.hasOwn(known, name) && known[name]?.secret !== true;
      return isShown ? variable : `${name}=…`;
    });
  }

  /** `name(a, b)` */
  toString(): string {
    return `${this.name}(${this.shownArgs.join(', ')})`;
  }

  /** Writes a line to stderr and returns the status of an error, for `return job.error('…')`. */
  error(text: string): number {
    void this.stderr.write(`${text}\n`);
    return STATUS.error;
  }

  /**
   * Cancels the job: {@link signal} aborts, and neither stdin nor a stalled reader blocks it any more. It ends when its
   * handler does. A job that is uncancellable continues.
   * @param why an error gives its code and hint
   */
  cancel(why: string | TsdError = 'it was cancelled'): void {
    if (this.#state === 'ended' || this.#cancelled !== null || this.spec.uncancellable === true) return;
    const error =
      typeof why === 'string'
        ? new TsdError('TSD_CALLED_OFF', `${this.name}: ${why}`, { hint: '' })
        : new TsdError(why.code, `${this.name}: ${why.message}`, { hint: why.hint });
    this.#cancelled = error;
    this.#controller?.abort(error);
    this.#stdin?.close(error);
    this.#stdout?.cut(error);
    if (this.#stderr?.isBehind) this.#stderr.cut(error);
  }

  /** Runs the handler. Rejects with the job's failure, whose text is the last line of stderr. */
  async run(): Promise<void> {
    if (this.#state !== 'new') throw new TsdError('TSD_BUG', `${this.name}: job has already completed`);
    this.#host.enter(this);
    this.#state = 'running';
    this.#began = this.#host.now();
    const leave = this.#obeyOutside();
    try {
      this.#host.log(() => `+job ${this}`);
      await this.#handle();
      await this.#close();
      this.#host.log(() => `-job ${this} = ${this.#status === STATUS.ok ? 'OK' : 'ERR'} (${this.#status})`);
    } finally {
      leave?.();
      this.#state = 'ended';
      this.#ended = this.#host.now();
      this.#host.leave(this);
    }
    if (this.#failure) throw this.#failure;
  }

  #obeyOutside(): (() => void) | undefined {
    const outside = this.#outside;
    if (outside === undefined) return undefined;
    const obey = (): void => {
      const { reason } = outside;
      this.cancel(reason instanceof TsdError ? reason : 'who asked for it is gone');
    };
    if (outside.aborted) obey();
    else outside.addEventListener('abort', obey, { once: true });
    return () => outside.removeEventListener('abort', obey);
  }

  async #handle(): Promise<void> {
    try {
      if (this.#cancelled !== null) throw this.#cancelled;
      if (!this.#handler) throw new TsdError('TSD_JOB_UNKNOWN', `${this.name}: command not found`);
      this.#status = (await this.#handler(this)) ?? STATUS.ok;
      if (this.#status !== STATUS.ok) this.#failure = this.#failureOf(this.#status);
    } catch (thrown) {
      const failure = this.#cancelled !== null && isAbort(thrown) ? this.#cancelled : toTsdError(thrown);
      this.#status = failure.code === 'TSD_JOB_UNKNOWN' ? STATUS.notFound : STATUS.error;
      this.#failure = failure;
      void this.stderr.write(`${describeError(failure)}\n`);
    }
  }

  #failureOf(status: number): TsdError {
    const last = this.#stderr?.lastLine ?? '';
    // Without a line there is none to point at.
    if (last === '') return new TsdError('TSD_JOB_FAILED', `${this.name} ended with status ${status}`, { hint: '' });
    return new TsdError('TSD_JOB_FAILED', last);
  }

  /** Delivers buffered output to the readers, then ends the streams. */
  async #close(): Promise<void> {
    if (this.#stdin === undefined && this.#stdout === undefined && this.#stderr === undefined) return;
    const over = new TsdError('TSD_BUG', `${this.name}: the job has ended, its streams are closed`);
    this.#stdin?.close(over);
    for (const output of [this.#stdout, this.#stderr]) {
      const rest = output?.end(over) ?? null;
      if (rest !== null) await rest;
    }
  }

  #output(remembers: boolean): Output {
    const onLate = (): void => {
      if (this.#state === 'ended') this.#host.log(() => `job ${this} writes after its end`);
    };
    const output = new Output({ onLate, remembers });
    if (this.#state === 'ended') output.cut(new TsdError('TSD_BUG', `${this.name}: the job has ended`));
    else if (this.#cancelled !== null && !remembers) output.cut(this.#cancelled);
    return output;
  }
}

function isAbort(thrown: unknown): boolean {
  return thrown instanceof Error && thrown.name === 'AbortError';
}
