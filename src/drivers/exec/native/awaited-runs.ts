/** Sessions that wait for a run: they connect to its shim before the payload can write anything. */
import { ShimConnection } from './shim/shim-connection.ts';
import { REQUEST } from './shim/shim-protocol.ts';

/** A run that is being started and whose shim can be connected to. */
interface ComingRun {
  readonly socket: string;
  readonly tty: boolean;
  readonly stdin: boolean;
}

/** What a waiting session gets. The connection belongs to it. */
interface EarlyConnection extends Omit<ComingRun, 'socket'> {
  readonly connection: ShimConnection;
  /** Errno of the request to be attached. It is made here and now: the payload may begin in the next turn of the loop. */
  readonly attached: Promise<number>;
}

type Waiter = (run: ComingRun) => void;

export class AwaitedRuns {
  readonly #waiters = new Map<string, Set<Waiter>>();
  /** Those that are being started, by container. */
  readonly #coming = new Map<string, ComingRun>();

  /** The socket of a run is there; its payload is not yet. */
  listening(containerId: string, run: ComingRun): void {
    this.#coming.set(containerId, run);
    for (const waiter of [...(this.#waiters.get(containerId) ?? [])]) waiter(run);
  }

  /** The run has begun, or did not. */
  over(containerId: string): void {
    this.#coming.delete(containerId);
  }

  /**
   * Attaches to the run that is being started, or to the next one.
   * @throws the reason of the signal
   */
  next(containerId: string, signal: AbortSignal): Promise<EarlyConnection> {
    return new Promise((resolve, reject) => {
      const take = ({ socket, tty, stdin }: ComingRun): boolean => {
        const connection = ShimConnection.connect(socket, ShimConnection.ofSession);
        if (connection === null) return false;
        const attached = connection.requestAtLaunch(REQUEST.attach);
        attached.catch(() => {});
        resolve({ connection, attached, tty, stdin });
        return true;
      };
      const coming = this.#coming.get(containerId);
      if (coming !== undefined && take(coming)) return;
      const waiters = this.#waiters.get(containerId) ?? new Set();
      const leave = (): void => {
        waiters.delete(waiter);
        if (waiters.size === 0) this.#waiters.delete(containerId);
        signal.removeEventListener('abort', abort);
      };
      const waiter = (run: ComingRun): void => {
        leave();
        try {
          take(run);
        } catch (error) {
          reject(error);
        }
      };
      const abort = (): void => {
        leave();
        reject(signal.reason);
      };
      if (signal.aborted) return abort();
      this.#waiters.set(containerId, waiters.add(waiter));
      signal.addEventListener('abort', abort, { once: true });
    });
  }
}
