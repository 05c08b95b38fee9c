/** Changes that a container's first process makes to itself must not affect later exec sessions. */
import {
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { BoundFile, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { syscall } from '../../../src/ffi/call/native.ts';
import { execSpec } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';
import { shimPidOf } from '../exec/shim-of.ts';
import { Containers, SHIM_BINARY } from './fixture.ts';

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
  chmodSync(join(containers.image, 'tmp'), 0o777);
  for (const tool of ['unshare', 'ln']) symlinkSync('busybox', join(containers.image, 'bin', tool));
});
afterEach(() => containers.dispose());

const upper = (spec: TaskSpec, path: string): string => {
  if (spec.root.type !== 'overlay') throw new Error('these containers are on an overlay');
  return join(spec.root.upper, path);
};

/** Starts the script, which has to `touch /tmp/ready` when it has done its work. */
async function started(script: string, changes: Partial<TaskSpec> = {}): Promise<TaskSpec> {
  const spec = containers.spec(['sh', '-c', script], changes);
  await containers.driver.start(spec);
  await until('the container is ready', () => existsSync(upper(spec, 'tmp/ready')));
  return spec;
}

/** The default filter would keep it from leaving. */
const POWERLESS: Partial<TaskSpec> = {
  user: 'web',
  capabilities: [],
  noNewPrivileges: true,
  seccomp: 'unconfined',
};
const LEAVES =
  'exec unshare -U -r -m sh -c "echo web:x:0:0::/:/bin/sh > /tmp/p; mount --bind /tmp/p /etc/passwd; touch /tmp/ready; exec sleep 1000"';

const touching = execSpec(['touch', '/tmp/touched'], { user: 'web' });

describe('a container whose first process moved to a user namespace with its own mounts', () => {
  const refusal = {
    code: 'TSD_CONTAINER_SETUP',
    message: expect.stringMatching(/first process \(\d+\) has moved to a user namespace of its own$/),
    hint: expect.stringContaining('tsdocker restart'),
  };

  it('refuses exec sessions, with a terminal or without', async () => {
    const spec = await started(LEAVES, POWERLESS);
    await expect(containers.driver.exec(spec.containerId, touching)).rejects.toMatchObject(refusal);
    await expect(containers.driver.exec(spec.containerId, { ...touching, tty: true })).rejects.toMatchObject(refusal);
    expect(existsSync(upper(spec, 'tmp/touched'))).toBe(false);
  });

  it('refuses to bind a file again', async () => {
    const source = join(containers.hostDirectory('files'), 'conf');
    writeFileSync(source, 'one');
    const file: BoundFile = { source, target: '/etc/conf', readOnly: true };
    const mount = { ...file, type: 'bind', copyUp: false, sizeBytes: null } as const;
    const spec = await started(LEAVES, { ...POWERLESS, mounts: [mount] });
    await expect(containers.driver.renewFiles(spec.containerId, [file])).rejects.toMatchObject(refusal);
  });

  it('refuses exec sessions of the next supervisor too', async () => {
    const spec = await started(LEAVES, POWERLESS);
    const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
    const next = createNativeDriver({ instance: containers.instance, clock, shimBinary: SHIM_BINARY });
    try {
      expect(await next.adopt(spec)).toMatchObject({ state: 'running' });
      await expect(next.exec(spec.containerId, touching)).rejects.toMatchObject(refusal);
    } finally {
      next.close();
    }
  });

  it('allows both with an init, which stays in its namespaces', async () => {
    const spec = await started(LEAVES, { ...POWERLESS, init: true });
    const { out } = await containers.exec(
      spec.containerId,
      'id -u; grep -E "CapBnd|NoNewPrivs" /proc/self/status; cat /etc/passwd',
      { user: 'web' },
    );
    expect(out).toMatch(/^1000\nCapBnd:\t0{16}\nNoNewPrivs:\t1\nroot:/);
  });
});

describe('an exec session in a container', () => {
  it('sees the mounts that its first process made with rights on the host', async () => {
    const script = 'exec unshare -m sh -c "mount -t tmpfs none /empty; touch /empty/mine /tmp/ready; exec sleep 1000"';
    const { containerId } = await started(script, { capabilities: ['SYS_ADMIN'] });
    expect((await containers.exec(containerId, 'ls /empty')).out).toBe('mine');
  });

  it('has the environment of the specification, not that of the first process', async () => {
    const script = 'touch /tmp/ready; exec env PATH=/evil FROM=payload ADDED=1 /bin/sleep 1000';
    const { containerId } = await started(script, { env: ['PATH=/bin', 'FROM=specification'] });
    await until('the first process has its environment', () => {
      const { pid } = containers.driver.running(containerId) ?? { pid: 0 };
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes('FROM=payload');
    });
    const { out } = await containers.exec(containerId, 'echo $PATH $FROM $ADDED $HOME');
    expect(out).toBe('/bin specification /root');
  });

  it('runs as the user that the name meant at the start', async () => {
    chmodSync(join(containers.image, 'etc/passwd'), 0o666);
    const script = 'echo web:x:0:0::/:/bin/sh > /etc/passwd; touch /tmp/ready; exec sleep 1000';
    const { containerId } = await started(script, { user: 'web' });
    const { out } = await containers.exec(containerId, 'id -u; cat /etc/passwd; echo $HOME', { user: 'web' });
    expect(out.split('\n')).toEqual(['1000', 'web:x:0:0::/:/bin/sh', '/home/web']);
  });
});

/** fcntl(2), include/uapi/linux/fcntl.h; for a signal that is ignored by default. */
const F_SETSIG = 10;
const F_SETLEASE = 1024;
const F_WRLCK = 1;

/** Holds a file against everyone who opens it; the kernel lets them wait for as long as /proc/sys/fs/lease-break-time. */
function lease(path: string): () => void {
  let fd = openSync(path, 'r+');
  const giveUp = (): void => {
    if (fd >= 0) closeSync(fd);
    fd = -1;
  };
  onTestFinished(giveUp);
  syscall('choose the signal', 'fcntl', fd, F_SETSIG, constants.signals.SIGURG);
  syscall('take a write lease', 'fcntl', fd, F_SETLEASE, F_WRLCK);
  return giveUp;
}

describe('a file whose readers a container can block', () => {
  const isLeased = (path: string) => ({
    code: 'TSD_CONTAINER_SETUP',
    message: `${path} cannot be read: a process holds a lease on it`,
  });
  // That it is not waited for shows in that the lease is still there.
  const isHeld = (path: string): boolean => {
    const { ino } = statSync(path);
    return readFileSync('/proc/locks', 'utf8')
      .split('\n')
      .some((line) => line.includes('LEASE') && line.includes(`:${ino} `));
  };

  it.each(['/etc/passwd', '/bin/tool'])('is refused: %s', async (path) => {
    containers.file('bin/tool', '#!/bin/sh\n', 0o755);
    const spec = await started('touch /etc/passwd /bin/tool /tmp/ready; exec sleep 1000');
    lease(upper(spec, path));
    const asked = {
      ...touching,
      argv: path === '/bin/tool' ? [path] : touching.argv,
      user: path === '/bin/tool' ? '' : 'web',
    };
    await expect(containers.driver.exec(spec.containerId, asked)).rejects.toMatchObject(isLeased(path));
    expect(isHeld(upper(spec, path))).toBe(true);
    expect((await containers.exec(spec.containerId, 'echo well')).out).toBe('well');
  });
});

describe('an exec session in a container that may trace it', () => {
  const childrenOf = (pid: number): number[] =>
    readdirSync(`/proc/${pid}/task`).flatMap((task) =>
      (readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').match(/\d+/g) ?? []).map(Number),
    );
  const read = (pid: number, name: string): string => readFileSync(`/proc/${pid}/${name}`, 'utf8');
  /** Numbers of the process in the pid namespaces that it is in, from ours on. */
  const pidsOf = (pid: number): number[] =>
    (/^NSpid:(.*)$/m.exec(read(pid, 'status'))?.[1]?.match(/\d+/g) ?? []).map(Number);

  it('has no state of the host before its program runs, and shares no memory with its shim', async () => {
    containers.file('bin/tool', '#!/bin/waits\n', 0o755);
    containers.file('bin/waits', '', 0o755);
    const script = 'cat /bin/busybox > /bin/waits; touch /tmp/ready; exec sleep 1000';
    const spec = await started(script, { capabilities: ['SYS_PTRACE', 'KILL'] });
    const handle = containers.driver.running(spec.containerId);
    const shimPid = handle && shimPidOf(handle);
    const giveUp = lease(upper(spec, 'bin/waits'));
    // Its execve waits for the interpreter.
    const session = containers.driver.exec(spec.containerId, { ...touching, argv: ['/bin/tool'], user: '' });
    const [lender, child] = await until('both children of the session', () => {
      const shims = childrenOf(process.pid).filter((pid) => pid !== shimPid && read(pid, 'comm') === 'tsdocker-shim\n');
      const children = shims.flatMap(childrenOf);
      return children.length === 2 ? children : null;
    });
    // The one that borrows the shim's memory is not in the container's pid namespace.
    expect(pidsOf(lender ?? 0)).toEqual([lender]);
    const inside = pidsOf(child ?? 0)[1];
    const look = `ls /proc/${inside}/fd; grep -E 'CapPrm|CapBnd' /proc/${inside}/status; ls -d /proc/[0-9]*`;
    const { out } = await containers.exec(spec.containerId, look);
    expect(out.split('\n').slice(0, 7)).toEqual([
      ...['0', '1', '2'],
      ...['CapPrm:\t0000000000080020', 'CapBnd:\t0000000000080020'],
      ...['/proc/1', `/proc/${inside}`],
    ]);
    giveUp();
    const { stdout, stderr, exited } = await session;
    for (const stream of [stdout, stderr]) stream.resume();
    await exited;
  });
});

describe('a user database that is written during the read', () => {
  it('is empty', async () => {
    const env = ['PATH=/bin', 'DATABASE=\nadmin:x:0:0::/:\n'];
    const { containerId } = await started('ln -sf /proc/1/environ /etc/passwd; touch /tmp/ready; exec sleep 1000', {
      env,
    });
    const seen = await containers.exec(containerId, 'grep -c ^admin: /etc/passwd');
    expect(seen.out).toBe('1');
    await expect(containers.driver.exec(containerId, { ...touching, user: 'admin' })).rejects.toMatchObject({
      code: 'TSD_USER_NOT_FOUND',
    });
  });

  it('is refused when it exceeds the limit', async () => {
    const { containerId } = await started(
      'head -c 1100000 /dev/zero >> /etc/passwd; touch /tmp/ready; exec sleep 1000',
    );
    await expect(containers.driver.exec(containerId, touching)).rejects.toMatchObject({
      code: 'TSD_CONTAINER_SETUP',
      message: '/etc/passwd of the image is larger than 1048576 bytes',
    });
  });
});
