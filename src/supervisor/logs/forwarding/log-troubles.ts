import type { Clock } from '../../../model/clock.ts';
import { formatTime } from '../../../model/clock.ts';

/** Containers whose log does not reach its receiver now, and since when. */
export class LogTroubles {
  readonly #clock: Clock;
  readonly #troubles = new Map<string, { readonly message: string; readonly since: string }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(containerId: string): { readonly message: string; readonly since: string } | undefined {
    return this.#troubles.get(containerId);
  }

  begin(containerId: string, message: string): void {
    this.#troubles.set(containerId, { message, since: formatTime(this.#clock.now().wallMs) });
  }

  end(containerId: string): void {
    this.#troubles.delete(containerId);
  }
}
