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

function rlimit(soft: bigint, hard: bigint): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigUInt64LE(soft, 0);
  bytes.writeBigUInt64LE(hard, 8);
  return bytes;
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
function addDefaultNofile(program: SyscallProgram): void {
  hardNofile ??= parseLimits(readFileSync('/proc/self/limits', 'utf8'))[RLIMIT_NOFILE]?.[1] ?? KERNEL_NOFILE;
  const soft = hardNofile < KERNEL_NOFILE ? hardNofile : KERNEL_NOFILE;
  program.op('set ulimit nofile', 'prlimit64', 0, RLIMIT_NOFILE, rlimit(soft, hardNofile), 0);
}

/** The limits of another process, from the text of its /proc/PID/limits. */
export function addLimitsOf(program: SyscallProgram, limits: string): void {
  parseLimits(limits).forEach(([soft, hard], resource) => {
    program.op(`copy limit ${LIMIT_ROWS[resource]}`, 'prlimit64', 0, resource, rlimit(soft, hard), 0);
  });
}

/** A limit as setrlimit(2) has it; -1 is unlimited. @throws TsdError TSD_CONTAINER_SETUP for a name that is no limit. */
export function rlimitOf(name: string, soft: number, hard: number) {
  const resource = own(RLIMITS, name);
  if (resource === undefined) throw new TsdError('TSD_CONTAINER_SETUP', `${name} is no ulimit`);
  return { resource, soft: word(soft), hard: word(hard) };
}

/** @throws TsdError TSD_CONTAINER_SETUP for a name that is no limit. */
export function addUlimits(program: SyscallProgram, ulimits: TaskSpec['ulimits']): void {
  if (ulimits.nofile === undefined) addDefaultNofile(program);
  for (const [name, { soft, hard }] of Object.entries(ulimits)) {
    const limit = rlimitOf(name, soft, hard);
    const words = rlimit(limit.soft, limit.hard);
    program.op(`set ulimit ${name} to ${soft}:${hard}`, 'prlimit64', 0, limit.resource, words, 0);
  }
}
