import { EventEmitter } from 'node:events';
import type { ApplyEvent } from '../api/requests.ts';

interface SupervisorEvents {
  /** Progress of an op, for waiting callers. */
  op: [Extract<ApplyEvent, { type: 'op' | 'progress' }>];
  /** The state of the world may have changed. */
  change: [];
}

/** Notifications for observers. They carry no state: they only say when to look. */
export class SupervisorEventBus extends EventEmitter<SupervisorEvents> {
  constructor() {
    super();
    // One listener for each client that waits; a hundred of them are no leak.
    this.setMaxListeners(0);
  }

  /** Resolves at the next change, or after `ms`, or when aborted. */
  nextChange(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.off('change', done);
        signal?.removeEventListener('abort', done);
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.once('change', done);
      signal?.addEventListener('abort', done, { once: true });
    });
  }
}
