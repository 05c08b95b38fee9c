/** --mount of RUN. Pure. */
import { posix } from 'node:path';
import type { Expander } from '../../model/dockerfile/expand.ts';
import type { Instruction } from '../../model/dockerfile/instruction.ts';
import { dockerfileError } from '../../model/dockerfile/place.ts';

export type RunMount =
  | {
      readonly type: 'bind';
      readonly target: string;
      /** In the context, or in the stage or image `from`. */
      readonly source: string;
      readonly from: string | null;
      readonly readOnly: boolean;
    }
  | {
      readonly type: 'cache';
      readonly target: string;
      readonly id: string;
      readonly readOnly: boolean;
      /** Only one RUN at a time has it. */
      readonly locked: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    }
  | { readonly type: 'tmpfs'; readonly target: string; readonly sizeBytes: number | null }
  | {
      readonly type: 'secret';
      readonly id: string;
      /** Null: only the environment variable. */
      readonly target: string | null;
      readonly env: string | null;
      readonly required: boolean;
      readonly mode: number;
      readonly uid: number;
      readonly gid: number;
    };

const COMMON = ['type', 'target', 'dst', 'destination'];
const KEYS: Readonly<Record<RunMount['type'], readonly string[]>> = {
  bind: [...COMMON, 'source', 'src', 'from', 'rw', 'readwrite', 'ro', 'readonly'],
  cache: [...COMMON, 'id', 'ro', 'readonly', 'rw', 'readwrite', 'sharing', 'mode', 'uid', 'gid'],
  tmpfs: [...COMMON, 'size'],
  secret: [...COMMON, 'id', 'source', 'src', 'env', 'required', 'mode', 'uid', 'gid'],
};
const UNITS: Readonly<Record<string, number>> = { '': 1, b: 1, k: 1024, m: 1024 ** 2, g: 1024 ** 3 };

/** @param workingDir where a relative target starts. @throws TSD_DOCKERFILE. */
export function readMounts(instruction: Instruction, expander: Expander, workingDir: string): RunMount[] {
  return (instruction.flags.get('mount') ?? []).map((text) =>
    readMount(expander.word(text, instruction.place), instruction, workingDir),
  );
}

/** The options of one mount, `type=cache,target=/x`, by name. */
class MountOptions {
  readonly #options: ReadonlyMap<string, string>;
  readonly #text: string;
  readonly #place: Instruction['place'];

  constructor(text: string, place: Instruction['place']) {
    this.#text = text;
    this.#place = place;
    this.#options = new Map(
      text.split(',').map((part) => {
        const equals = part.indexOf('=');
        const key = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
        return [key, equals < 0 ? 'true' : part.slice(equals + 1)] as const;
      }),
    );
  }

  names(): Iterable<string> {
    return this.#options.keys();
  }

  readonly refuse = (problem: string): never => {
    throw dockerfileError(this.#place, `--mount=${this.#text}: ${problem}`);
  };

  /** Returns the value of the first of these names that has one. */
  value(...names: string[]): string | undefined {
    return names.map((name) => this.#options.get(name)).find(Boolean);
  }

  flag(...names: string[]): boolean {
    return names.some((name) => ['true', '1'].includes(this.#options.get(name) ?? ''));
  }

  number(name: string, radix: number, otherwise: number): number {
    const written = this.#options.get(name);
    if (written === undefined) return otherwise;
    const pattern = radix === 8 ? /^[0-7]{1,4}$/ : /^\d{1,9}$/;
    return pattern.test(written) ? Number.parseInt(written, radix) : this.refuse(`${name}=${written} is no number`);
  }

  type(): RunMount['type'] {
    const type = this.#options.get('type') ?? 'bind';
    if (type === 'ssh') this.refuse('mounts of type ssh are not supported');
    if (isMountType(type)) return type;
    return this.refuse(`${type} is no type of mount; there are bind, cache, tmpfs, secret`);
  }
}

function readMount(text: string, { place }: Instruction, workingDir: string): RunMount {
  const options = new MountOptions(text, place);
  const type = options.type();
  for (const key of options.names())
    if (!KEYS[type].includes(key)) options.refuse(`${type} mounts have no option ${key}`);
  const written = options.value('target', 'dst', 'destination');
  const target = written === undefined ? null : posix.resolve(workingDir, written);
  if (type === 'secret') return readSecret(options, target);
  const needed = target ?? options.refuse('a target is needed');
  switch (type) {
    case 'bind':
      return {
        type,
        target: needed,
        source: options.value('source', 'src') ?? '/',
        from: options.value('from') ?? null,
        readOnly: !options.flag('rw', 'readwrite'),
      };
    case 'cache':
      return readCache(options, needed);
    case 'tmpfs':
      return { type, target: needed, sizeBytes: sizeOf(options.value('size'), options.refuse) };
  }
}

function readCache(options: MountOptions, target: string): RunMount {
  const sharing = options.value('sharing') ?? 'shared';
  if (!['shared', 'locked'].includes(sharing))
    options.refuse(`sharing=${sharing} is not supported; there are shared, locked`);
  return {
    type: 'cache',
    target,
    id: options.value('id') ?? target,
    readOnly: options.flag('ro', 'readonly'),
    locked: sharing === 'locked',
    mode: options.number('mode', 8, 0o755),
    uid: options.number('uid', 10, 0),
    gid: options.number('gid', 10, 0),
  };
}

function readSecret(options: MountOptions, target: string | null): RunMount {
  const named = options.value('id', 'source', 'src');
  const id = named ?? (target === null ? options.refuse('an id is needed') : posix.basename(target));
  const env = options.value('env') ?? null;
  return {
    type: 'secret',
    id,
    target: target ?? (env === null ? `/run/secrets/${id}` : null),
    env,
    required: options.flag('required'),
    mode: options.number('mode', 8, 0o400),
    uid: options.number('uid', 10, 0),
    gid: options.number('gid', 10, 0),
  };
}

const isMountType = (text: string): text is RunMount['type'] => Object.hasOwn(KEYS, text);

function sizeOf(text: string | undefined, refuse: (problem: string) => never): number | null {
  if (text === undefined) return null;
  const match = /^(\d{1,12})([bkmg]?)b?$/i.exec(text);
  return match === null
    ? refuse(`size=${text} is no size`)
    : Number(match[1]) * (UNITS[match[2]?.toLowerCase() ?? ''] ?? 1);
}
