/** POST /containers/{id}/update as changes of a container's specification. Pure. */
import type { z } from 'zod';
import { type ContainerSpec, containerSchema } from '../../model/kinds/container.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { ApiMinor } from '../wire/versions.ts';
import { type HostConfigBody, hostConfigBody, RESOURCES, type ResourcesBody, restartPolicy } from './container-body.ts';
import { refuse } from './context.ts';
import { decode, struct } from './go-json.ts';
import { checkLimits, limitsOf, limitWarnings } from './resources.ts';
import { restartSection } from './restart.ts';

const updateBody = struct({ ...RESOURCES, RestartPolicy: restartPolicy.prefault({}) });
type UpdateBody = z.output<typeof updateBody>;

export interface ChangedContainer {
  readonly id: string;
  readonly spec: ContainerSpec;
  /** HostConfig of the body that it was made from, any JSON. */
  readonly hostConfig: unknown;
  /** CPUs of this host that are online. */
  readonly cpus: number;
  readonly minor: ApiMinor;
}

export interface ContainerUpdate {
  readonly spec: ContainerSpec;
  /** Members of HostConfig that are other ones now. */
  readonly hostConfig: Readonly<Record<string, unknown>>;
  readonly warnings: readonly string[];
}

/** 0 and nothing leave a member as it is. */
const MEMBERS = [
  'CpuShares',
  'Memory',
  'NanoCpus',
  'CpuPeriod',
  'CpuQuota',
  'CpusetCpus',
  'MemorySwap',
] as const satisfies readonly (keyof ResourcesBody)[];

const isGiven = (value: number | string): boolean => value !== 0 && value !== '';

/** What Docker takes for the limit of memory and swap where none was asked for: twice the memory. */
const swapOf = ({ Memory, MemorySwap }: HostConfigBody): number => (MemorySwap === 0 ? Memory * 2 : MemorySwap);

/** @throws DockerError 409 */
function checkConflicts(asked: UpdateBody, present: HostConfigBody, id: string): void {
  const conflict = (why: string): never => {
    throw new DockerError(409, `Cannot update container ${id}: ${why}`);
  };
  const hasNano = present.NanoCpus > 0;
  for (const [name, value] of Object.entries({ Period: asked.CpuPeriod, Quota: asked.CpuQuota })) {
    if (hasNano && value !== 0)
      conflict(`Conflicting options: CPU ${name} cannot be updated as NanoCPUs has already been set`);
  }
  for (const [name, value] of Object.entries({ Period: present.CpuPeriod, Quota: present.CpuQuota })) {
    if (asked.NanoCpus > 0 && value > 0)
      conflict(`Conflicting options: Nano CPUs cannot be updated as CPU ${name} has already been set`);
  }
  const swap = swapOf(present);
  if (asked.MemorySwap === 0 && swap > 0 && asked.Memory > swap)
    conflict(
      'Memory limit should be smaller than already set memoryswap limit, update the memoryswap at the same time',
    );
  if (present.AutoRemove && !['', 'no'].includes(asked.RestartPolicy.Name))
    conflict('Restart policy cannot be updated because AutoRemove is enabled for the container');
}

/** Older clients have no limit of processes here. */
const askedPids = ({ PidsLimit }: UpdateBody, minor: ApiMinor): number | null => (minor < 40 ? null : PidsLimit);

function resourcesOf(present: HostConfigBody, changed: object, spec: ContainerSpec) {
  const merged: HostConfigBody = { ...present, ...changed };
  const swap = swapOf(merged);
  if (merged.Memory > 0 && swap > 0 && swap < merged.Memory)
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  const ulimits = Object.entries(spec.resources.ulimits).map(
    ([name, { soft, hard }]) => [name, `${soft}:${hard}`] as const,
  );
  return { ...limitsOf({ ...merged, Ulimits: [] }), ulimits: Object.fromEntries(ulimits) };
}

/**
 * @param body as it was sent, any JSON
 * @throws DockerError with Docker's words
 */
export function updateOf(body: unknown, container: ChangedContainer): ContainerUpdate {
  const { id, spec, cpus, minor } = container;
  const asked = decode(updateBody, body ?? {});
  const present = hostConfigBody(container.hostConfig);
  checkLimits(asked, cpus, 'changed');
  const { Name } = asked.RestartPolicy;
  const restart = restartSection(asked.RestartPolicy, false).written;
  checkConflicts(asked, present, id);
  const pids = askedPids(asked, minor);
  const changed = {
    ...Object.fromEntries(MEMBERS.filter((name) => isGiven(asked[name])).map((name) => [name, asked[name]])),
    ...(pids !== null && { PidsLimit: pids }),
  };
  const written = {
    image: spec.image,
    resources: resourcesOf(present, changed, spec),
    ...restart,
  };
  const result = containerSchema.safeParse(written);
  if (!result.success) {
    const [issue] = result.error.issues;
    return refuse(`invalid limits: ${issue?.path.join('.') ?? ''}: ${issue?.message ?? ''}`);
  }
  return {
    spec: { ...spec, resources: result.data.resources, ...(Name !== '' && { restart: result.data.restart }) },
    hostConfig: { ...changed, ...(Name !== '' && { RestartPolicy: asked.RestartPolicy }) },
    warnings: limitWarnings(asked),
  };
}
