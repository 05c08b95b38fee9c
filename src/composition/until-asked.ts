/** The life of a supervisor between its start and the signal that ends it. */
import { trapSignals } from '../engine/signals.ts';
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
    const host = {
      on: (signal: NodeJS.Signals, listener: () => void) => process.on(signal, listener),
      exit: (code: number) => {
        log.error({ jobs: engine.running(), open: engine.open }, 'ends at once, as a fourth signal asks');
        process.exit(code);
      },
    };
    const requests = {
      end: () => {
        this.#isAsked = true;
        ask();
      },
      again: (count: number) =>
        log.warn(
          { jobs: engine.running(), open: engine.open },
          `still ending; signal ${count} of 4: the third lets containers go, the fourth ends at once`,
        ),
      letGo: () => this.stopStage?.letGo(),
      dump: () => {
        for (const job of engine.running()) log.warn(`running: ${job}`);
      },
    };
    trapSignals(host, requests, (process.env.DEBUG ?? '') !== '');
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }
}
