/** The filter of system calls and the session keyring of runs and exec sessions, by what the kernel answers inside. */
import { chmodSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, onTestFinished } from 'vitest';
import type { ExecSpec, TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { systemCall } from '../../../src/ffi/call/foreign.ts';
import { profileSchema } from '../../../src/model/seccomp/profile.ts';
import { makeCaller } from '../../support/caller.ts';
import { execSpec } from '../../support/exec-specs.ts';
import { until } from '../../support/wait.ts';
import { Containers, SHIM_BINARY } from './fixture.ts';

const EPERM = -1;
const ENOSYS = -38;
const CONFINED = 'Seccomp:\t2\nSeccomp_filters:\t1';

/** x86-64; a call the kernel refuses by itself when it is let through with these arguments has that answer beside it. */
const REFUSED: readonly string[] = [
  '64 272 0x10000000', // unshare a user namespace
  '64 56 0x10000011 0', // clone into one
  '64 165 :none :/tmp :cgroup2 0 0',
  '64 166 :/proc 2',
  '64 308 0 0', // setns
  '64 425 8 @', // io_uring_setup
  '64 323 0', // userfaultfd
  '64 298 @ 0 -1 -1 0', // perf_event_open
  '64 321 0 @ 72', // bpf
  '64 304 0 @ 0', // open_by_handle_at
  '64 41 40 1 0', // vsock
  '64 41 0x100000028 1 0',
  '64 41 38 5 0', // alg
  '64 41 0xffffffff00000026 5 0',
  '64 41 33 2 0', // rxrpc
  '64 135 0x40000', // personality without address space randomisation
  '64 250 0 -4 0', // keyctl
  '64 248 :user :planted @ 8 -4', // add_key
  '64 249 :user :secret 0 -3', // request_key
  '64 246 0 0 0 0', // kexec_load
  '64 175 @ 0 @', // init_module
  '64 103 0 0 0', // syslog
  'x32 41 40 1 0',
  'x32 272 0x10000000',
  'x32 165 :none :/tmp :cgroup2 0 0',
  '32 310 0x10000000', // unshare
  '32 359 40 1 0', // socket
  '32 359 38 5 0',
  '32 21 :none :/tmp :cgroup2 0 0', // mount
  '32 288 0 -4 0', // keyctl
  '32 425 8 @',
];
const REFUSED_AS_UNKNOWN = ['64 435 @ 88', '64 600', '32 435 @ 88', '32 600', 'x32 435 @ 88'];

const arguments_ = (calls: readonly string[]): string[] =>
  calls.flatMap((call) => [...call.split(' '), ',']).slice(0, -1);

let containers: Containers;
beforeAll(() => {
  if (process.arch !== 'x64') throw new Error('these calls are those of x86-64');
});
beforeEach(() => {
  containers = new Containers();
  makeCaller(join(containers.image, 'bin/caller'));
  chmodSync(join(containers.image, 'tmp'), 0o777);
});
afterEach(() => containers.dispose());

const results = (text: string): number[] => text.split(/\s+/).filter(Boolean).map(Number);

async function run(calls: readonly string[], changes: Partial<TaskSpec> = {}): Promise<number[]> {
  const { stdout } = await containers.run(containers.spec(['caller', ...arguments_(calls)], changes));
  return results(stdout);
}

async function running(changes: Partial<TaskSpec> = {}): Promise<TaskSpec> {
  const spec = containers.spec(['sleep', '1000'], changes);
  await containers.driver.start(spec);
  return spec;
}

async function exec(id: string, calls: readonly string[], changes: Partial<ExecSpec> = {}): Promise<number[]> {
  const session = await containers.driver.exec(id, execSpec(['caller', ...arguments_(calls)], changes));
  const chunks: Buffer[] = [];
  session.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  session.stderr.resume();
  await session.exited;
  return results(Buffer.concat(chunks).toString());
}

const statusOf = (pid: number): string => readFileSync(`/proc/${pid}/status`, 'utf8');

const PLACES: readonly { readonly name: string; readonly changes: Partial<TaskSpec> }[] = [
  { name: 'root', changes: {} },
  { name: 'with no_new_privs', changes: { noNewPrivileges: true } },
  { name: 'another user', changes: { user: 'web' } },
  { name: 'another user with no_new_privs', changes: { user: 'web', noNewPrivileges: true } },
  { name: 'without capabilities', changes: { capabilities: [] } },
  { name: 'under an init', changes: { init: true } },
  { name: 'under an init on a terminal', changes: { init: true, tty: true, noNewPrivileges: true } },
];

describe('a run', () => {
  it.each(PLACES)('is filtered: $name', async ({ changes }) => {
    const terminal = changes.tty === true;
    const spec = containers.spec([
      'sh',
      '-c',
      `grep Seccomp /proc/self/status; caller ${arguments_(REFUSED).join(' ')}`,
    ]);
    const { stdout } = await containers.run({ ...spec, ...changes });
    const [mode, count, ...answers] = stdout.replaceAll('\r', '').split('\n');
    expect(`${mode}\n${count}`).toBe(CONFINED);
    expect(answers.map(Number)).toEqual(REFUSED.map(() => EPERM));
    expect(terminal || stdout.includes('\n')).toBe(true);
  });

  it('gets ENOSYS for clone3 and for calls newer than its filter', async () => {
    expect(await run(REFUSED_AS_UNKNOWN)).toEqual(REFUSED_AS_UNKNOWN.map(() => ENOSYS));
  });

  it('can make its usual calls in each calling convention', async () => {
    const [pid, socket, narrowPid, narrowSocket] = await run(['64 39', '64 41 2 1 0', '32 20', '32 359 1 1 0']);
    expect([pid, narrowPid]).toEqual([1, 1]);
    expect(socket).toBeGreaterThan(2);
    expect(narrowSocket).toBeGreaterThan(2);
  });

  it('may make the calls that its capabilities allow', async () => {
    const calls = ['64 165 :none :/tmp :tmpfs 0 0', '64 272 0x10000000', '64 41 40 1 0'];
    const [mount, unshare, vsock] = await run(calls, { capabilities: ['SYS_ADMIN', 'CHOWN'] });
    expect([mount, unshare, vsock]).toEqual([0, 0, EPERM]);
  });

  it('has no filter when privileged or unconfined, and the named one otherwise', async () => {
    const seccomp = async (changes: Partial<TaskSpec>) =>
      (await containers.script('grep Seccomp: /proc/self/status; true', changes)).stdout;
    expect(await seccomp({ privileged: true })).toBe('Seccomp:\t0');
    expect(await seccomp({ seccomp: 'unconfined' })).toBe('Seccomp:\t0');
    const profile = profileSchema.parse({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 28 }],
    });
    expect(await seccomp({ privileged: true, seccomp: profile })).toBe('Seccomp:\t2');
    const { stderr } = await containers.script('mkdir /tmp/x', { seccomp: profile });
    expect(stderr).toContain('No space left on device');
  });

  it('whose filter prevents the start is refused with the missing calls', async () => {
    const profile = profileSchema.parse({ defaultAction: 'SCMP_ACT_ERRNO', syscalls: [] });
    const start = containers.driver.start(containers.spec(['true'], { seccomp: profile }));
    const message = expect.stringMatching(/no container can start without prctl, .*execve, execveat, exit_group/);
    await expect(start).rejects.toMatchObject({ code: 'TSD_CONTAINER_SETUP', message });
  });
});

describe('an exec session', () => {
  it.each(PLACES)('is under the filter of its run: $name', async ({ changes }) => {
    const spec = await running(changes);
    const first = containers.driver.running(spec.containerId)?.pid ?? 0;
    expect(statusOf(first)).toContain(CONFINED);
    const user = changes.user ?? '';
    for (const tty of [false, true]) {
      expect(await exec(spec.containerId, REFUSED, { user, tty })).toEqual(REFUSED.map(() => EPERM));
    }
    expect(await exec(spec.containerId, REFUSED, { privileged: true })).toEqual(REFUSED.map(() => EPERM));
    const { out } = await containers.exec(spec.containerId, 'grep Seccomp /proc/self/status', { user });
    expect(out).toBe(CONFINED);
  });

  it('is under it also after a restart of the supervisor', async () => {
    const spec = await running();
    containers.driver.close();
    const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
    const next = createNativeDriver({ instance: containers.instance, clock, shimBinary: SHIM_BINARY });
    onTestFinished(() => next.close());
    expect(await next.adopt(spec)).toMatchObject({ state: 'running' });
    const session = await next.exec(spec.containerId, execSpec(['caller', ...arguments_(['64 41 40 1 0'])]));
    let out = '';
    session.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
    });
    session.stderr.resume();
    await session.exited;
    expect(results(out)).toEqual([EPERM]);
    await next.kill(spec.containerId);
    await next.remove(spec.containerId);
  });

  it('has the custom filter of its run', async () => {
    const profile = profileSchema.parse({
      defaultAction: 'SCMP_ACT_ALLOW',
      syscalls: [{ names: ['getpid'], action: 'SCMP_ACT_ERRNO', errnoRet: 77 }],
    });
    const { containerId } = await running({ seccomp: profile });
    expect(await exec(containerId, ['64 39'])).toEqual([-77]);
    expect((await containers.driver.exec(containerId, execSpec(['true']))).pid).toBeGreaterThan(0);
  });
});

/** keyctl(2) */
const KEY = { add: 248, ctl: 250, session: -3, user: -4, search: 10, read: 11, describe: 6, unlink: 9 } as const;

describe('the session keyring', () => {
  it('belongs to one run or session, and other processes cannot read it', async () => {
    const unconfined = { seccomp: 'unconfined' } as const;
    const serial = [`64 ${KEY.ctl} 0 ${KEY.session} 0`];
    const host = systemCall(KEY.ctl, [0, KEY.session, 0]);
    const [ofRun] = await run(serial, unconfined);
    const first = await running(unconfined);
    const [ofSession] = await exec(first.containerId, serial);
    const [ofUser] = await exec(first.containerId, serial, { user: 'web' });
    const all = [host, ofRun, ofSession, ofUser];
    expect(new Set(all).size).toBe(all.length);
    for (const one of all) expect(one).toBeGreaterThan(0);
  });

  it('is named after the container and admits only its possessor', async () => {
    const spec = containers.spec(['grep', '_ses', '/proc/keys'], { privileged: true });
    const { stdout } = await containers.run(spec);
    expect(stdout).toMatch(
      new RegExp(`^[0-9a-f]{8} .* 3f000000 .*keyring +_ses\\.${spec.containerId.slice(0, 12)}\\.`, 'm'),
    );
    // Of a run that continues: the keyring of a session that has ended goes with it.
    const first = containers.spec(['sh', '-c', `caller 64 ${KEY.ctl} 0 ${KEY.session} 0; sleep 1000`], {
      seccomp: 'unconfined',
    });
    await containers.driver.start(first);
    const serial = await until(
      'the serial number',
      () => /"log":"(\d+)\\n"/.exec(readFileSync(first.log.path, 'utf8'))?.[1],
    );
    const other = await running({ seccomp: 'unconfined', capabilities: ['SYS_ADMIN', 'DAC_OVERRIDE', 'CHOWN'] });
    const EACCES = -13;
    expect(await exec(other.containerId, [`64 ${KEY.ctl} ${KEY.read} ${serial} @ 100`])).toEqual([EACCES]);
  });

  it('hides the keys of the host', async () => {
    const secret = Buffer.from('s3cret');
    const key = systemCall(KEY.add, ['user', 'tsd-test-secret', secret, secret.length, KEY.session]);
    expect(key).toBeGreaterThan(0);
    onTestFinished(() => {
      systemCall(KEY.ctl, [KEY.unlink, key, KEY.session]);
    });
    const search = `64 ${KEY.ctl} ${KEY.search} ${KEY.session} :user :tsd-test-secret 0`;
    const ENOKEY = -126;
    expect(await run([search], { seccomp: 'unconfined' })).toEqual([ENOKEY]);
    expect(await run([search])).toEqual([EPERM]);
  });
});
