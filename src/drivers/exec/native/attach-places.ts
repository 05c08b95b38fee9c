import { TsdError } from '../../../model/errors/errors.ts';

/**
 * How many sessions may be attached to a container. CONNECTIONS of shim/shim.h less those of supervisors, of which a new
 * one must be able to connect: a client without a place waits unanswered.
 */
const PLACES = 12;

/** Keeps the connections of a shim from running out. */
export class AttachPlaces {
  readonly #taken = new Map<string, number>();

  /** The function returned gives the place back; once. @throws TSD_SHIM when there is none. */
  take(containerId: string): () => void {
    const taken = this.#taken.get(containerId) ?? 0;
    if (taken >= PLACES) {
      throw new TsdError(
        'TSD_SHIM',
        `${PLACES} sessions are attached to ${containerId}, which is the most it can have`,
        {
          class: 'exhausted',
          hint: 'Leave one of them (Ctrl-P Ctrl-Q), or read along with `tsdocker logs -f`.',
        },
      );
    }
    this.#taken.set(containerId, taken + 1);
    return () => this.#giveBack(containerId);
  }

  #giveBack(containerId: string): void {
    const left = (this.#taken.get(containerId) ?? 1) - 1;
    if (left > 0) this.#taken.set(containerId, left);
    else this.#taken.delete(containerId);
  }
}
