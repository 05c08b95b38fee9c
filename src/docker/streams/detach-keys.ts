/** Keys on a terminal that leave a session and let its program run on: `ctrl-p,ctrl-q`. */
import { append } from '../../model/lists.ts';
import { DockerError } from '../wire/docker-error.ts';

const DEFAULT_KEYS = 'ctrl-p,ctrl-q';
const CONTROL = /^ctrl-([a-z@[\\\]^_])$/;

function keyOf(written: string): number {
  if (/^[\x20-\x7e]$/.test(written)) return written.charCodeAt(0);
  const control = CONTROL.exec(written.toLowerCase())?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & 0x1f;
  throw new DockerError(400, `Invalid detach keys (${written}) provided`);
}

/** @param written keys with commas between them; empty for the usual ones. @throws DockerError 400 */
export function detachKeysOf(written: string): readonly number[] {
  return (written === '' ? DEFAULT_KEYS : written).split(',').map(keyOf);
}

export class DetachKeys {
  readonly #keys: readonly number[];
  #matched = 0;

  /** @param keys none, and nothing is one. */
  constructor(keys: readonly number[]) {
    this.#keys = keys;
  }

  /** What of the input is for the program: keys that may be the beginning of the sequence wait for the next ones. */
  take(chunk: Buffer): { readonly bytes: Buffer; readonly isDetached: boolean } {
    if (this.#keys.length === 0) return { bytes: chunk, isDetached: false };
    const passed: number[] = [];
    for (const byte of chunk) {
      if (byte !== this.#keys[this.#matched]) {
        append(passed, this.#keys.slice(0, this.#matched));
        this.#matched = 0;
      }
      if (byte !== this.#keys[this.#matched]) {
        passed.push(byte);
        continue;
      }
      this.#matched += 1;
      if (this.#matched === this.#keys.length) return { bytes: Buffer.from(passed), isDetached: true };
    }
    return { bytes: Buffer.from(passed), isDetached: false };
  }
}
