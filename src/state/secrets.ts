import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { TsdError, toTsdError } from '../model/errors/errors.ts';
import type { StateFiles } from './files/durable.ts';
import { toStateError } from './files/state-error.ts';
import { corrupt, readStateFile } from './files/state-file.ts';

export const PREFIX = 'tsd-secret:';
const REFERENCE = /^tsd-secret:([0-9a-f]{64})$/;

/** The reference that replaces a secret value in the state. Equal values have equal references. */
export type SecretReference = `${typeof PREFIX}${string}`;

const nameOf = (reference: string): string | null => REFERENCE.exec(reference)?.[1] ?? null;

function withoutKey(path: string, { code, message, step, cause }: TsdError): TsdError {
  const hint =
    'Put it back from a backup. Without one every container that has a secret is made once more: ' +
    `\`rm -rf ${path}; (umask 077; openssl rand -hex 32 > ${path})\`, then \`systemctl start tsdocker\`.`;
  return new TsdError(code, message, { ...(step !== null && { step }), hint, cause });
}

function readKey(path: string): Buffer | null {
  try {
    const text = readStateFile(path);
    if (text === null) return null;
    if (/^[0-9a-f]{64}\n?$/.test(text)) return Buffer.from(text.trim(), 'hex');
    throw corrupt(path, 'does not hold 32 bytes in hex');
  } catch (error) {
    throw withoutKey(path, toTsdError(error));
  }
}

/** Another key would make every secret look changed, so a damaged file is an error, not a reason to make one. */
async function readOrMakeKey(root: string, files: StateFiles, inUse: () => boolean): Promise<Buffer> {
  const path = join(root, 'secret.key');
  const known = readKey(path);
  if (known !== null) return known;
  if (inUse()) throw withoutKey(path, corrupt(path, 'is missing, and containers were made with it'));
  const key = randomBytes(32);
  const batch = files.batch();
  batch.file(path, { content: `${key.toString('hex')}\n`, mode: 0o600 });
  await batch.commit();
  return key;
}

export interface SecretPlaces {
  readonly root: string;
  readonly runDir: string;
  /** Writes under the root. */
  readonly files: StateFiles;
  /** Writes under the run directory. */
  readonly runFiles: StateFiles;
}

/**
 * Values of secrets: only in the run directory, which is in memory; nothing under the root holds one. A reference is an
 * HMAC with a key of this root, so that it can be part of a spec and its hash and cannot be guessed from outside.
 */
export class SecretStore {
  readonly #directory: string;
  readonly #files: StateFiles;
  readonly #key: Buffer;

  private constructor(directory: string, files: StateFiles, key: Buffer) {
    this.#directory = directory;
    this.#files = files;
    this.#key = key;
  }

  /**
   * @param inUse asked where there is no key yet
   * @throws TSD_STATE_CORRUPT, for a missing key that is in use too.
   */
  static async open(
    { root, runDir, files, runFiles }: SecretPlaces,
    inUse: () => boolean = () => false,
  ): Promise<SecretStore> {
    const directory = join(runDir, 'secrets');
    try {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
    } catch (error) {
      throw toStateError(error, `create ${directory}`);
    }
    return new SecretStore(directory, runFiles, await readOrMakeKey(root, files, inUse));
  }

  /** The reference a value has; nothing is stored. */
  reference(value: string): SecretReference {
    return `${PREFIX}${createHmac('sha256', this.#key).update(value).digest('hex')}`;
  }

  /** Keeps a value until the host goes down or {@link prune}. */
  put(value: string): SecretReference {
    const reference = this.reference(value);
    if (this.get(reference) === null) {
      this.#files.replace(join(this.#directory, reference.slice(PREFIX.length)), value, 0o600);
    }
    return reference;
  }

  /** The value, or null after a reboot: then its file is read again. @throws TSD_STATE_CORRUPT. */
  get(reference: string): string | null {
    const name = nameOf(reference);
    return name === null ? null : readStateFile(join(this.#directory, name));
  }

  /** Forgets every value that no reference in `inUse` means. */
  prune(inUse: ReadonlySet<string>): void {
    for (const name of readdirSync(this.#directory)) {
      if (!inUse.has(`${PREFIX}${name}`)) rmSync(join(this.#directory, name), { force: true, recursive: true });
    }
  }
}
