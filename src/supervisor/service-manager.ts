/** Tells systemd how the supervisor is (sd_notify(3)); does nothing where no service manager asked for it. */
import { notifyServiceManager } from '../ffi/sockets/notify.ts';
import { type TsdError, toTsdError } from '../model/errors/errors.ts';

/** How long the service manager waits on from each message that says so, and how often one is sent. */
const EXTENSION_MS = 30_000;
const EXTEND_EVERY_MS = 2_000;
/** Until a service manager that is behind is tried again. */
const RETRY_MS = 100;

export class ServiceManager {
  readonly #socket: string | null;
  readonly #watchdogMs: number | null;
  #timer: NodeJS.Timeout | null = null;
  #status = '';
  /** Not taken yet, by what they are about: of each only the last counts. */
  readonly #waiting = new Map<string, string>();
  #retry: NodeJS.Timeout | null = null;
  readonly #onProblem: (error: TsdError) => void;
  #troubled = false;

  /**
   * Takes NOTIFY_SOCKET and WATCHDOG_USEC out of the environment, so that no child inherits them.
   * @param environment process.env
   * @param onProblem called once when the socket has no listener
   */
  constructor(environment: NodeJS.ProcessEnv, onProblem: (error: TsdError) => void) {
    this.#onProblem = onProblem;
    this.#socket = environment.NOTIFY_SOCKET ?? null;
    const usec = Number(environment.WATCHDOG_USEC ?? '');
    const mine = environment.WATCHDOG_PID === undefined || environment.WATCHDOG_PID === String(process.pid);
    this.#watchdogMs = usec > 0 && mine ? usec / 1000 : null;
    delete environment.NOTIFY_SOCKET;
    delete environment.WATCHDOG_USEC;
    delete environment.WATCHDOG_PID;
  }

  /** Ready to serve; from now on the watchdog is fed at half its period while the event loop turns. */
  ready(): void {
    this.#send(`READY=1\nMAINPID=${process.pid}`);
    if (this.#watchdogMs !== null && this.#timer === null) {
      this.#timer = setInterval(() => this.#send('WATCHDOG=1'), this.#watchdogMs / 2);
      this.#timer.unref();
    }
  }

  /** One line for `systemctl status`; sent only when it changed. */
  status(text: string): void {
    if (text === this.#status) return;
    this.#status = text;
    this.#send(`STATUS=${text}`);
  }

  /**
   * Has the service manager wait while this work takes its time, and for the end of the supervisor after it
   * (sd_notify(3), EXTEND_TIMEOUT_USEC=).
   */
  async whileWaiting<T>(work: () => Promise<T>): Promise<T> {
    const extend = (): void => this.#send(`EXTEND_TIMEOUT_USEC=${EXTENSION_MS * 1000}`);
    extend();
    const timer = setInterval(extend, EXTEND_EVERY_MS);
    try {
      return await work();
    } finally {
      clearInterval(timer);
      extend();
    }
  }

  stopping(): void {
    if (this.#timer) clearInterval(this.#timer);
    this.#send('STOPPING=1');
  }

  #send(message: string): void {
    this.#waiting.set(message.split('=', 1)[0] ?? '', message);
    this.#flush();
  }

  #flush(): void {
    if (this.#retry !== null) clearTimeout(this.#retry);
    this.#retry = null;
    if (this.#socket === null) return;
    for (const [about, message] of this.#waiting) {
      if (!this.#takes(this.#socket, message)) {
        this.#retry = setTimeout(() => this.#flush(), RETRY_MS).unref();
        return;
      }
      this.#waiting.delete(about);
    }
  }

  /** A receiver that has gone, as some wrappers go after READY=1, is no reason to leave containers alone. */
  #takes(socket: string, message: string): boolean {
    try {
      return notifyServiceManager(socket, message);
    } catch (error) {
      if (!this.#troubled) this.#onProblem(toTsdError(error));
      this.#troubled = true;
      return true;
    }
  }
}
