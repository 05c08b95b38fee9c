import type { Clock, Timers } from '../model/clock.ts';
import { within } from '../model/clock.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Handler, JobHost, JobOptions } from './job.ts';
import { Job } from './job.ts';
import type { JobSpec } from './job-spec.ts';
import { type Close, type FailedHandler, type OnShutdown, ShutdownHandlers } from './shutdown-handlers.ts';

/** How long a shutdown waits for running jobs, and then for its handlers (docker 1.4, engine.go). */
const JOBS_WAIT_MS = 5_000;
const HANDLERS_WAIT_MS = 10_000;
/** How long a part stays open for a user that hangs; the rest of the time is for closing the part. */
const TURN_MS = HANDLERS_WAIT_MS / 2;
const SHUTTING_DOWN = 'the supervisor is shutting down';

const shuttingDown = (): TsdError => new TsdError('TSD_ENGINE_SHUTDOWN', SHUTTING_DOWN);

/** Lists the registered jobs, as in Docker's engine. */
export const COMMANDS_JOB: JobSpec = {
  name: 'commands',
  summary: 'lists the names of all jobs',
  stdout: 'one name a line, sorted',
};

export interface EngineOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Receives `+job name(args)` and `-job name(args) = OK (0)`; absent: no log. */
  readonly log?: (line: string) => void;
  /** Receives each job that has ended. */
  readonly onEnd?: (job: Job) => void;
  /** Receives the stderr of jobs. */
  readonly stderr?: (text: string) => void;
}

interface Registered {
  readonly spec: JobSpec;
  readonly handler: Handler;
}

/** What a shutdown could not end, and its errors. */
export interface ShutdownReport {
  /** `name(args)` of jobs that were cancelled at the time limit. */
  readonly late: readonly string[];
  /** Jobs and handlers that still ran at the end. */
  readonly hanging: readonly string[];
  readonly failed: readonly FailedHandler[];
}

/** The registry of all jobs of the supervisor. Every effect is a job run here. */
export class Engine implements OnShutdown {
  readonly #handlers = new Map<string, Registered>();
  readonly #atShutdown = new ShutdownHandlers();
  readonly #options: EngineOptions;
  readonly #host: JobHost;
  #catchall: Handler | undefined;
  #tasks = 0;
  readonly #running = new Set<Job>();
  #idle: (() => void) | undefined;
  #drained: Promise<readonly string[]> | null = null;
  #shutDown: Promise<ShutdownReport> | null = null;

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#host = {
      enter: (job) => this.#enter(job),
      leave: (job) => this.#leave(job),
      now: () => options.clock.now(),
      log: (line) => options.log?.(line()),
      stderr: options.stderr,
    };
    this.register(COMMANDS_JOB, async (job) => {
      for (const name of this.commands()) await job.stdout.write(`${name}\n`);
    });
  }

  /**
   * @param job a name alone registers a job without a description
   * @throws TSD_BUG when the name is taken
   */
  register(job: JobSpec | string, handler: Handler): void {
    const spec = typeof job === 'string' ? { name: job, summary: '' } : job;
    if (this.#handlers.has(spec.name)) {
      throw new TsdError('TSD_BUG', `Can't overwrite handler for command ${spec.name}`);
    }
    this.#handlers.set(spec.name, { spec, handler });
  }

  /** Sets the handler for jobs whose name has none. */
  registerCatchall(handler: Handler): void {
    this.#catchall = handler;
  }

  /** Names of all registered jobs, sorted. */
  commands(): readonly string[] {
    return [...this.#handlers.keys()].sort();
  }

  /** The registered jobs, in the order of {@link commands}. */
  specs(): readonly JobSpec[] {
    return this.commands().flatMap((name) => this.#handlers.get(name)?.spec ?? []);
  }

  /** Returns null for a name that is not registered. */
  spec(name: string): JobSpec | null {
    return this.#handlers.get(name)?.spec ?? null;
  }

  job(name: string, args: readonly string[] = [], options: JobOptions = {}): Job {
    const registered = this.#handlers.get(name);
    if (registered) return new Job(this.#host, registered.spec, registered.handler, args, options);
    return new Job(this.#host, { name, summary: '' }, name === '' ? undefined : this.#catchall, args, options);
  }

  /** The running jobs, oldest first. */
  jobs(): readonly Job[] {
    return [...this.#running];
  }

  /** `name(args)` of running jobs that a shutdown waits for. */
  running(): readonly string[] {
    return this.jobs().flatMap((job) => (job.spec.endless === true ? [] : [String(job)]));
  }

  /** Shutdown handlers that have not ended. */
  get open(): readonly string[] {
    return this.#atShutdown.names;
  }

  /** True once new jobs are refused. */
  get isShutDown(): boolean {
    return this.#drained !== null;
  }

  onShutdown(name: string, close: Close, uses?: readonly string[]): Close {
    return this.#atShutdown.onShutdown(name, close, uses);
  }

  /**
   * Refuses new jobs, waits up to 5 s for the running ones and then cancels them. Jobs with `cancelledAtShutdown` are
   * cancelled at once.
   * @returns the jobs that had not ended by themselves
   */
  drain(): Promise<readonly string[]> {
    this.#drained ??= this.#drain();
    return this.#drained;
  }

  /**
   * As {@link drain}; then runs the shutdown handlers at once and waits up to 10 s for them. Resolves in any case; a
   * second call does nothing and waits for the first.
   */
  shutdown(): Promise<ShutdownReport> {
    this.#shutDown ??= this.#end();
    return this.#shutDown;
  }

  async #drain(): Promise<readonly string[]> {
    if (this.#tasks === 0) return [];
    for (const job of this.#running) if (job.spec.cancelledAtShutdown === true) job.cancel(shuttingDown());
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    await within(this.#options.timers, JOBS_WAIT_MS, idle, undefined);
    const late = this.running();
    for (const job of this.#running) if (job.spec.endless !== true) job.cancel(shuttingDown());
    return late;
  }

  async #end(): Promise<ShutdownReport> {
    const late = await this.drain();
    const { timers } = this.#options;
    const { failed, hanging } = await this.#atShutdown.close({ timers, totalMs: HANDLERS_WAIT_MS, turnMs: TURN_MS });
    return { late, failed, hanging: [...this.running(), ...hanging] };
  }

  #enter(job: Job): void {
    if (this.isShutDown && !job.env.getBool('overrideShutdown')) {
      throw new TsdError('TSD_ENGINE_SHUTDOWN', `${job.name} was not begun: ${SHUTTING_DOWN}`);
    }
    if (job.spec.endless !== true) this.#tasks++;
    this.#running.add(job);
  }

  #leave(job: Job): void {
    this.#running.delete(job);
    if (job.spec.endless !== true) this.#tasks--;
    if (this.#tasks === 0) this.#idle?.();
    this.#options.onEnd?.(job);
  }
}
