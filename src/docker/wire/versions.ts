/** Versions of the Docker Engine API: what a path asks for, and what is served. */
import { DockerError } from './docker-error.ts';

/** Newest and oldest that is served; inside, everything has the shape of the newest. */
export const NEWEST_API = '1.51';
export const OLDEST_API = '1.24';

/** A version as its minor number: 51 is 1.51. */
export type ApiMinor = number;

const PREFIX = /^\/v([0-9.]+)(?=\/)/;

const numbersOf = (version: string): number[] => version.split('.').map(Number);

function compare(a: string, b: string): number {
  const [left, right] = [numbersOf(a), numbersOf(b)];
  for (let at = 0; at < Math.max(left.length, right.length); at++) {
    const difference = (left[at] ?? 0) - (right[at] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}

export interface Versioned {
  readonly minor: ApiMinor;
  /** Without the version. */
  readonly path: string;
}

/** Takes the version off a path; none means the newest. @throws DockerError 400 for one that is not served */
export function versionOf(path: string): Versioned {
  const found = PREFIX.exec(path);
  const version = found?.[1];
  if (found === null || version === undefined) return { minor: minorOf(NEWEST_API), path };
  const client = `client version ${version} is too`;
  const upgrade = 'please upgrade your client to a newer version';
  if (compare(version, OLDEST_API) < 0)
    throw new DockerError(400, `${client} old. Minimum supported API version is ${OLDEST_API}, ${upgrade}`);
  if (compare(version, NEWEST_API) > 0)
    throw new DockerError(400, `${client} new. Maximum supported API version is ${NEWEST_API}`);
  return { minor: minorOf(version), path: path.slice(found[0].length) };
}

function minorOf(version: string): ApiMinor {
  return numbersOf(version)[1] ?? 0;
}
