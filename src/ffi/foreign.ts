/**
 * The only file that imports ffi-rs. Everything crosses as numbers (I64), strings and Buffers (pointer to their bytes,
 * no copy, kernel writes are seen). ffi-rs pointers are never created or freed here: freeing one of the wrong kind
 * aborts the whole process.
 */
import './short-report.ts';
import { DataType, load, open } from 'ffi-rs';
import { TsdError } from '../model/errors.ts';

/** A Buffer argument is passed as the address of its first byte; it must have at least one. */
export type NativeArgument = number | string | Buffer;

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
  if (typeof value === 'number') return DataType.I64;
  if (typeof value === 'string') return DataType.String;
  return DataType.U8Array;
}

/** Calls a function that returns an integer or nothing; errno is not looked at. */
export function callNumber(library: string, funcName: string, args: readonly NativeArgument[]): number {
  if (library === LIBC) openLibrary(LIBC, 'libc.so.6');
  return load({
    library,
    funcName,
    retType: DataType.I64,
    paramsType: args.map(argumentType),
    paramsValue: [...args],
  }) as number;
}

/** Calls a function that returns `const char *`; the string is copied. */
export function callString(library: string, funcName: string, args: readonly NativeArgument[]): string {
  return load({
    library,
    funcName,
    retType: DataType.String,
    paramsType: args.map(argumentType),
    paramsValue: [...args],
  }) as string;
}

/** The address of a Buffer's bytes, for pointers inside structs. The caller keeps the Buffer referenced while it is used. */
export function addressOf(buffer: Buffer): number {
  return callNumber(LIBC, 'memcpy', [buffer, buffer, 0]);
}

/** syscall(2) by number. Returns the result, or the negative errno. Never throws for an errno. */
export function systemCall(number: number, args: readonly NativeArgument[]): number {
  openLibrary(LIBC, 'libc.so.6');
  const types: DataType[] = [DataType.I64];
  for (const argument of args) types.push(argumentType(argument));
  const result = load<DataType.I64, true>({
    library: LIBC,
    funcName: 'syscall',
    retType: DataType.I64,
    paramsType: types,
    paramsValue: [number, ...args],
    errno: true,
  });
  return result.value === -1 ? -result.errnoCode : result.value;
}
