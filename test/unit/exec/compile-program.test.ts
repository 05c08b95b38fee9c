import { describe, expect, it } from 'vitest';
import {
  addCgroupEntries,
  addCgroupNamespace,
  addCgroupView,
} from '../../../src/drivers/exec/native/program/cgroup-ops.ts';
import { addPayload, type PayloadProcess } from '../../../src/drivers/exec/native/program/process-ops.ts';
import { SyscallProgram } from '../../../src/drivers/exec/native/program/program.ts';
import { addSystemMounts } from '../../../src/drivers/exec/native/program/system-mounts.ts';
import { addLimits, ulimitsOf } from '../../../src/drivers/exec/native/program/ulimits.ts';
import { programText } from '../../support/program-text.ts';

function text(build: (program: SyscallProgram) => void): string {
  const program = new SyscallProgram();
  build(program);
  const lines = programText(program.encode({ cloneFlags: 0 })).join('\n');
  return `\n${lines.replace(/_ses\.[0-9a-f.]+/, '_ses')}\n`;
}

const payload: PayloadProcess = {
  containerId: 'c'.repeat(64),
  argv: ['app', '--now'],
  env: ['A=1'],
  executable: '/bin/app',
  user: { uid: 0, gid: 0, groups: [0], home: '/' },
  // All that there are: what is dropped depends on the machine that runs this test.
  capabilities: 2n ** 64n - 1n,
  noNewPrivileges: false,
  filter: { program: Buffer.alloc(16), flags: 0 },
  tty: false,
  stdin: false,
  init: false,
  joins: false,
  limits: [],
};

const OWN_SHM = { kind: 'own', bytes: null } as const;

describe('program of a container', () => {
  it('mounts what every container has', () => {
    const mounts = { privileged: false, devices: [], hasTerminal: false, shm: OWN_SHM };
    expect(text((program) => addSystemMounts(program, mounts))).toMatchInlineSnapshot(`
      "
      try mkdirat(CWD, "proc", 0x1ed)
      again $3 = openat2(CWD, "proc", {24 bytes}, 0x18)
      close($3)
      mount("proc", "proc", "proc", 0xe)
      try mkdirat(CWD, "dev", 0x1ed)
      again $3 = openat2(CWD, "dev", {24 bytes}, 0x18)
      close($3)
      mount("tmpfs", "dev", "tmpfs", 0x1000002, "mode=755,size=65536k")
      mkdirat(CWD, "dev/pts", 0x1ed)
      mkdirat(CWD, "dev/mqueue", 0x1ed)
      mount("devpts", "dev/pts", "devpts", 0xa, "newinstance,ptmxmode=0666,mode=0620,gid=5")
      mkdirat(CWD, "dev/shm", 0x1ed)
      mount("shm", "dev/shm", "tmpfs", 0xe, "mode=1777,size=65536k")
      mount("mqueue", "dev/mqueue", "mqueue", 0xe)
      mknodat(CWD, "dev/null", 0x21b6, 0x103)
      mknodat(CWD, "dev/zero", 0x21b6, 0x105)
      mknodat(CWD, "dev/full", 0x21b6, 0x107)
      mknodat(CWD, "dev/random", 0x21b6, 0x108)
      mknodat(CWD, "dev/urandom", 0x21b6, 0x109)
      mknodat(CWD, "dev/tty", 0x21b6, 0x500)
      symlinkat("/proc/self/fd", CWD, "dev/fd")
      symlinkat("/proc/self/fd/0", CWD, "dev/stdin")
      symlinkat("/proc/self/fd/1", CWD, "dev/stdout")
      symlinkat("/proc/self/fd/2", CWD, "dev/stderr")
      symlinkat("pts/ptmx", CWD, "dev/ptmx")
      try mkdirat(CWD, "sys", 0x1ed)
      again $3 = openat2(CWD, "sys", {24 bytes}, 0x18)
      close($3)
      mount("sysfs", "sys", "sysfs", 0xf)
      "
    `);
  });

  it('has a console and the devices asked for', () => {
    const devices = [{ path: '/dev/bus/usb', mode: 0o20660, major: 189, minor: 1, uid: 0, gid: 7 }];
    const both = (privileged: boolean) =>
      text((program) => addSystemMounts(program, { privileged, devices, hasTerminal: true, shm: OWN_SHM }))
        .split('\n')
        .filter((line) => /console|pts|move_mount|usb|bus|sysfs/.test(line));
    expect(both(false)).toMatchInlineSnapshot(`
      [
        "mkdirat(CWD, "dev/pts", 0x1ed)",
        "move_mount(0x28, "", CWD, "dev/pts", 4)",
        "try mkdirat(CWD, "dev/bus", 0x1ed)",
        "try unlinkat(CWD, "dev/bus/usb")",
        "mknodat(CWD, "dev/bus/usb", 0x21b0, 0xbd01)",
        "fchownat(CWD, "dev/bus/usb", 0, 7)",
        "symlinkat("pts/ptmx", CWD, "dev/ptmx")",
        "mknodat(CWD, "dev/console", 0x8180)",
        "move_mount($3, "", CWD, "dev/console", 4)",
        "mount("sysfs", "sys", "sysfs", 0xf)",
      ]
    `);
    expect(both(true).filter((line) => line.includes('sysfs'))).toMatchInlineSnapshot(`
      [
        "mount("sysfs", "sys", "sysfs", 0xe)",
      ]
    `);
  });

  it('becomes the payload', () => {
    expect(text((program) => addPayload(program, payload))).toMatchInlineSnapshot(`
      "
      prctl(4)
      again $3 = openat2(CWD, "/dev/null", {24 bytes}, 0x18)
      fcntl($3, 4, 2)
      dup3($3)
      dup3($1, 1)
      dup3($2, 2)
      umask(0x12)
      $4 = keyctl(1, "_ses")
      keyctl(5, $4, 0x3f000000)
      seccomp(1, 0, {16 bytes})
      setgroups(1, "")
      setresgid()
      setresuid()
      prctl(0x2f, 4)
      capset({8 bytes}, {24 bytes})
      close_range(3, 0xffffffff)
      prctl(1, 9)
      setsid()
      rt_sigprocmask(2, {16 bytes}, 0, 8)
      execve("/bin/app", {24 bytes}, {32 bytes})
      "
    `);
  });

  it('becomes the payload of another user on a terminal under an init', () => {
    const user = { uid: 7, gid: 8, groups: [8, 9], home: '/' };
    const process = { ...payload, user, tty: true, init: true, noNewPrivileges: true };
    expect(text((program) => addPayload(program, process))).toMatchInlineSnapshot(`
      "
      prctl(4)
      dup3($0)
      dup3($1, 1)
      dup3($2, 2)
      fchownat(0, "", 7, -1, 0x1000)
      fchownat(1, "", 7, -1, 0x1000)
      fchownat(2, "", 7, -1, 0x1000)
      umask(0x12)
      $3 = keyctl(1, "_ses")
      keyctl(5, $3, 0x3f000000)
      setgroups(2, {8 bytes})
      setresgid(8, 8, 8)
      setresuid(7, 7, 7)
      prctl(0x2f, 4)
      capset({8 bytes}, {24 bytes})
      prctl(0x26, 1)
      close_range(3, 8)
      close_range(0xa, 0xffffffff)
      prctl(1, 9)
      setsid()
      ioctl(0, 0x540e)
      rt_sigprocmask(2, {24 bytes}, 0, 8)
      seccomp(1, 0, {24 bytes})
      execveat(9, "", {48 bytes}, {72 bytes}, 0x1000)
      "
    `);
  });

  it('joins other processes only once it has no state of the host', () => {
    const process = { ...payload, joins: true, tty: true, noNewPrivileges: true };
    expect(text((program) => addPayload(program, process))).toMatchInlineSnapshot(`
      "
      prctl(4)
      dup3($0)
      dup3($1, 1)
      dup3($2, 2)
      umask(0x12)
      $3 = keyctl(1, "_ses")
      keyctl(5, $3, 0x3f000000)
      setgroups(1, "")
      setresgid()
      setresuid()
      prctl(0x2f, 4)
      capset({8 bytes}, {24 bytes})
      prctl(0x26, 1)
      close_range(3, 0xffffffff)
      second child:
      prctl(1, 9)
      setsid()
      ioctl(0, 0x540e)
      rt_sigprocmask(2, {24 bytes}, 0, 8)
      seccomp(1, 0, {24 bytes})
      execve("/bin/app", {24 bytes}, {32 bytes})
      "
    `);
  });

  it('enters its groups before they become its view', () => {
    const build = (program: SyscallProgram): void => {
      addCgroupEntries(program, ['/sys/fs/cgroup/pids/x/tasks']);
      addCgroupNamespace(program);
    };
    expect(text(build)).toMatchInlineSnapshot(`
      "
      $3 = openat(CWD, "/sys/fs/cgroup/pids/x/tasks", 1)
      write($3, "0", 1)
      close($3)
      unshare(0x2000000)
      "
    `);
  });

  it('sees its groups, of the unified hierarchy or of all', () => {
    expect(text((program) => addCgroupView(program, 'unified', false))).toMatchInlineSnapshot(`
      "
      mount("cgroup2", "sys/fs/cgroup", "cgroup2", 0xf)
      "
    `);
    const groups = [
      { name: 'cpu,cpuacct', source: '/host/cpu,cpuacct/x', also: ['cpu', 'cpuacct'] },
      { name: 'unified', source: '/host/unified/x', also: [] },
    ];
    expect(text((program) => addCgroupView(program, groups, false))).toMatchInlineSnapshot(`
      "
      mount("tmpfs", "sys/fs/cgroup", "tmpfs", 0xe, "mode=755,size=64k")
      mkdirat(CWD, "sys/fs/cgroup/cpu,cpuacct", 0x1ed)
      mount("/host/cpu,cpuacct/x", "sys/fs/cgroup/cpu,cpuacct", 0, 0x1000)
      try symlinkat("cpu,cpuacct", CWD, "sys/fs/cgroup/cpu")
      try symlinkat("cpu,cpuacct", CWD, "sys/fs/cgroup/cpuacct")
      mkdirat(CWD, "sys/fs/cgroup/unified", 0x1ed)
      mount("/host/unified/x", "sys/fs/cgroup/unified", 0, 0x1000)
      mount_setattr(CWD, "sys/fs/cgroup", 0x8000, {32 bytes}, 0x20)
      "
    `);
    const last = (privileged: boolean): Buffer => {
      const program = new SyscallProgram();
      addCgroupView(program, groups, privileged);
      return program.encode({ cloneFlags: 0 });
    };
    // Of a privileged container they can be written.
    expect(last(true).equals(last(false))).toBe(false);
  });

  it('sets limits', () => {
    expect(text((program) => addLimits(program, ulimitsOf({ nofile: { soft: 5, hard: -1 } })))).toMatchInlineSnapshot(`
      "
      prlimit64(0, 7, {16 bytes})
      "
    `);
    expect(() => ulimitsOf({ none: { soft: 1, hard: 1 } })).toThrow('none is no ulimit');
  });
});
