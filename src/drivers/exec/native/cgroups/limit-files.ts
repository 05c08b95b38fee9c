/** Writes limits into the groups of a container. */
import { existsSync, readFileSync } from 'node:fs';
import { constants as os } from 'node:os';
import { join } from 'node:path';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { ResourceLimits } from '../../../contract/exec.ts';
import { writeControl } from './group-files.ts';
import type { Controller } from './hierarchies.ts';
import { type LimitWrite, neededControllers, raisingMemory, v1Writes, v2Writes } from './limits.ts';
import type { V1Groups } from './v1-groups.ts';

export interface LimitedGroups {
  readonly containerId: string;
  /** The container's group in the unified hierarchy. */
  readonly unified: string;
  readonly v1: V1Groups;
}

/** @param controllers whose files are written; those of limits that are not set take the limit away. */
export function writeLimits(groups: LimitedGroups, limits: ResourceLimits, controllers: readonly Controller[]): void {
  const { containerId, v1 } = groups;
  const needed = neededControllers(limits);
  const inV1 = controllers.filter((controller) => v1.has(controller));
  const unified = controllers.filter((controller) => !v1.has(controller));
  for (const write of inV1.length > 0 ? orderedV1Writes(groups, limits, inV1) : []) {
    if (inV1.includes(write.controller)) writeLimit(v1.group(write.controller, containerId), write, needed);
  }
  for (const write of v2Writes(limits)) {
    if (unified.includes(write.controller)) writeLimit(groups.unified, write, needed);
  }
}

function orderedV1Writes(
  { containerId, v1 }: LimitedGroups,
  limits: ResourceLimits,
  inV1: readonly Controller[],
): readonly LimitWrite[] {
  const cpus = inV1.includes('cpuset') ? readFileSync(join(v1.parent('cpuset'), 'cpuset.cpus'), 'utf8').trim() : '';
  const writes = v1Writes(limits, cpus);
  if (!inV1.includes('memory')) return writes;
  const both = join(v1.group('memory', containerId), 'memory.memsw.limit_in_bytes');
  return existsSync(both) ? raisingMemory(writes, Number(readFileSync(both, 'utf8'))) : writes;
}

function writeLimit(group: string, write: LimitWrite, needed: readonly Controller[]): void {
  const path = join(group, write.file);
  if (!existsSync(path)) {
    // A controller that was never passed on to the group has no limit to take away.
    if (write.optional || !needed.includes(write.controller)) return;
    throw new TsdError('TSD_UNSUPPORTED_HOST', `a limit needs ${write.file}, which this host lacks`, {
      hint: 'Memory and swap limits need swap accounting (swapaccount=1 on the kernel command line).',
    });
  }
  try {
    writeControl(path, write.value);
  } catch (error) {
    throw explainLimit(write, group, error);
  }
}

const REFUSED_VALUES: readonly (number | undefined)[] = [os.errno.EINVAL, os.errno.ERANGE];

/** The kernel says no more than an errno to CPUs that do not exist. */
function explainLimit({ controller, value }: LimitWrite, group: string, error: unknown): unknown {
  if (controller !== 'cpuset' || !(error instanceof TsdError) || !REFUSED_VALUES.includes(error.errno)) return error;
  const parent = join(group, '..');
  const available = ['cpuset.cpus.effective', 'cpuset.effective_cpus', 'cpuset.cpus']
    .map((file) => join(parent, file))
    .find((path) => existsSync(path));
  const cpus = available === undefined ? 'other ones' : readFileSync(available, 'utf8').trim();
  return new TsdError('TSD_CONTAINER_SETUP', `cpuset: this host has no CPUs ${value} to give; it has ${cpus}`, {
    errno: error.errno,
    step: 'write cpuset.cpus',
    hint: 'Correct resources.cpuset.',
    cause: error,
  });
}
