/** The life of a supervisor between its start and the signal that ends it. */
import { dumpOf } from '../engine/job-dump.ts';
import { trapSignals } from '../engine/signals.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { StopStage } from '../supervisor/stop-stage.ts';
import type { Core } from './core.ts';

export class UntilAsked {
  /** Resolves with the first request to end. */
  readonly request: Promise<void>;
  /** From the moment on at which containers can be stopped. */
  stopStage: StopStage | null = null;
  #isAsked = false;

  /** Signals are trapped from here on; during a start they are obeyed when the step that runs has ended. */
  constructor({ log, engine }: Core) {
    let ask = (): void => {};
    this.request = new Promise((resolve) => {
      ask = resolve;
    });
    const state = () => ({
      containers: this.stopStage?.underWay ?? [],
      jobs: engine.running(),
      parts: this.#isAsked ? engine.open : [],
    });
    const host = {
      on: (signal: NodeJS.Signals, listener: () => void) => process.on(signal, listener),
      exit: (code: number) => {
        log.error(state(), 'ends at once: this was the fourth signal');
        process.exit(code);
      },
    };
    const requests = {
      end: () => {
        this.#isAsked = true;
        ask();
      },
      again: (count: number) =>
        log.warn(state(), `signal ${count} of 4 while ending: the third lets containers go, the fourth ends at once`),
      letGo: () => this.stopStage?.letGo(),
      dump: () => {
        const now = systemClock.now();
        for (const job of engine.jobs()) log.warn(dumpOf(job, now), `runs: ${job}`);
        log.warn(state(), 'what runs, as SIGQUIT asks');
      },
    };
    trapSignals(host, requests, (process.env.DEBUG ?? '') !== '');
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }
}
