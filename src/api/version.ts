/** The versions that client and supervisor exchange. */
import { readFileSync } from 'node:fs';
import { TsdError } from '../model/errors/errors.ts';

const packageFile = new URL('../../package.json', import.meta.url);

/** Version of this build of tsdocker. */
export const VERSION: string = (JSON.parse(readFileSync(packageFile, 'utf8')) as { version: string }).version;

/** Written by the build. */
const commitFile = new URL('../../dist/commit', import.meta.url);

/** What this build was made from; empty where that was no checkout. */
export function gitCommit(): string {
  try {
    return readFileSync(commitFile, 'utf8').trim();
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw thrown;
  }
}

/** Level of the API this build speaks as a client, and the newest it serves. Raised by an incompatible change. */
export const API_LEVEL = 1;
/** The oldest level this build still serves. */
const OLDEST_API_LEVEL = 1;

/** What runs, on one side. */
export interface VersionView {
  readonly version: string;
  readonly api: number;
  readonly node: string;
  /** Of the build; empty where that is not known. */
  readonly commit: string;
  readonly os: string;
  readonly arch: string;
  readonly kernel: string;
}

export const API_PREFIX = '/tsdocker/v1';
const VERSION_HEADER = 'tsdocker-version';
const API_HEADER = 'tsdocker-api';

/** Sent with every request and every answer. */
export const IDENTITY_HEADERS: Readonly<Record<string, string>> = {
  [VERSION_HEADER]: VERSION,
  [API_HEADER]: String(API_LEVEL),
};

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

function single(value: string | readonly string[] | undefined): string | undefined {
  return typeof value === 'string' ? value : value?.[0];
}

/**
 * Checks a client that says which level it speaks; one that says nothing (curl) is served.
 * @throws TsdError TSD_VERSION_MISMATCH naming the side to upgrade, TSD_BAD_REQUEST.
 */
export function checkClient(headers: Headers): void {
  const text = single(headers[API_HEADER]);
  if (text === undefined) return;
  const level = Number(text);
  if (!Number.isInteger(level)) throw new TsdError('TSD_BAD_REQUEST', `${API_HEADER} is not a number: ${text}`);
  if (level >= OLDEST_API_LEVEL && level <= API_LEVEL) return;
  const client = single(headers[VERSION_HEADER]) ?? 'unknown version';
  throw new TsdError(
    'TSD_VERSION_MISMATCH',
    `the client (${client}) speaks API level ${level}, this supervisor (${VERSION}) ${OLDEST_API_LEVEL} to ${API_LEVEL}`,
    { hint: level > API_LEVEL ? 'Upgrade the supervisor.' : 'Upgrade the client.' },
  );
}

/**
 * Checks who answered on a socket.
 * @throws TsdError TSD_NO_SUPERVISOR when it is something else, TSD_VERSION_MISMATCH when it is too old.
 */
export function checkServer(headers: Headers, socketPath: string): void {
  const text = single(headers[API_HEADER]);
  if (text === undefined) {
    throw new TsdError('TSD_NO_SUPERVISOR', `something that is not a tsdocker supervisor answers on ${socketPath}`, {
      hint: 'Name the right socket with -H or TSDOCKER_HOST.',
    });
  }
  if (Number(text) >= API_LEVEL) return;
  const server = single(headers[VERSION_HEADER]) ?? 'unknown version';
  throw new TsdError(
    'TSD_VERSION_MISMATCH',
    `this client (${VERSION}) speaks API level ${API_LEVEL}, the supervisor (${server}) up to ${text}`,
    { hint: 'Upgrade the supervisor.' },
  );
}
