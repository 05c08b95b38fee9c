/** Limits, with the checks that Docker makes of them (daemon/daemon_unix.go). */
import { ULIMIT_NAMES } from '../../model/kinds/runtime-forms.ts';
import type { ResourcesBody } from './container-body.ts';
import { refuse, type Section } from './context.ts';

const MIN_MEMORY = 6 * 1024 ** 2;
const NANO = 1e9;
const DEFAULT_PERIOD_US = 100_000;
const MIN_CPUS = 0.01;
const MAX_CPUS = 4096;
/** What the kernel makes of values beyond (kernel/sched/core.c). */
const SHARES = { min: 2, max: 262_144 } as const;
const MAX_PIDS = 4_194_304;

/** Whether what is not given has no limit, or the one that it has already. */
type Asked = 'new' | 'changed';

function checkMemory(body: ResourcesBody, asked: Asked): void {
  const { Memory, MemorySwap, MemoryReservation, MemorySwappiness } = body;
  if (Memory !== 0 && Memory < MIN_MEMORY) refuse('Minimum memory limit allowed is 6MB');
  if (Memory > 0 && MemorySwap > 0 && MemorySwap < Memory)
    refuse('Minimum memoryswap limit should be larger than memory limit, see usage');
  if (asked === 'new' && Memory === 0 && MemorySwap > 0)
    refuse('You should always set the Memory limit when using Memoryswap limit, see usage');
  if (MemorySwappiness !== null && (MemorySwappiness < -1 || MemorySwappiness > 100))
    refuse(`Invalid value: ${MemorySwappiness}, valid memory swappiness range is 0-100`);
  if (MemoryReservation !== 0 && MemoryReservation < MIN_MEMORY) refuse('Minimum memory reservation allowed is 6MB');
  if (Memory > 0 && MemoryReservation > Memory)
    refuse('Minimum memory limit can not be less than memory reservation limit, see usage');
}

function checkCpu({ NanoCpus, CpuPeriod, CpuQuota, CpuShares, ...rest }: ResourcesBody, cpus: number): void {
  for (const [name, value] of Object.entries({ Period: CpuPeriod, Quota: CpuQuota })) {
    if (NanoCpus > 0 && value > 0) refuse(`Conflicting options: Nano CPUs and CPU ${name} cannot both be set`);
  }
  if (NanoCpus < 0 || NanoCpus > cpus * NANO) {
    const range = `Range of CPUs is from 0.01 to ${cpus}.00`;
    refuse(`${range}, as there are only ${cpus} CPUs available`);
  }
  if (CpuPeriod !== 0 && (CpuPeriod < 1000 || CpuPeriod > 1_000_000))
    refuse('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  if (CpuQuota > 0 && CpuQuota < 1000) refuse('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  if (CpuShares < 0) refuse(`invalid CPU shares: ${CpuShares}`);
  if (rest.CpuRealtimePeriod !== 0 || rest.CpuRealtimeRuntime !== 0)
    refuse('Your kernel does not support CPU real-time scheduler');
}

function checkCpuset(cpuset: string, cpus: number): void {
  if (!/^\d+(-\d+)?(,\d+(-\d+)?)*$/.test(cpuset))
    refuse(`Invalid value ${cpuset} for cpuset cpus: invalid format: ${cpuset}`);
  if (cpuset.split(/[-,]/).some((number) => Number(number) >= cpus))
    refuse(`Requested CPUs are not available - requested ${cpuset}, available: 0-${cpus - 1}`);
}

/** A share of one CPU or more; null for no limit. */
function cpusOf({ NanoCpus, CpuQuota, CpuPeriod }: ResourcesBody): number | null {
  if (NanoCpus > 0) return Math.max(MIN_CPUS, NanoCpus / NANO);
  if (CpuQuota <= 0) return null;
  const cpus = CpuQuota / (CpuPeriod === 0 ? DEFAULT_PERIOD_US : CpuPeriod);
  return cpus > MAX_CPUS ? null : Math.max(MIN_CPUS, cpus);
}

function ulimitsOf(ulimits: ResourcesBody['Ulimits']): Readonly<Record<string, string>> {
  return Object.fromEntries(
    ulimits.map(({ Name, Soft, Hard }) => {
      const known = ULIMIT_NAMES.find((name) => name === Name.toLowerCase());
      if (known === undefined) refuse(`invalid ulimit type: ${Name}`);
      if (Hard >= 0 && (Soft > Hard || Soft < 0))
        refuse(`ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
      return [known, `${Math.max(-1, Soft)}:${Math.max(-1, Hard)}`];
    }),
  );
}

const BLOCK_LIMITS = [
  'BlkioWeightDevice',
  'BlkioDeviceReadBps',
  'BlkioDeviceWriteBps',
  'BlkioDeviceReadIOps',
  'BlkioDeviceWriteIOps',
] as const;

/** Limits that are asked for and not set: they spare the host, and change nothing of what a program may do. */
export function limitWarnings(body: ResourcesBody): string[] {
  const blockLimits = body.BlkioWeight !== 0 || BLOCK_LIMITS.some((name) => body[name].length > 0);
  const swappiness = body.MemorySwappiness ?? -1;
  return [
    ...(blockLimits ? ['Limits of block I/O are not supported. They are discarded.'] : []),
    ...(body.MemoryReservation > 0 ? ['MemoryReservation is not supported. It is discarded.'] : []),
    ...(swappiness >= 0 ? ['MemorySwappiness is not supported. It is discarded.'] : []),
    ...(body.OomKillDisable ? ['OomKillDisable is not supported. It is discarded.'] : []),
    ...(body.CpusetMems === '' ? [] : ['CpusetMems is not supported. It is discarded.']),
  ];
}

/** What would leave a limit or a right out. */
function refuseUnsupported({ CgroupParent, DeviceCgroupRules, DeviceRequests }: ResourcesBody): void {
  if (CgroupParent !== '') refuse('CgroupParent is not supported: each container has a group of its own');
  if (DeviceCgroupRules.length > 0) refuse('DeviceCgroupRules are not supported; name the devices, with --device');
  const [request] = DeviceRequests;
  if (request !== undefined) {
    const capabilities = request.Capabilities.map((alternatives) => `[${alternatives.join(' ')}]`).join(' ');
    refuse(`could not select device driver "${request.Driver}" with capabilities: [${capabilities}]`);
  }
}

const clamp = (value: number, { min, max }: { readonly min: number; readonly max: number }): number =>
  Math.min(max, Math.max(min, value));

/** @throws DockerError 400 */
export function checkLimits(body: ResourcesBody, cpus: number, asked: Asked): void {
  checkMemory(body, asked);
  checkCpu(body, cpus);
  if (body.CpusetCpus !== '') checkCpuset(body.CpusetCpus, cpus);
}

/** Members of `resources` that the body sets. */
export function limitsOf(body: ResourcesBody): Readonly<Record<string, unknown>> {
  const { Memory, MemorySwap, CpuShares, CpusetCpus, PidsLimit } = body;
  const share = cpusOf(body);
  const ulimits = ulimitsOf(body.Ulimits);
  return {
    ...(Memory > 0 && { memory: Memory }),
    ...(Memory > 0 && MemorySwap !== 0 && { memorySwap: MemorySwap < 0 ? 'unlimited' : MemorySwap }),
    ...(share !== null && { cpus: share }),
    ...(CpuShares > 0 && { cpuShares: clamp(CpuShares, SHARES) }),
    ...(CpusetCpus !== '' && { cpuset: CpusetCpus }),
    ...(PidsLimit !== null && PidsLimit > 0 && PidsLimit <= MAX_PIDS && { pids: PidsLimit }),
    ...(Object.keys(ulimits).length > 0 && { ulimits }),
  };
}

export function resourcesSection(body: ResourcesBody, cpus: number): Section {
  refuseUnsupported(body);
  checkLimits(body, cpus, 'new');
  const resources = limitsOf(body);
  return { written: Object.keys(resources).length > 0 ? { resources } : {}, warnings: limitWarnings(body) };
}
