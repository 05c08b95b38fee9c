import { notifySocket } from './notify-socket.ts';

/** How often it looks at the clock. */
const LOOK_MS = 20;

/**
 * A service manager that is stopping a service, as systemd is: who has not ended when its time is over is killed, unless it
 * asks for more (sd_notify(3), EXTEND_TIMEOUT_USEC=).
 */
export class StoppingManager {
  readonly #socket: ReturnType<typeof notifySocket>;
  #timer: NodeJS.Timeout | undefined;
  #deadline = Number.POSITIVE_INFINITY;
  #read = 0;
  hasKilled = false;

  /** @param path where it listens */
  constructor(path: string) {
    this.#socket = notifySocket(path);
  }

  get messages(): readonly string[] {
    return this.#socket.messages();
  }

  /** From now on the time counts. @param timeoutMs as TimeoutStopSec= of the service */
  beginStop(pid: number, timeoutMs: number): void {
    this.#deadline = performance.now() + timeoutMs;
    this.#read = this.messages.length;
    this.#timer = setInterval(() => this.#look(pid), LOOK_MS);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#socket.close();
  }

  #look(pid: number): void {
    const messages = this.messages.slice(this.#read);
    this.#read += messages.length;
    for (const message of messages) {
      const [, usec] = /^EXTEND_TIMEOUT_USEC=(\d+)$/.exec(message) ?? [];
      if (usec !== undefined) this.#deadline = Math.max(this.#deadline, performance.now() + Number(usec) / 1000);
    }
    if (performance.now() <= this.#deadline) return;
    clearInterval(this.#timer);
    this.hasKilled = true;
    process.kill(pid, 'SIGKILL');
  }
}
