/**
 * TSDOCKER_TRACE=ffi: a line on standard error for each call of native code, as strace(1) writes them. Of a Buffer only its
 * size is shown, except where it is a path: what is written, sent or set may be a secret.
 */
import { writeSync } from 'node:fs';
import { errnoName } from './errno.ts';
import { SYSCALL_NUMBERS } from './syscall-numbers.ts';

/** What may cross to native code. A NULL pointer is null; other pointers are Buffers, passed as the address of their first byte. */
export type NativeArgument = number | string | Buffer | null;

/** The value of the environment variable that asks for lines. */
const WANTED = 'ffi';

/** Bytes of a text that are shown. */
const SHOWN_BYTES = 96;

/** Which argument of a call is a path, with a NUL at its end where it is a Buffer. */
const PATH_AT: ReadonlyMap<string, number> = new Map([
  ['openat2', 1],
  ['mknodat', 1],
  ['utimensat', 1],
  ['lsetxattr', 0],
  ['lgetxattr', 0],
  ['llistxattr', 0],
]);

/** A mount option, or any other text, of which one of these names is part has a secret behind it. */
const SECRET_NAME = /pass|secret|token|cred|private/i;
const SECRET_IN_TEXT = /([\w-]*(?:pass|secret|token|cred|private)[\w-]*=)[^,\n]*/gi;
const HIDDEN = '<hidden>';

const NAMES: ReadonlyMap<number, string> = new Map([
  ...Object.entries(SYSCALL_NUMBERS).map(([name, number]) => [number, name] as const),
  [437, 'openat2'],
]);

/** `openat2` for 437; `syscall 9999` for a number that no caller names. */
export function syscallName(number: number): string {
  return NAMES.get(number) ?? `syscall ${number}`;
}

function quoted(text: string): string {
  const shown = JSON.stringify(text.slice(0, SHOWN_BYTES).replace(SECRET_IN_TEXT, `$1${HIDDEN}`));
  return text.length > SHOWN_BYTES ? `${shown}...` : shown;
}

function bytesOf(buffer: Buffer, isPath: boolean): string {
  if (!isPath) return `<${buffer.length} bytes>`;
  const end = buffer.indexOf(0);
  return quoted(buffer.toString('utf8', 0, end === -1 ? buffer.length : end));
}

/** The line of one call. @param result null when it threw; negative numbers of a system call are its errno. @internal */
export function traceLine(
  name: string,
  args: readonly NativeArgument[],
  result: number | string | null,
  microseconds: number,
): string {
  const shown = args.map((argument, index) => {
    if (argument === null) return 'NULL';
    if (typeof argument === 'number') return String(argument);
    if (typeof argument !== 'string') return bytesOf(argument, index === PATH_AT.get(name));
    const before = args[index - 1];
    return typeof before === 'string' && SECRET_NAME.test(before) ? HIDDEN : quoted(argument);
  });
  return `ffi ${name}(${shown.join(', ')}) = ${resultText(result)} <${Math.round(microseconds)} us>`;
}

function resultText(result: number | string | null): string {
  if (result === null) return 'thrown';
  if (typeof result === 'string') return quoted(result);
  return result < 0 && result > -4096 ? `-1 ${errnoName(-result)}` : String(result);
}

/** A line that cannot be written is lost: a trace must not be why something fails. */
function write(line: string): void {
  try {
    writeSync(2, `${line}\n`);
  } catch {}
}

/** Does a call and writes its line. */
function traced<R extends number | string>(name: string, args: readonly NativeArgument[], call: () => R): R {
  const start = performance.now();
  let result: R | null = null;
  try {
    result = call();
    return result;
  } finally {
    write(traceLine(name, args, result, (performance.now() - start) * 1000));
  }
}

/** What does and writes each call; null when no trace is asked for. */
export const TRACED: typeof traced | null = wanted(process.env.TSDOCKER_TRACE ?? '') ? traced : null;

function wanted(value: string): boolean {
  const names = value.split(',').filter((name) => name !== '');
  const unknown = names.filter((name) => name !== WANTED);
  if (unknown.length > 0) write(`warning: TSDOCKER_TRACE=${quoted(value)}: the only trace is ${WANTED}`);
  return names.includes(WANTED);
}
