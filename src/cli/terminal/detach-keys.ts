import { Transform, type TransformCallback } from 'node:stream';
import { InvalidArgumentError } from '../command-line/command.ts';

/** Ctrl-@, Ctrl-A to Ctrl-Z, Ctrl-[ and so on are the letter's code without the upper bits (ASCII). */
const CONTROL_BITS = 0x1f;

/** The bytes of `ctrl-p,ctrl-q` or `a,b,c`: Docker's form of --detach-keys. None for the empty text. */
export function detachKeysArgument(text: string): Buffer {
  if (text === '') return Buffer.alloc(0);
  return Buffer.from(text.split(',').map(keyByte));
}

function keyByte(key: string): number {
  const control = /^ctrl-([a-z@[\\\]^_])$/i.exec(key)?.[1];
  if (control !== undefined) return control.toUpperCase().charCodeAt(0) & CONTROL_BITS;
  if (/^[\x20-\x7e]$/.test(key)) return key.charCodeAt(0);
  throw new InvalidArgumentError(
    'write keys with commas between: a character, or ctrl- and a letter or one of @[\\]^_',
  );
}

/** Passes input on until the keys come in a row; what could be their beginning waits for the next key. */
export class DetachFilter extends Transform {
  readonly #keys: Buffer;
  #held = 0;
  #over = false;

  /** @param keys none: everything passes. */
  constructor(keys: Buffer) {
    super();
    this.#keys = keys;
  }

  /** The detach keys were typed; input before them has been passed on. */
  detached(): Promise<void> {
    return new Promise((resolve) => this.once('end', () => this.#over && resolve()));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    if (this.#over || this.#keys.length === 0) {
      done(null, this.#over ? undefined : chunk);
      return;
    }
    const bytes = Buffer.concat([this.#keys.subarray(0, this.#held), chunk]);
    const at = bytes.indexOf(this.#keys);
    if (at >= 0) {
      this.push(bytes.subarray(0, at));
      this.#over = true;
      this.push(null);
      done();
      return;
    }
    this.#held = this.#beginningAtEndOf(bytes);
    done(null, bytes.subarray(0, bytes.length - this.#held));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#over ? undefined : this.#keys.subarray(0, this.#held));
  }

  /** How many of the last bytes are the first of the keys. */
  #beginningAtEndOf(bytes: Buffer): number {
    for (let length = Math.min(this.#keys.length - 1, bytes.length); length > 0; length -= 1) {
      if (bytes.subarray(bytes.length - length).equals(this.#keys.subarray(0, length))) return length;
    }
    return 0;
  }
}
