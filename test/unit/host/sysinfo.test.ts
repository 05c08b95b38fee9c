import { describe, expect, it } from 'vitest';
import { readSysinfo } from '../../../src/ffi/host/sysinfo.ts';
import { DEBIAN_13, type Recorded, recordedFiles, VERSION_1 } from '../../support/host-files.ts';

const of = (tree: Recorded, delegated: readonly string[] = []) => readSysinfo(recordedFiles(tree, delegated));
const ALL = { memory: true, memorySwap: true, cpus: true, cpuShares: true, cpuset: true, pids: true };

describe('what a kernel can do', () => {
  it('is read from the unified hierarchy alone', () => {
    const found = of(DEBIAN_13);
    expect(found).toMatchObject({ cgroupVersion: 2, unified: true, limits: ALL, appArmor: true, unread: [] });
    expect(found.forwarding()).toEqual({ ipv4: true, ipv6: false });
  });

  it('is read from hierarchies of version 1, each limit by its own file', () => {
    const found = of(VERSION_1);
    expect(found).toMatchObject({ cgroupVersion: 1, unified: true, appArmor: false, unread: [] });
    // No swap accounting, no bandwidth control (CONFIG_CFS_BANDWIDTH).
    expect(found.limits).toEqual({ ...ALL, memorySwap: false, cpus: false });
    expect(found.forwarding()).toEqual({ ipv4: false, ipv6: false });
  });

  it('is read where systemd hands a group over, which may have fewer controllers', () => {
    const service = '/sys/fs/cgroup/system.slice/tsdocker.service';
    const tree = { ...DEBIAN_13, [`${service}/cgroup.controllers`]: 'cpu pids\n' };
    expect(of(tree, [service]).limits).toEqual({ ...ALL, memory: false, memorySwap: false, cpuset: false });
    expect(of(tree).limits).toEqual(ALL);
  });

  it('knows about swap also while no group has a limit of memory', () => {
    const { '/sys/fs/cgroup/init.scope/memory.max': _max, ...bare } = DEBIAN_13;
    expect(of(bare).limits.memorySwap).toBe(true);
    const { '/proc/swaps': _swaps, ...without } = bare;
    expect(of(without).limits).toEqual({ ...ALL, memorySwap: false });
    const { '/sys/fs/cgroup/init.scope/memory.swap.max': _swapMax, ...unaccounted } = DEBIAN_13;
    expect(of(unaccounted).limits.memorySwap).toBe(false);
  });

  it('is nothing without control groups', () => {
    const found = of({ '/proc/self/mountinfo': '28 1 254:0 / / rw - ext4 /dev/vda rw\n' });
    expect(found).toMatchObject({ cgroupVersion: null, unified: false, cgroupMounts: [], unread: [] });
    expect(new Set(Object.values(found.limits))).toEqual(new Set([false]));
  });

  it('is not known, with the reason, where a file cannot be read', () => {
    const denied = (path: string) => new Error(`EACCES: permission denied, open '${path}'`);
    const found = of({
      ...DEBIAN_13,
      '/sys/fs/cgroup/cgroup.controllers': denied('/sys/fs/cgroup/cgroup.controllers'),
      '/sys/module/apparmor/parameters/enabled': denied('/sys/module/apparmor/parameters/enabled'),
      '/proc/sys/net/ipv4/ip_forward': denied('/proc/sys/net/ipv4/ip_forward'),
    });
    expect(found.limits).toMatchObject({ memory: null, pids: null });
    expect(found.appArmor).toBeNull();
    expect(found.forwarding().ipv4).toBeNull();
    expect(found.unread).toEqual([
      "EACCES: permission denied, open '/sys/fs/cgroup/cgroup.controllers'",
      "EACCES: permission denied, open '/sys/module/apparmor/parameters/enabled'",
    ]);
  });
});
