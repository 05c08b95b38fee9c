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

function readMount(text: string, { place }: Instruction, workingDir: string): RunMount {
  const refuse = (problem: string): never => {
    throw dockerfileError(place, `--mount=${text}: ${problem}`);
  };
  const options = new Map(
    text.split(',').map((part) => {
      const equals = part.indexOf('=');
      const key = (equals < 0 ? part : part.slice(0, equals)).trim().toLowerCase();
      return [key, equals < 0 ? 'true' : part.slice(equals + 1)] as const;
    }),
  );
  const type = options.get('type') ?? 'bind';
  if (type === 'ssh') refuse('mounts of type ssh are not supported');
  if (!isMountType(type)) return refuse(`${type} is no type of mount; there are bind, cache, tmpfs, secret`);
  for (const key of options.keys()) if (!KEYS[type].includes(key)) refuse(`${type} mounts have no option ${key}`);
  const value = (...names: string[]): string | undefined => names.map((name) => options.get(name)).find(Boolean);
  const flag = (...names: string[]): boolean => names.some((name) => ['true', '1'].includes(options.get(name) ?? ''));
  const number = (name: string, radix: number, otherwise: number): number => {
    const written = options.get(name);
    if (written === undefined) return otherwise;
    const pattern = radix === 8 ? /^[0-7]{1,4}$/ : /^\d{1,9}$/;
    return pattern.test(written) ? Number.parseInt(written, radix) : refuse(`${name}=${written} is no number`);
  };
  const written = value('target', 'dst', 'destination');
  const target = written === undefined ? null : posix.resolve(workingDir, written);
  const needed = (): string => target ?? refuse('a target is needed');
  switch (type) {
    case 'bind':
      return {
        type,
        target: needed(),
        source: value('source', 'src') ?? '/',
        from: value('from') ?? null,
        readOnly: !flag('rw', 'readwrite'),
      };
    case 'cache': {
      const sharing = value('sharing') ?? 'shared';
      if (!['shared', 'locked'].includes(sharing))
        refuse(`sharing=${sharing} is not supported; there are shared, locked`);
      return {
        type,
        target: needed(),
        id: value('id') ?? needed(),
        readOnly: flag('ro', 'readonly'),
        locked: sharing === 'locked',
        mode: number('mode', 8, 0o755),
        uid: number('uid', 10, 0),
        gid: number('gid', 10, 0),
      };
    }
    case 'tmpfs':
      return { type, target: needed(), sizeBytes: sizeOf(value('size'), refuse) };
    case 'secret': {
      const id = value('id', 'source', 'src') ?? (target === null ? refuse('an id is needed') : posix.basename(target));
      const env = value('env') ?? null;
      return {
        type,
        id,
        target: target ?? (env === null ? `/run/secrets/${id}` : null),
        env,
        required: flag('required'),
        mode: number('mode', 8, 0o400),
        uid: number('uid', 10, 0),
        gid: number('gid', 10, 0),
      };
    }
  }
}

const isMountType = (text: string): text is RunMount['type'] => Object.hasOwn(KEYS, text);

function sizeOf(text: string | undefined, refuse: (problem: string) => never): number | null {
  if (text === undefined) return null;
  const match = /^(\d{1,12})([bkmg]?)b?$/i.exec(text);
  return match === null
    ? refuse(`size=${text} is no size`)
    : Number(match[1]) * (UNITS[match[2]?.toLowerCase() ?? ''] ?? 1);
}
