/** Reads files that only trusted users can write: checks each component of the path and reads exactly what it checked. */
import { closeSync, constants, fstatSync, readFileSync } from 'node:fs';
import { TsdError } from '../../model/errors/errors.ts';
import { type Doubt, doubtsAbout, type Refusal, refusalOf, type Trusted } from '../../model/trust.ts';
import { reopen, type WalkedPath, walkPath } from './path-walk.ts';

export interface JudgedPath extends WalkedPath {
  /** Null: it is obeyed. */
  readonly refusal: Refusal | null;
  readonly doubts: readonly Doubt[];
}

/** @throws the error of open(2) for a path that cannot be walked */
export type Gate = (path: string) => JudgedPath;

export interface GateOptions {
  /** Those of whom files are obeyed. */
  readonly trusted: Trusted;
  /** Whether a doubt is enough to refuse; left out, each is. */
  readonly refuses?: (doubt: Doubt) => boolean;
  /** As walkPath has it. */
  readonly hasAcl?: (path: string) => boolean;
}

export function createGate({ trusted, refuses = () => true, hasAcl }: GateOptions): Gate {
  return (path) => {
    const walked = walkPath(path, hasAcl);
    const doubts = doubtsAbout(walked.components, trusted);
    return { ...walked, doubts, refusal: refusalOf(path, doubts.filter(refuses)) };
  };
}

/** Opens what a gate lets through. @returns null for what is no regular file @throws TSD_UNTRUSTED, the error of open(2) */
export function openJudged(path: string, gate: Gate, flags: number): number | null {
  const { fd, refusal } = gate(path);
  try {
    if (refusal !== null) throw untrusted(refusal);
    return fstatSync(fd).isFile() ? reopen(fd, flags) : null;
  } finally {
    closeSync(fd);
  }
}

/** The text of a file. @throws TSD_UNTRUSTED, the error of open(2) */
export function readJudged(path: string, gate: Gate): string {
  const fd = openJudged(path, gate, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
  if (fd === null) throw Object.assign(new Error(`${path} is not a regular file`), { code: 'EINVAL' });
  try {
    return readFileSync(fd, 'utf8');
  } finally {
    closeSync(fd);
  }
}

function judgedNow(path: string, gate: Gate): Omit<JudgedPath, 'fd'> {
  try {
    const { fd, ...judged } = gate(path);
    closeSync(fd);
    return judged;
  } catch (thrown) {
    const code = thrown instanceof Error && 'code' in thrown ? thrown.code : undefined;
    if (code === 'ENOENT' || code === 'ENOTDIR') return { components: [], refusal: null, doubts: [] };
    throw thrown;
  }
}

/** Why a path is refused now; null for one that is obeyed, or not there. */
export const refusedNow = (path: string, gate: Gate): Refusal | null => judgedNow(path, gate).refusal;

/** What speaks against a path now; nothing for one that is not there. */
export const doubtsNow = (path: string, gate: Gate): readonly Doubt[] => judgedNow(path, gate).doubts;

export function untrusted({ message, hint }: Refusal): TsdError {
  return new TsdError('TSD_UNTRUSTED', message, { hint });
}
