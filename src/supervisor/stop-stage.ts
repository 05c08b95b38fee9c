/** The stage before a shutdown in which all containers are stopped. */
import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';
import { type StopPorts, type StopReport, stopAll } from './shutdown.ts';

export interface StopStageParts {
  readonly stops: StopPorts;
  readonly desired: () => DesiredState;
  /** Nothing else starts or stops a container from now on. @param why as containers that do not run say it */
  readonly quiet: (why: string) => Promise<void>;
  /** Called before one is stopped. */
  readonly onStop: (key: ResourceKey) => void;
  readonly onEnd: (report: StopReport) => void;
  /** Runs work that may take as long as containers do. */
  readonly patiently: <T>(work: () => Promise<T>) => Promise<T>;
}

export class StopStage {
  readonly #parts: StopStageParts;
  readonly #letGo = new AbortController();
  readonly #underWay = new Set<string>();
  #running: Promise<StopReport> | null = null;

  constructor(parts: StopStageParts) {
    this.#parts = parts;
  }

  /** Callers that ask while it runs get the same result. */
  run(why: string): Promise<StopReport> {
    this.#running ??= this.#parts
      .patiently(() => this.#run(why))
      .finally(() => {
        this.#running = null;
      });
    return this.#running;
  }

  /** Resolves when it does not run. */
  async ended(): Promise<void> {
    await this.#running?.catch(() => {});
  }

  /** Names of containers that are being stopped. */
  get underWay(): readonly string[] {
    return [...this.#underWay];
  }

  /** No more containers are stopped, and those that were asked to end are left to their shims. */
  letGo(): void {
    this.#letGo.abort();
  }

  async #run(why: string): Promise<StopReport> {
    const { stops, desired, quiet, onStop, onEnd } = this.#parts;
    await quiet(why);
    const report = await stopAll(stops, desired(), {
      onStop,
      letGo: this.#letGo.signal,
      underWay: this.#underWay,
    });
    onEnd(report);
    return report;
  }
}
