/** GET /info. */
import { hostname, machine } from 'node:os';
import type { InfoView } from '../../api/views/host-views.ts';
import type { DockerCall } from '../wire/route.ts';
import { operatingSystem } from './operating-system.ts';

const NO_SWARM = {
  NodeID: '',
  NodeAddr: '',
  LocalNodeState: 'inactive',
  ControlAvailable: false,
  Error: '',
  RemoteManagers: null,
};

const PLUGINS = {
  Volume: ['local'],
  Network: ['bridge', 'host', 'ipvlan', 'macvlan', 'null'],
  Authorization: null,
  Log: ['journald', 'json-file', 'local', 'none', 'syslog'],
};

/** @param host what it is called, and runs on */
export function infoOf({ docker, minor }: DockerCall, info: InfoView): unknown {
  const states = docker.containers.all().map(({ state }) => state.status);
  const paused = states.filter((status) => status === 'paused').length;
  const can = (limit: boolean | null | undefined): boolean => limit === true;
  const { limits } = info;
  return {
    ID: info.id,
    Containers: info.containers,
    ContainersRunning: info.running - paused,
    ContainersPaused: paused,
    ContainersStopped: info.containers - info.running,
    Images: info.images,
    Driver: info.graphDriver,
    DriverStatus: [],
    Plugins: PLUGINS,
    MemoryLimit: can(info.memoryLimit),
    SwapLimit: can(info.swapLimit),
    CpuCfsPeriod: can(limits.cpus),
    CpuCfsQuota: can(limits.cpus),
    CPUShares: can(limits.cpuShares),
    CPUSet: can(limits.cpuset),
    PidsLimit: can(limits.pids),
    IPv4Forwarding: can(info.ipv4Forwarding),
    ...(minor < 50 && { BridgeNfIptables: false, BridgeNfIp6tables: false }),
    Debug: false,
    NFd: 0,
    OomKillDisable: false,
    NGoroutines: 0,
    SystemTime: new Date(docker.clock.now().wallMs).toISOString(),
    LoggingDriver: 'json-file',
    CgroupDriver: 'cgroupfs',
    CgroupVersion: String(info.cgroupVersion ?? 1),
    NEventsListener: 0,
    KernelVersion: info.kernel,
    OperatingSystem: operatingSystem(),
    OSVersion: '',
    OSType: 'linux',
    Architecture: machine(),
    IndexServerAddress: 'https://index.docker.io/v1/',
    RegistryConfig: { IndexConfigs: {}, InsecureRegistryCIDRs: [], Mirrors: [] },
    NCPU: info.cpus,
    MemTotal: info.memoryBytes,
    GenericResources: null,
    DockerRootDir: info.root,
    HttpProxy: '',
    HttpsProxy: '',
    NoProxy: '',
    Name: hostname(),
    Labels: info.labels,
    ExperimentalBuild: false,
    ServerVersion: info.version,
    Runtimes: { [info.execDriver]: { path: info.execDriver } },
    DefaultRuntime: info.execDriver,
    Swarm: NO_SWARM,
    LiveRestoreEnabled: true,
    Isolation: '',
    InitBinary: 'tsdocker-shim',
    ContainerdCommit: { ID: '', ...(minor < 49 && { Expected: '' }) },
    RuncCommit: { ID: '', ...(minor < 49 && { Expected: '' }) },
    InitCommit: { ID: '', ...(minor < 49 && { Expected: '' }) },
    SecurityOptions: ['name=seccomp,profile=builtin', 'name=cgroupns'],
    Warnings: info.warnings,
  };
}
