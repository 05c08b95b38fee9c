import { readFileSync, readlinkSync, symlinkSync, writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DEFAULT_CAPABILITIES } from '../../../src/model/capabilities.ts';
import { enterOwnMounts, ownMounts } from '../../support/own-mounts.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeAll(enterOwnMounts);
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

describe('a container', () => {
  it('sees its own processes, names and mounts, and changes nothing on the host', async () => {
    const before = ownMounts();
    const { stdout, exitCode } = await containers.script(
      'hostname; echo $$; ls /proc | grep -c "^[0-9]*$"; ls /; readlink /proc/self/ns/uts; cat /proc/mounts',
    );
    const [hostname, pid, processes, ...rest] = stdout.split('\n');
    expect(exitCode).toBe(0);
    expect([hostname, pid]).toEqual(['box', '1']);
    expect(Number(processes)).toBeLessThanOrEqual(4);
    expect(rest.slice(0, 7)).toEqual(['bin', 'dev', 'empty', 'etc', 'proc', 'sys', 'tmp']);
    expect(rest[7]).not.toBe(readlinkSync('/proc/self/ns/uts'));
    const mounts = rest.slice(8).map((line) => line.split(' '));
    expect(mounts.slice(0, 7).map(([, target, type]) => `${target} ${type}`)).toEqual([
      '/ overlay',
      '/proc proc',
      '/dev tmpfs',
      '/dev/pts devpts',
      '/dev/shm tmpfs',
      '/dev/mqueue mqueue',
      '/sys sysfs',
    ]);
    expect(mounts.find(([, target]) => target === '/sys')?.[3]).toMatch(/^ro,/);
    expect(mounts.filter(([, target]) => target?.startsWith('/tmp/tsd-test'))).toEqual([]);
    expect(ownMounts()).toBe(before);
  });

  it('inherits no descriptor, blocked signal or ignored signal of the supervisor', async () => {
    const own = await containers.run(containers.spec(['grep', '-E', 'Sig(Blk|Ign)', '/proc/self/status']));
    expect(own.stdout.split('\n')).toEqual(['SigBlk:\t0000000000000000', 'SigIgn:\t0000000000000000']);
    const { stdout } = await containers.script('ls /proc/$$/fd; umask');
    expect(stdout.split('\n')).toEqual(['0', '1', '2', '0022']);
  });

  it('has the devices of /dev and cannot reach those of the host', async () => {
    const { stdout } = await containers.script(
      [
        'ls /dev',
        'head -c 4 /dev/zero | wc -c',
        'mknod /tmp/disk b 254 0 && echo made',
        'head -c 1 /tmp/disk >/dev/null 2>/tmp/error || cat /tmp/error',
        'mknod /tmp/mem c 1 1; head -c 1 /tmp/mem 2>&1',
        'echo x > /dev/stdout',
      ].join('\n'),
    );
    const lines = stdout.split('\n');
    expect(lines.slice(0, 13).join(' ')).toBe(
      'fd full mqueue null ptmx pts random shm stderr stdin stdout tty urandom',
    );
    expect(lines.slice(13)).toEqual([
      'zero',
      '4',
      'made',
      expect.stringContaining('Operation not permitted'),
      expect.stringContaining('Operation not permitted'),
      'x',
    ]);
  });

  it('has the devices it asks for with the access it asks for', async () => {
    const { stdout, stderr } = await containers.script(
      'stat -c "%t:%T" /dev/mine/kernel /opt/log; (: < /dev/mine/kernel) && echo read; echo x > /dev/mine/kernel',
      {
        devices: [
          { hostPath: '/dev/kmsg', containerPath: '/dev/mine/kernel', permissions: 'r' },
          { hostPath: '/dev/full', containerPath: '/opt/log', permissions: 'rwm' },
        ],
        capabilities: [...DEFAULT_CAPABILITIES, 'SYSLOG'],
      },
    );
    expect(stdout.split('\n')).toEqual(['1:b', '1:7', 'read']);
    expect(stderr).toContain('Operation not permitted');
  });

  it('refuses a device that the host does not have', async () => {
    const spec = containers.spec(['true'], {
      devices: [{ hostPath: '/dev/no-such', containerPath: '/dev/x', permissions: 'rwm' }],
    });
    await expect(containers.driver.start(spec)).rejects.toThrow('device /dev/no-such does not exist on this host');
    expect(containers.cgroups.list()).toEqual([]);
  });

  it('cannot see or change the host through /proc and /sys', async () => {
    const { stdout, stderr } = await containers.script(
      'wc -c < /proc/keys; wc -c < /proc/timer_list; ls -A /sys/firmware; echo 1 > /proc/sys/kernel/panic; mkdir /sys/fs/x; echo h > /proc/sysrq-trigger',
    );
    expect(stdout.split('\n')).toEqual(['0', '0']);
    expect(stderr).toContain('/proc/sys/kernel/panic: Read-only file system');
    expect(stderr).toContain("'/sys/fs/x': Read-only file system");
  });

  it('sees everything when privileged', async () => {
    const { stdout, stderr, exitCode } = await containers.script(
      'test -c /dev/kmsg && grep CapEff /proc/self/status && mount -t tmpfs none /tmp && test -w /proc/sys/kernel/hostname && echo ok',
      { privileged: true },
    );
    expect({ stderr, exitCode }).toEqual({ stderr: '', exitCode: 0 });
    const own = /CapPrm:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
    expect(stdout.split('\n')).toEqual([`CapEff:\t${own}`, 'ok']);
  });
});

describe('credentials', () => {
  const STATUS =
    'grep -E "^(Uid|Gid|Groups|Cap(Inh|Prm|Eff|Bnd|Amb)|NoNewPrivs)" /proc/self/status | busybox tr -s " \\t" " "';

  async function status(changes: Parameters<Containers['script']>[1]): Promise<string[]> {
    const { stdout } = await containers.script(`${STATUS}`, changes);
    return stdout.split('\n').map((line) => line.trim());
  }

  it('of root are the default capabilities', async () => {
    expect(await status({})).toMatchInlineSnapshot(`
      [
        "Uid: 0 0 0 0",
        "Gid: 0 0 0 0",
        "Groups: 0 4",
        "CapInh: 0000000000000000",
        "CapPrm: 00000000a80425fb",
        "CapEff: 00000000a80425fb",
        "CapBnd: 00000000a80425fb",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 0",
      ]
    `);
  });

  it('of another user are empty, and file capabilities can raise them', async () => {
    expect(await status({ user: 'web' })).toMatchInlineSnapshot(`
      [
        "Uid: 1000 1000 1000 1000",
        "Gid: 1001 1001 1001 1001",
        "Groups: 4 1001 2000",
        "CapInh: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "CapBnd: 00000000a80425fb",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 0",
      ]
    `);
  });

  it('can be numbers, with a group, and with no new privileges', async () => {
    expect(await status({ user: '4242:extra', capabilities: [], noNewPrivileges: true })).toMatchInlineSnapshot(`
      [
        "Uid: 4242 4242 4242 4242",
        "Gid: 2000 2000 2000 2000",
        "Groups: 2000",
        "CapInh: 0000000000000000",
        "CapPrm: 0000000000000000",
        "CapEff: 0000000000000000",
        "CapBnd: 0000000000000000",
        "CapAmb: 0000000000000000",
        "NoNewPrivs: 1",
      ]
    `);
  });

  it('come with home directory, working directory and environment', async () => {
    const { stdout } = await containers.script(
      'echo $HOME; pwd; echo $A; touch /home/web/made/x 2>&1; echo > /dev/stdout',
      {
        user: 'web',
        cwd: '/home/web/made',
        env: ['PATH=/bin', 'A=1', 'A=2'],
      },
    );
    expect(stdout.split('\n')).toEqual([
      '/home/web',
      '/home/web/made',
      '2',
      expect.stringContaining('Permission denied'),
    ]);
  });

  it('of a user missing from the image are an error that names the user', async () => {
    await expect(containers.driver.start(containers.spec(['true'], { user: 'nobody' }))).rejects.toMatchObject({
      code: 'TSD_USER_NOT_FOUND',
      message: 'user "nobody" is not in /etc/passwd of the image',
    });
    await expect(containers.driver.start(containers.spec(['true'], { user: 'web:none' }))).rejects.toMatchObject({
      code: 'TSD_USER_NOT_FOUND',
    });
    expect(containers.cgroups.list()).toEqual([]);
  });
});

describe('the program', () => {
  it('that is missing is an error that names the searched places', async () => {
    containers.file('data', 'no program');
    containers.file('script', '#!/usr/bin/perl -w\n', 0o755);
    const start = (argv: string[]) => containers.driver.start(containers.spec(argv));
    await expect(start(['nothing'])).rejects.toThrow('"nothing" is not in the image in PATH (/bin)');
    await expect(start(['/bin/nothing'])).rejects.toThrow('"/bin/nothing" is not in the image');
    await expect(start(['/data'])).rejects.toMatchObject({ errno: 13, message: '/data is not an executable file' });
    await expect(start(['/script'])).rejects.toThrow('/script needs /usr/bin/perl, which is not in the image');
    await expect(start([''])).rejects.toMatchObject({ code: 'TSD_COMMAND_NOT_FOUND' });
    await expect(start(['sh', 'a\0b'])).rejects.toThrow('command contains a NUL byte');
    expect(containers.cgroups.list()).toEqual([]);
  });

  it('is found through links and in volumes', async () => {
    const volume = containers.hostDirectory('volume');
    containers.file('opt/link/.keep', '');
    symlinkSync('/srv/app', `${containers.image}/bin/app`);
    writeFileSync(`${volume}/app`, '#!/bin/sh\necho from the volume\n', { mode: 0o755 });
    const mount = {
      type: 'bind' as const,
      source: volume,
      target: '/srv',
      readOnly: true,
      copyUp: false,
      sizeBytes: null,
    };
    const { stdout } = await containers.run(containers.spec(['app'], { mounts: [mount] }));
    expect(stdout).toBe('from the volume');
  });

  it('runs under a reaping init when asked for', async () => {
    const { stdout, exitCode } = await containers.script('(sleep 0.01 &); cat /proc/1/comm; exit 7', { init: true });
    expect({ stdout, exitCode }).toEqual({ stdout: 'tsdocker-init', exitCode: 7 });
  });

  it('has a terminal when asked for', async () => {
    const { stdout } = await containers.script('tty; test -t 0 && echo yes; ls -l /dev/console | head -c 1', {
      tty: true,
    });
    expect(stdout.replaceAll('\r', '').split('\n')).toEqual(['/dev/pts/0', 'yes', 'c']);
  });

  it('has the limits of its specification and the kernel default for open files', async () => {
    const { stdout } = await containers.script('ulimit -n; ulimit -c; ulimit -Hn', {
      ulimits: { core: { soft: 0, hard: 0 } },
    });
    expect(stdout.split('\n').slice(0, 2)).toEqual(['1024', '0']);
    const { stdout: own } = await containers.script('ulimit -n; ulimit -Hn', {
      ulimits: { nofile: { soft: 100, hard: 200 } },
    });
    expect(own).toBe('100\n200');
  });
});
