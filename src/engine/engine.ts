import type { Clock, Timers } from '../model/clock.ts';
import { within } from '../model/clock.ts';
import { TsdError } from '../model/errors/errors.ts';
import type { Handler, JobHost, JobOptions } from './job.ts';
import { Job } from './job.ts';
import type { JobSpec } from './job-spec.ts';
import { type Close, type FailedHandler, type OnShutdown, ShutdownHandlers } from './shutdown-handlers.ts';

/** How long a shutdown waits for jobs that run, and then for its own handlers (docker 1.4, engine.go). */
const JOBS_WAIT_MS = 5_000;
const HANDLERS_WAIT_MS = 10_000;
/** How long a part stays open for another that hangs; what is left of the time is for the part itself. */
const TURN_MS = HANDLERS_WAIT_MS / 2;
const SHUTTING_DOWN = 'the supervisor is shutting down';

/** Lists what is registered, as Docker's engine does. */
export const COMMANDS_JOB: JobSpec = {
  name: 'commands',
  summary: 'lists the names of all jobs',
  stdout: 'one name a line, sorted',
};

export interface EngineOptions {
  readonly clock: Clock;
  readonly timers: Timers;
  /** Receives `+job name(args)` and `-job name(args) = OK (0)`; left out, nothing is logged. */
  readonly log?: (line: string) => void;
  /** Receives each job that has ended. */
  readonly onEnd?: (job: Job) => void;
  /** Receives what a job writes to stderr. */
  readonly stderr?: (text: string) => void;
}

interface Registered {
  readonly spec: JobSpec;
  readonly handler: Handler;
}

/** What a shutdown could not end, and what failed in it. */
export interface ShutdownReport {
  /** `name(args)` of jobs that were cancelled when their time was over. */
  readonly late: readonly string[];
  /** Jobs that ran on all the same, and handlers, that had not ended at the end. */
  readonly hanging: readonly string[];
  readonly failed: readonly FailedHandler[];
}

/** The register of what the supervisor can do: every effect is a job run here. */
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
   * @param job a name alone is a job of which nothing else is said
   * @throws TSD_BUG when the name is taken
   */
  register(job: JobSpec | string, handler: Handler): void {
    const spec = typeof job === 'string' ? { name: job, summary: '' } : job;
    if (this.#handlers.has(spec.name)) {
      throw new TsdError('TSD_BUG', `Can't overwrite handler for command ${spec.name}`);
    }
    this.#handlers.set(spec.name, { spec, handler });
  }

  /** Handles every job that has a name and no handler of its own. */
  registerCatchall(handler: Handler): void {
    this.#catchall = handler;
  }

  /** Names of all registered jobs, sorted. */
  commands(): readonly string[] {
    return [...this.#handlers.keys()].sort();
  }

  /** What is registered, in the order of {@link commands}. */
  specs(): readonly JobSpec[] {
    return this.commands().flatMap((name) => this.#handlers.get(name)?.spec ?? []);
  }

  /** Null for a name that is not registered. */
  spec(name: string): JobSpec | null {
    return this.#handlers.get(name)?.spec ?? null;
  }

  job(name: string, args: readonly string[] = [], options: JobOptions = {}): Job {
    const registered = this.#handlers.get(name);
    if (registered) return new Job(this.#host, registered.spec, registered.handler, args, options);
    return new Job(this.#host, { name, summary: '' }, name === '' ? undefined : this.#catchall, args, options);
  }

  /** Jobs that run, oldest first. */
  jobs(): readonly Job[] {
    return [...this.#running];
  }

  /** `name(args)` of jobs that run and will end. */
  running(): readonly string[] {
    return this.jobs().flatMap((job) => (job.spec.endless === true ? [] : [String(job)]));
  }

  /** Shutdown handlers that have not ended. */
  get open(): readonly string[] {
    return this.#atShutdown.names;
  }

  /** No job begins any more. */
  get isShutDown(): boolean {
    return this.#drained !== null;
  }

  onShutdown(name: string, close: Close, uses?: readonly string[]): Close {
    return this.#atShutdown.onShutdown(name, close, uses);
  }

  /**
   * Refuses new jobs and waits up to 5 s for those that run; then it calls them off, those at once that say so.
   * @returns those that had not ended by themselves
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
    for (const job of this.#running) if (job.spec.cancelledAtShutdown === true) job.cancel(SHUTTING_DOWN);
    const idle = new Promise<void>((resolve) => {
      this.#idle = resolve;
    });
    await within(this.#options.timers, JOBS_WAIT_MS, idle, undefined);
    const late = this.running();
    for (const job of this.#running) if (job.spec.endless !== true) job.cancel(SHUTTING_DOWN);
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
