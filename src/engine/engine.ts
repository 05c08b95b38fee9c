import type { Timers } from '../model/clock.ts';
import { within } from '../model/clock.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Handler, JobHost } from './job.ts';
import { Job } from './job.ts';

/** How long a shutdown waits for jobs that run, and then for its own handlers (docker 1.4, engine.go). */
const JOBS_WAIT_MS = 5_000;
const HANDLERS_WAIT_MS = 10_000;

/** Jobs that last as long as the engine: a shutdown does not wait for them. */
const ENDLESS_JOBS: ReadonlySet<string> = new Set(['serveapi']);

export interface EngineOptions {
  readonly timers: Timers;
  /** Receives `+job name(args)` and `-job name(args) = OK (0)`; left out, nothing is logged. */
  readonly log?: (line: string) => void;
  /** Receives `name(args)` of each job that ends. */
  readonly onEnd?: (job: string) => void;
  /** Receives what a job writes to stderr. */
  readonly stderr?: (text: string) => void;
}

/** The register of what the supervisor can do: every effect is a job run here. */
export class Engine {
  readonly #handlers = new Map<string, Handler>();
  readonly #onShutdown: (() => void | Promise<void>)[] = [];
  readonly #options: EngineOptions;
  readonly #host: JobHost;
  #catchall: Handler | undefined;
  #tasks = 0;
  readonly #running = new Set<Job>();
  #idle: (() => void) | undefined;
  #shutDown = false;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#host = {
      enter: (job) => this.#enter(job),
      leave: (job) => this.#leave(job),
      log: (line) => options.log?.(line()),
    };
    this.register('commands', (job) => {
      for (const name of this.commands()) job.stdout.write(`${name}\n`);
    });
  }

  /** @throws TSD_BUG when the name is taken. */
  register(name: string, handler: Handler): void {
    if (this.#handlers.has(name)) throw new TsdError('TSD_BUG', `Can't overwrite handler for command ${name}`);
    this.#handlers.set(name, handler);
  }

  /** Handles every job that has a name and no handler of its own. */
  registerCatchall(handler: Handler): void {
    this.#catchall = handler;
  }

  /** Names of all registered jobs, sorted. */
  commands(): readonly string[] {
    return [...this.#handlers.keys()].sort();
  }

  job(name: string, args: readonly string[] = [], payload?: unknown): Job {
    const handler = this.#handlers.get(name) ?? (name === '' ? undefined : this.#catchall);
    const job = new Job(this.#host, name, handler, args, payload);
    if (this.#options.stderr) job.stderr.add(this.#options.stderr);
    return job;
  }

  /** `name(args)` of jobs that run. */
  running(): readonly string[] {
    return [...this.#running].filter(({ name }) => !ENDLESS_JOBS.has(name)).map(String);
  }

  get isShutDown(): boolean {
    return this.#shutDown;
  }

  /** `handler` runs at shutdown, at the same time as the others. */
  onShutdown(handler: () => void | Promise<void>): void {
    this.#onShutdown.push(handler);
  }

  /**
   * Refuses new jobs, waits up to 5 s for those that run, then runs all shutdown handlers at once and waits up to 10 s
   * for them. Resolves in any case; a second call resolves at once. Failures of handlers are logged.
   */
  async shutdown(): Promise<void> {
    if (this.#shutDown) return;
    this.#shutDown = true;
    const { timers, log } = this.#options;
    if (this.#tasks > 0) {
      const idle = new Promise<void>((resolve) => {
        this.#idle = resolve;
      });
      await within(timers, JOBS_WAIT_MS, idle, undefined);
    }
    const handlers = this.#onShutdown.map(async (handler) => handler());
    const results = await within(timers, HANDLERS_WAIT_MS, Promise.allSettled(handlers), null);
    if (results === null) log?.(`shutdown: handlers still run after ${HANDLERS_WAIT_MS / 1000} s`);
    for (const result of results ?? []) {
      if (result.status === 'rejected') log?.(`shutdown: ${String(result.reason)}`);
    }
  }

  #enter(job: Job): void {
    if (this.#shutDown && !job.env.getBool('overrideShutdown')) {
      throw new TsdError('TSD_ENGINE_SHUTDOWN', 'engine is shutdown');
    }
    if (!ENDLESS_JOBS.has(job.name)) this.#tasks++;
    this.#running.add(job);
  }

  #leave(job: Job): void {
    if (this.#running.delete(job)) this.#options.onEnd?.(job.toString());
    if (!ENDLESS_JOBS.has(job.name)) this.#tasks--;
    if (this.#tasks === 0) this.#idle?.();
  }
}
