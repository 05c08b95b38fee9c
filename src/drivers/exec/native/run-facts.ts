/**
 * What a run was started with, for what is started in it later: kept in memory that its shim holds, so that it is there as
 * long as the run whatever becomes of us, and on no disk: the environment may hold secrets.
 */
import { closeSync, openSync, readFileSync, readlinkSync, readSync } from 'node:fs';
import { sealedMemoryFile, startTimeOf } from '../../../ffi/process/processes.ts';
import { RUN_FACTS_FD } from './prepared-task.ts';
import { statusMask } from './program/capabilities.ts';
import { type ExecTarget, gone } from './program/container-entry.ts';
import type { ProcessUser } from './program/users.ts';
import type { LoadedFilter } from './seccomp/filters.ts';
import { type ShimIdentity, shimRuns } from './shim/shim-identity.ts';

export interface RunFacts {
  /** As asked for in the specification, and whom that meant; null where only shims of before there was this know. */
  readonly user: { readonly wanted: string; readonly found: ProcessUser } | null;
  /** Mask of the capabilities that it may ever have. */
  readonly capabilities: bigint;
  readonly noNewPrivileges: boolean;
  /** What it was loaded with; null for a run without one, as those of before there were filters. */
  readonly filter: LoadedFilter | null;
  /** Without what was added to the specification's. */
  readonly env: readonly string[];
}

/** What there is to know of a run for starting something in it. */
export interface ExecFacts extends RunFacts {
  /** Text of /proc/PID/limits of the first process: `prlimit` of the host may have changed them, the container only lowered. */
  readonly limits: string;
}

/** As JSON has it; shims of before there were filters hold none. */
type KeptFacts = Omit<RunFacts, 'capabilities' | 'filter'> & {
  readonly capabilities: string;
  readonly filter?: { readonly program: string; readonly flags: number } | null;
};

const NAME = 'tsdocker-run';

/** The caller closes it. */
export function factsFile(facts: RunFacts): number {
  const { capabilities, filter, ...rest } = facts;
  const kept: KeptFacts = {
    ...rest,
    capabilities: capabilities.toString(16),
    filter: filter && { program: filter.program.toString('base64'), flags: filter.flags },
  };
  return sealedMemoryFile(NAME, Buffer.from(JSON.stringify(kept)));
}

const MAX_ENVIRONMENT_BYTES = 1024 * 1024;

/** What is there of a run of before there was this: what its first process says of itself, as much as is safe to read. */
function factsOfProcess({ pid }: ExecTarget): RunFacts {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const environment = readStart(`/proc/${pid}/environ`, MAX_ENVIRONMENT_BYTES).split('\0');
  return {
    user: null,
    // Until it leaves the host's user namespace, a process can only lose of these.
    capabilities: statusMask(status, 'CapBnd'),
    filter: null,
    noNewPrivileges: /^NoNewPrivs:\s*1$/m.test(status),
    env: environment.filter((entry) => entry.includes('=') && !entry.startsWith('HOME=')),
  };
}

function readStart(path: string, bytes: number): string {
  const fd = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(bytes);
    let length = 0;
    for (let n = -1; n !== 0; length += n) n = readSync(fd, buffer, length, bytes - length, length);
    return buffer.toString('utf8', 0, length);
  } finally {
    closeSync(fd);
  }
}

function factsOfShim({ shimPid }: ShimIdentity): RunFacts | null {
  const path = `/proc/${shimPid}/fd/${RUN_FACTS_FD}`;
  try {
    // Under this number an older shim has anything or nothing; a pipe or device would act when it is opened.
    if (!readlinkSync(path).startsWith(`/memfd:${NAME} `)) return null;
  } catch (thrown) {
    if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw thrown;
  }
  const { capabilities, filter, ...facts } = JSON.parse(readFileSync(path, 'utf8')) as KeptFacts;
  return {
    ...facts,
    capabilities: BigInt(`0x${capabilities}`),
    filter: filter ? { program: Buffer.from(filter.program, 'base64'), flags: filter.flags } : null,
  };
}

/** Call it before {@link openContainer}, whose checks then hold for what was read here. @throws TSD_CONTAINER_NOT_RUNNING */
export function factsOf(target: ExecTarget, shim: ShimIdentity): ExecFacts {
  let facts: ExecFacts;
  try {
    const limits = readFileSync(`/proc/${target.pid}/limits`, 'utf8');
    facts = { ...(factsOfShim(shim) ?? factsOfProcess(target)), limits };
  } catch (error) {
    throw startTimeOf(target.pid) === target.startTime ? error : gone(target);
  }
  if (!shimRuns(shim)) throw gone(target);
  return facts;
}
