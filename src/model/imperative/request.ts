/** Resources that a client of the Docker API asked for, one by one: their record is their declaration. */
import type { JsonValue } from '../json.ts';
import { IMPERATIVE_APP, type ResourceKey, type SourcePosition } from '../resource.ts';

/** What was asked for, as it is kept with the record of the resource. */
export interface ImperativeRequest {
  /** The body of the request that made it. */
  readonly body: JsonValue;
  /** How the client calls itself. */
  readonly client: string;
  /** Of the process that asked; null where that is not known. */
  readonly uid: number | null;
  /** A container that goes when its run has ended. A volume that goes with its container. */
  readonly autoRemove: boolean;
  /** RFC 3339. */
  readonly at: string;
}

export function isImperative(key: ResourceKey): boolean {
  return key.startsWith(`/${IMPERATIVE_APP}/`, key.indexOf('/'));
}

/** Longest name of a client that is shown. */
const MAX_CLIENT = 80;

/** A name that its owner chose, for terminals and files: without control characters, and short. */
export function clientName(said: string): string {
  const plain = said.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]+/gu, ' ').trim();
  return plain === '' ? 'a client of the Docker API' : plain.slice(0, MAX_CLIENT);
}

/** In place of a position in a manifest: who asked. */
export function placeOf({ client }: ImperativeRequest): SourcePosition {
  return { file: clientName(client), line: 0, column: 0 };
}
