/** Resource limits of the payload's processes, setrlimit(2). */
import { readFileSync } from 'node:fs';
import { TsdError } from '../../../../model/errors/errors.ts';
import { own } from '../../../../model/own.ts';
import type { TaskSpec } from '../../../contract/exec.ts';
import type { SyscallProgram } from './program.ts';

/** include/uapi/asm-generic/resource.h, for x86-64 and arm64 */
const RLIMITS: Readonly<Record<string, number>> = {
  cpu: 0,
  fsize: 1,
  data: 2,
  stack: 3,
  core: 4,
  rss: 5,
  nproc: 6,
  nofile: 7,
  memlock: 8,
  as: 9,
  locks: 10,
  sigpending: 11,
  msgqueue: 12,
  nice: 13,
  rtprio: 14,
  rttime: 15,
};

const RLIMIT_NOFILE = 7;

const INFINITY = 2n ** 64n - 1n;

function word(limit: number): bigint {
  return limit < 0 || limit === Number.POSITIVE_INFINITY ? INFINITY : BigInt(limit);
}

/** What setrlimit(2) sets of a process. */
export interface Limit {
  /** For the error when it cannot be set. */
  readonly step: string;
  readonly resource: number;
  readonly soft: bigint;
  readonly hard: bigint;
}

export function addLimits(program: SyscallProgram, limits: readonly Limit[]): void {
  for (const { step, resource, soft, hard } of limits) {
    const bytes = Buffer.alloc(16);
    bytes.writeBigUInt64LE(soft, 0);
    bytes.writeBigUInt64LE(hard, 8);
    program.op(step, 'prlimit64', 0, resource, bytes, 0);
  }
}

/** Rows of /proc/PID/limits (proc(5)) in the order of the numbers above. */
const LIMIT_ROWS = [
  'Max cpu time',
  'Max file size',
  'Max data size',
  'Max stack size',
  'Max core file size',
  'Max resident set',
  'Max processes',
  'Max open files',
  'Max locked memory',
  'Max address space',
  'Max file locks',
  'Max pending signals',
  'Max msgqueue size',
  'Max nice priority',
  'Max realtime priority',
  'Max realtime timeout',
];

function limitWord(text: string): bigint {
  return text === 'unlimited' ? INFINITY : BigInt(text);
}

/** Soft and hard limits of a process, by number, from the text of its /proc/PID/limits. */
function parseLimits(text: string): (readonly [soft: bigint, hard: bigint])[] {
  return LIMIT_ROWS.map((row) => {
    const line = text.split('\n').find((candidate) => candidate.startsWith(row)) ?? '';
    const [soft = 'unlimited', hard = 'unlimited'] = line.slice(row.length).trim().split(/\s+/);
    return [limitWord(soft), limitWord(hard)];
  });
}

/** include/asm-generic/resource.h: INIT_RLIMITS */
const KERNEL_NOFILE = 1024n;

let hardNofile: bigint | undefined;

/** Node raises its own soft limit of open files to the hard one; payloads start from the kernel's default. */
function defaultNofile(): Limit {
  hardNofile ??= parseLimits(readFileSync('/proc/self/limits', 'utf8'))[RLIMIT_NOFILE]?.[1] ?? KERNEL_NOFILE;
  const soft = hardNofile < KERNEL_NOFILE ? hardNofile : KERNEL_NOFILE;
  return { step: 'set ulimit nofile', resource: RLIMIT_NOFILE, soft, hard: hardNofile };
}

/** The limits of another process, from the text of its /proc/PID/limits. */
export function limitsOfProcess(limits: string): readonly Limit[] {
  return parseLimits(limits).map(([soft, hard], resource) => {
    return { step: `copy limit ${LIMIT_ROWS[resource]}`, resource, soft, hard };
  });
}

/** A limit as setrlimit(2) has it; -1 is unlimited. @throws TsdError TSD_CONTAINER_SETUP for a name that is no limit. */
export function rlimitOf(name: string, soft: number, hard: number) {
  const resource = own(RLIMITS, name);
  if (resource === undefined) throw new TsdError('TSD_CONTAINER_SETUP', `${name} is no ulimit`);
  return { resource, soft: word(soft), hard: word(hard) };
}

/** @throws TsdError TSD_CONTAINER_SETUP for a name that is no limit. */
export function ulimitsOf(ulimits: TaskSpec['ulimits']): readonly Limit[] {
  const asked = Object.entries(ulimits).map(([name, { soft, hard }]) => {
    return { step: `set ulimit ${name} to ${soft}:${hard}`, ...rlimitOf(name, soft, hard) };
  });
  return ulimits.nofile === undefined ? [defaultNofile(), ...asked] : asked;
}
