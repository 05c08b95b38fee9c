/**
 * The only file that imports ffi-rs. Everything crosses as numbers (I64), strings and Buffers (pointer to their bytes,
 * no copy, kernel writes are seen). ffi-rs pointers are never created or freed here: freeing one of the wrong kind
 * aborts the whole process.
 *
 * One rule for what is missing: null is "there is none", as a NULL argument, in fields and in results. `?:` is for options
 * that a caller may leave out. Nothing here gives undefined. A Buffer must have at least one byte.
 */
import '../short-report.ts';
import { DataType, load, open } from 'ffi-rs';
import { TsdError } from '../../model/errors/errors.ts';
import { type NativeArgument, syscallName, TRACED } from './trace.ts';

const LIBC = 'libc';
const opened = new Map<string, true | TsdError>();

/** Opens a shared library once. @throws TsdError TSD_UNSUPPORTED_HOST when the loader cannot find it. */
export function openLibrary(library: string, path: string): void {
  const known = opened.get(library);
  if (known === true) return;
  if (known !== undefined) throw known;
  try {
    open({ library, path });
    opened.set(library, true);
  } catch (cause) {
    const error = new TsdError('TSD_UNSUPPORTED_HOST', `cannot load ${path}`, { step: `dlopen ${path}`, cause });
    opened.set(library, error);
    throw error;
  }
}

function argumentType(value: NativeArgument): DataType {
  if (typeof value === 'number' || value === null) return DataType.I64;
  if (typeof value === 'string') return DataType.String;
  return DataType.U8Array;
}

/** NULL crosses as the number 0. */
const crossing = (args: readonly NativeArgument[]): (number | string | Buffer)[] => args.map((value) => value ?? 0);

function number(library: string, funcName: string, args: readonly NativeArgument[]): number {
  if (library === LIBC) openLibrary(LIBC, 'libc.so.6');
  const paramsType = args.map(argumentType);
  return load({ library, funcName, retType: DataType.I64, paramsType, paramsValue: crossing(args) }) as number;
}

function string(library: string, funcName: string, args: readonly NativeArgument[]): string {
  const paramsType = args.map(argumentType);
  return load({ library, funcName, retType: DataType.String, paramsType, paramsValue: crossing(args) }) as string;
}

function system(number: number, args: readonly NativeArgument[]): number {
  openLibrary(LIBC, 'libc.so.6');
  const types: DataType[] = [DataType.I64];
  const values: (number | string | Buffer)[] = [number];
  for (const argument of args) {
    types.push(argumentType(argument));
    values.push(argument ?? 0);
  }
  const result = load<DataType.I64, true>({
    library: LIBC,
    funcName: 'syscall',
    retType: DataType.I64,
    paramsType: types,
    paramsValue: values,
    errno: true,
  });
  return result.value === -1 ? -result.errnoCode : result.value;
}

const trace = TRACED;

/** Calls a function that returns an integer or nothing; errno is not looked at. */
export const callNumber: typeof number =
  trace === null
    ? number
    : (library, name, args) => trace(`${library}.${name}`, args, () => number(library, name, args));

/** Calls a function that returns `const char *`; the string is copied. */
export const callString: typeof string =
  trace === null
    ? string
    : (library, name, args) => trace(`${library}.${name}`, args, () => string(library, name, args));

/** syscall(2) by number. Returns the result, or the negative errno. Never throws for an errno. */
export const systemCall: typeof system =
  trace === null ? system : (number, args) => trace(syscallName(number), args, () => system(number, args));

/** The address of a Buffer's bytes, for pointers inside structs. The caller keeps the Buffer referenced while it is used. */
export function addressOf(buffer: Buffer): number {
  return number(LIBC, 'memcpy', [buffer, buffer, 0]);
}
