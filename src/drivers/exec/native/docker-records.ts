/**
 * What container.json and state.json of a run say, in the shape of Docker 1.4's (libcontainer's Config and State) with keys
 * of ours added. Pure.
 */
import type { RecordedNetwork, TaskHandle, TaskSpec } from '../../contract/exec.ts';
import type { RootMount } from '../../contract/graph.ts';
import type { DevicePolicy } from './cgroups/device-filter.ts';
import { CPU_PERIOD_US } from './cgroups/limits.ts';
import { type DeviceSpec, isBlockDevice } from './program/devices.ts';
import { rlimitOf } from './program/ulimits.ts';
import type { ShimIdentity } from './shim/shim-identity.ts';

/** The devices of a container: the entries of its /dev, and what may be opened. */
export interface TaskDevices {
  readonly nodes: readonly DeviceSpec[];
  readonly policy: DevicePolicy;
}

type CgroupPaths = Readonly<Record<string, string>>;

const CHARACTER = 'c'.charCodeAt(0);
const BLOCK = 'b'.charCodeAt(0);
const PERMISSIONS = 0o7777;
/** Matches any number in libcontainer's lists of devices. */
const ANY = -1;
/** libcontainer's loopback has the network's MTU; without a network Docker's default. */
const DEFAULT_MTU = 1500;

export function containerJson(spec: TaskSpec, devices: TaskDevices, cgroups: CgroupPaths): string {
  const { recorded } = spec;
  const network = recorded?.network ?? null;
  const text = JSON.stringify({
    mount_config: {
      ...(spec.readOnlyRoot && { readonly_fs: true }),
      mounts: spec.mounts.map(({ type, source, target, readOnly }) => ({
        type,
        ...(source !== '' && { source }),
        destination: target,
        ...(!readOnly && { writable: true }),
        private: true,
      })),
      device_nodes: devices.nodes.map(deviceNode),
    },
    root_fs: rootPath(spec.root),
    hostname: spec.hostname,
    ...(spec.user !== '' && { user: spec.user }),
    working_dir: spec.cwd,
    ...(recorded && { environment: recorded.env }),
    ...(spec.tty && { tty: true }),
    namespaces: {
      NEWIPC: spec.shared?.ipc !== 'host',
      NEWNET: spec.netnsFd !== null,
      NEWNS: true,
      NEWPID: spec.shared?.pid !== 'host',
      NEWUTS: spec.shared?.uts !== 'host',
    },
    capabilities: spec.capabilities,
    ...(network !== null && network.type !== 'host' && { networks: networks(network) }),
    cgroups: { ...limits(spec), ...allowed(devices.policy) },
    ...(!spec.privileged && { restrict_sys: true }),
    run: spec.run,
    cgroup_paths: cgroups,
  });
  // Of their numbers JSON.stringify cannot write the largest, which is the usual one.
  const rlimits = Object.entries(spec.ulimits).map(([name, { soft, hard }]) => {
    const limit = rlimitOf(name, soft, hard);
    return `{"type":${limit.resource},"hard":${limit.hard},"soft":${limit.soft}}`;
  });
  return rlimits.length === 0 ? text : `${text.slice(0, -1)},"rlimits":[${rlimits.join(',')}]}`;
}

export function stateJson(
  handle: TaskHandle,
  shim: ShimIdentity,
  network: RecordedNetwork | null,
  cgroups: CgroupPaths,
): string {
  return JSON.stringify({
    init_pid: handle.pid,
    init_start_time: handle.startTime,
    network_state: networkState(network),
    cgroup_paths: cgroups,
    run: handle.run,
    boot_id: handle.bootId,
    shim_pid: shim.shimPid,
    shim_start_time: shim.shimStartTime,
    started_at_ms: handle.startedAtMs,
  });
}

function networkState(network: RecordedNetwork | null): object {
  if (network?.type === 'connected')
    return { veth_host: network.hostInterface, veth_child: network.containerInterface };
  if (network?.type === 'shared') return { ns_path: network.nsPath };
  return {};
}

function networks(network: Exclude<RecordedNetwork, { type: 'host' }>): object[] {
  const mtu = network.type === 'connected' ? network.mtu : DEFAULT_MTU;
  const loopback = { type: 'loopback', address: '127.0.0.1/0', gateway: 'localhost', mtu };
  if (network.type === 'none') return [loopback];
  if (network.type === 'shared') return [loopback, { type: 'netns', ns_path: network.nsPath }];
  const { networkInterface: bridge, mac, address, gateway } = network;
  return [loopback, { type: 'veth', bridge, veth_prefix: 'v', mac_address: mac, address, gateway, mtu }];
}

function limits({ containerId, resources }: TaskSpec): object {
  const { memoryBytes, memorySwapBytes, cpus, cpuShares, cpuset } = resources;
  return {
    name: containerId,
    ...(memoryBytes !== null && { memory: memoryBytes }),
    ...(memorySwapBytes !== null && { memory_swap: memorySwapBytes }),
    ...(cpuShares !== null && { cpu_shares: cpuShares }),
    ...(cpus !== null && { cpu_quota: Math.round(cpus * CPU_PERIOD_US), cpu_period: CPU_PERIOD_US }),
    ...(cpuset !== null && { cpuset_cpus: cpuset }),
  };
}

function allowed(policy: DevicePolicy): object {
  if (policy === 'all') return { allow_all_devices: true };
  return {
    allowed_devices: policy.map(({ type, major, minor, access }) => ({
      type: type === 'b' ? BLOCK : CHARACTER,
      major_number: major ?? ANY,
      minor_number: minor ?? ANY,
      cgroup_permissions: access,
    })),
  };
}

function deviceNode(device: DeviceSpec): object {
  return {
    type: isBlockDevice(device) ? BLOCK : CHARACTER,
    path: device.path,
    major_number: device.major,
    minor_number: device.minor,
    cgroup_permissions: 'rwm',
    file_mode: device.mode & PERMISSIONS,
    uid: device.uid,
    gid: device.gid,
  };
}

/** Where the files are that the container writes, or, on a device of their own, where it was mounted. */
function rootPath(root: RootMount): string {
  switch (root.type) {
    case 'bind':
      return root.source;
    case 'overlay':
      return root.upper;
    case 'calls':
      return root.place;
  }
}
