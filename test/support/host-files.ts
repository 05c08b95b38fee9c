/** Kernels as their files describe them: recorded from real hosts, cut down to what is asked. */
import type { HostFiles } from '../../src/ffi/host/host-files.ts';

/** Text by path; a path with files below it is a directory. A string of class Error is what reading it fails with. */
export type Recorded = Readonly<Record<string, string | Error>>;

export function recordedFiles(tree: Recorded, delegated: readonly string[] = []): HostFiles {
  return {
    text: (path) => {
      const found = tree[path];
      if (found instanceof Error) throw found;
      return found ?? null;
    },
    names: (directory) => {
      const below = Object.keys(tree).filter((path) => path.startsWith(`${directory}/`));
      const names = new Set(below.map((path) => path.slice(directory.length + 1).split('/')[0] ?? ''));
      return below.length === 0 ? null : [...names];
    },
    isDelegated: (directory) => delegated.includes(directory),
  };
}

const MOUNTED = '/sys/fs/cgroup';
const FORWARDING = { '/proc/sys/net/ipv4/ip_forward': '1\n', '/proc/sys/net/ipv6/conf/all/forwarding': '0\n' };

/** Debian 13, Linux 6.12: the unified hierarchy alone, AppArmor. */
export const DEBIAN_13: Recorded = {
  ...FORWARDING,
  '/proc/self/mountinfo': `29 23 0:26 / ${MOUNTED} rw,nosuid,nodev,noexec,relatime shared:9 - cgroup2 cgroup2 rw,nsdelegate,memory_recursiveprot\n`,
  '/proc/self/cgroup': '0::/system.slice/tsdocker.service\n',
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n',
  '/sys/module/apparmor/parameters/enabled': 'Y\n',
  [`${MOUNTED}/cgroup.controllers`]: 'cpuset cpu io memory hugetlb pids rdma misc dmem\n',
  [`${MOUNTED}/cgroup.procs`]: '',
  [`${MOUNTED}/init.scope/memory.max`]: 'max\n',
  [`${MOUNTED}/init.scope/memory.swap.max`]: 'max\n',
};

const v1 = (id: number, name: string, options = name) =>
  `${id} 33 0:${id} / ${MOUNTED}/${name} rw,relatime - cgroup cgroup rw,${options}\n`;

/** A cloud's image with hierarchies of version 1, the unified one beside, and `swapaccount=0`. */
export const VERSION_1: Recorded = {
  '/proc/sys/net/ipv4/ip_forward': '0\n',
  '/proc/self/mountinfo': [
    `33 28 0:29 / ${MOUNTED} rw,relatime - tmpfs tmpfs rw,mode=755\n`,
    v1(34, 'cpu,cpuacct'),
    v1(35, 'cpuset'),
    v1(36, 'memory'),
    v1(37, 'pids'),
    v1(38, 'systemd', 'xattr,name=systemd'),
    `39 33 0:39 / ${MOUNTED}/unified rw,relatime - cgroup2 cgroup2 rw\n`,
  ].join(''),
  '/proc/self/cgroup': '4:pids:/\n3:memory:/\n2:cpuset:/\n1:cpu,cpuacct:/\n0::/\n',
  '/proc/swaps': 'Filename\tType\tSize\tUsed\tPriority\n',
  [`${MOUNTED}/cpu,cpuacct/cpu.shares`]: '1024\n',
  [`${MOUNTED}/cpuset/cpuset.cpus`]: '0-1\n',
  [`${MOUNTED}/memory/memory.limit_in_bytes`]: '9223372036854771712\n',
  [`${MOUNTED}/memory/memory.soft_limit_in_bytes`]: '9223372036854771712\n',
  [`${MOUNTED}/pids/cgroup.procs`]: '1\n',
  [`${MOUNTED}/unified/cgroup.controllers`]: '\n',
};
