/** include/uapi/linux/sched.h */
export const CLONE_NEW = {
  mount: 0x20000,
  cgroup: 0x2000000,
  uts: 0x4000000,
  ipc: 0x8000000,
  pid: 0x20000000,
  net: 0x40000000,
} as const;
