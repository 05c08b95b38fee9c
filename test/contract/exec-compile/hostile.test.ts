/** Images, volumes and users that try to make the supervisor touch the host. None of them may; most are refused. */
import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { TaskSpec } from '../../../src/drivers/contract/exec.ts';
import { enterOwnMounts, ownMounts } from '../../support/own-mounts.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
let outside: string;
let mountsBefore: string;
beforeAll(enterOwnMounts);
beforeEach(() => {
  containers = new Containers();
  outside = containers.hostDirectory('outside');
  mountsBefore = ownMounts();
});
afterEach(async () => {
  const touched = readdirSync(outside).filter((name) => name !== 'secret');
  const mountsAfter = ownMounts();
  await containers.dispose();
  expect(touched).toEqual([]);
  expect(mountsAfter).toBe(mountsBefore);
});

/** A path that leads out of any directory to `path`. */
const wayOut = (path: string): string => `${'../'.repeat(20)}${path}`;

function image(path: string, target: string): void {
  rmSync(join(containers.image, path), { recursive: true, force: true });
  symlinkSync(target, join(containers.image, path));
}

async function refusal(changes: Partial<TaskSpec>, argv: string[] = ['true']): Promise<string> {
  const spec = containers.spec(argv, changes);
  try {
    await containers.driver.start(spec);
  } catch (error) {
    expect(containers.cgroups.list()).not.toContain(spec.containerId);
    return (error as Error).message;
  }
  throw new Error('it was started');
}

describe('the user database of an image', () => {
  it('that is a link to that of the host is not read', async () => {
    for (const target of ['/proc/self/root/etc/passwd', wayOut(`${outside}/secret`)]) {
      writeFileSync(join(outside, 'secret'), 'admin:x:7:7::/:\n');
      image('etc/passwd', target);
      expect(await refusal({ user: 'admin' })).toBe('user "admin" is not in /etc/passwd of the image');
    }
  });

  it('that would block or have an effect when opened is refused', async () => {
    rmSync(join(containers.image, 'etc/passwd'));
    execFileSync('mkfifo', [join(containers.image, 'etc/passwd')]);
    expect(await refusal({})).toBe('/etc/passwd of the image is not a regular file');
    rmSync(join(containers.image, 'etc/passwd'));
    // A link to itself leads to nothing.
    image('etc/group', 'group');
    expect(await refusal({ user: ':adm' })).toBe('group "adm" is not in /etc/group of the image');
  });

  it('with garbage in it gives the valid lines', async () => {
    containers.file(
      'etc/passwd',
      '\0\0::::\nroot:x:-1:0\nroot:x:99999999999:0::/x:\nweb:x:5:6::no/home:\n\n:::\nlong:'.padEnd(70_000, 'y'),
    );
    containers.file('etc/group', 'web:x:abc:web\nweb:x:7:root,web\n:x:8:web');
    const { stdout } = await containers.script('grep -E "^(Uid|Gid|Groups)" /proc/self/status; echo $HOME', {
      user: 'web',
    });
    expect(
      stdout
        .replaceAll(/[ \t]+/g, ' ')
        .split('\n')
        .map((line) => line.trim()),
    ).toEqual(['Uid: 5 5 5 5', 'Gid: 6 6 6 6', 'Groups: 6 7', '/']);
  });
});

describe('a user given as a number', () => {
  it('does not match a user whose name is that number', async () => {
    containers.file('etc/passwd', '1000:x:0:0::/:/bin/sh\n');
    containers.file('etc/group', '1000:x:0:\n');
    const script = 'grep -E "^(Uid|Gid|CapEff)" /proc/self/status | cut -f2';
    image('bin/cut', 'busybox');
    const { stdout } = await containers.script(script, { user: '1000:1000' });
    expect(stdout.split('\n')).toEqual(['1000', '1000', '0000000000000000']);
  });
});

describe('mount points of an image', () => {
  const bindHere = (target: string) => ({
    mounts: [
      {
        type: 'bind' as const,
        source: containers.hostDirectory('data'),
        target,
        readOnly: false,
        copyUp: false,
        sizeBytes: null,
      },
    ],
  });

  it('that are links stay inside the image', async () => {
    image('data', wayOut(outside));
    const { stdout } = await containers.script(
      `ls -d ${outside}; grep -c " ${outside} " /proc/mounts`,
      bindHere('/data'),
    );
    expect(stdout.split('\n')).toEqual([outside, '1']);
    image('host', outside);
    expect((await containers.script('echo ran', bindHere('/host/new/place'))).stdout).toBe('ran');
    expect(existsSync(join(outside, 'new'))).toBe(false);
  });

  it('that are links through a mount and out of it again stay inside the image', async () => {
    const hosts = join(containers.hostDirectory('data'), 'hosts');
    writeFileSync(hosts, '10.0.0.1 web\n');
    image('evil', outside);
    const script = `cat ${outside}/by/the/image; ls -d /dev/x 2>&1`;
    for (const target of ['/dev/x/../../evil/by/the/image', '/dev/x/y/../../z/.././../evil/by/the/image']) {
      image('etc/hosts', target);
      const mounts = [{ ...bindHere('/etc/hosts').mounts[0], source: hosts }] as TaskSpec['mounts'];
      const { stdout } = await containers.script(script, { mounts });
      expect(stdout.split('\n')).toEqual(['10.0.0.1 web', 'ls: /dev/x: No such file or directory']);
    }
    image('data', '/dev/x/../../evil/by/a/directory');
    const { stdout } = await containers.script(`grep -c " ${outside}/by/a/directory " /proc/mounts`, bindHere('/data'));
    expect(stdout).toBe('1');
  });

  it('that are links into /proc are refused', async () => {
    for (const target of [
      '/proc/self/cwd',
      '/proc/self/fd/5',
      '/proc/1/root/tmp',
      '/dev/x/../../proc/self',
      '/dev/fd/5',
    ]) {
      image('data', target);
      expect(await refusal(bindHere('/data'))).toContain('nothing can be mounted on /data');
      expect(await refusal(bindHere('/data/new'))).toContain('nothing can be mounted on /data/new');
    }
    for (const target of ['/dev/x/../../proc', '/dev/x/../stdin', '/sys/../..']) {
      image('data', target);
      expect(await refusal(bindHere('/data'))).toContain('nothing can be mounted on /data');
    }
  });

  it('that are links in a circle or under a file are refused', async () => {
    image('one', 'two');
    image('two', 'one');
    expect(await refusal(bindHere('/one'))).toContain('ELOOP');
    expect(await refusal(bindHere('/bin/busybox/x'))).toContain('ENOTDIR');
  });

  it('/proc, /dev and /sys that are links are refused', async () => {
    for (const name of ['proc', 'dev', 'sys']) {
      mkdirSync(join(containers.image, 'elsewhere'), { recursive: true });
      image(name, 'elsewhere');
      expect(await refusal({})).toContain(`check that /${name} is a directory of the image`);
      rmSync(join(containers.image, name));
    }
  });

  it('in a volume that another container changes stay inside', async () => {
    const volume = containers.hostDirectory('volume');
    symlinkSync(outside, join(volume, 'in'));
    const mounts = [
      ...bindHere('/v/in/here').mounts,
      { ...bindHere('/v').mounts[0], source: volume },
    ] as TaskSpec['mounts'];
    expect((await containers.script('echo ran', { mounts })).stdout).toBe('ran');
  });
});

describe('a working directory', () => {
  it('that is a link to the host stays inside', async () => {
    image('work', wayOut(outside));
    expect((await containers.script('pwd', { cwd: '/work' })).stdout).toBe(outside);
    image('work', '/proc/self/fd/7');
    await expect(containers.driver.start(containers.spec(['true'], { cwd: '/work' }))).rejects.toThrow('ELOOP');
    expect(await refusal({ cwd: '/proc/self/fd/16' })).toContain('open working directory /proc/self/fd/16');
  });

  it('of an exec session cannot be one of its descriptors', async () => {
    const spec = containers.spec(['sleep', '1000']);
    await containers.driver.start(spec);
    for (let fd = 3; fd < 20; fd++) {
      await expect(containers.exec(spec.containerId, 'true', { cwd: `/proc/self/fd/${fd}` })).rejects.toThrow(
        /open working directory/,
      );
    }
  });
});

describe('a program of an image', () => {
  it('that is a link to one of the host is not found', async () => {
    image('app', wayOut('/usr/bin/env'));
    expect(await refusal({}, ['/app'])).toBe('"/app" is not in the image');
    image('app', '/proc/self/exe');
    expect(await refusal({}, ['/app'])).toBe('"/app" is not in the image');
  });
});

describe('a descriptor of a payload', () => {
  const mode = (path: string): number => statSync(path).mode & 0o7777;
  /** Tries to change the device that is its descriptor 0, then shows whose it is. */
  const script = 'chmod 1666 /proc/self/fd/0; stat -L -c "%a %t:%T" /proc/self/fd/0 /dev/null; read line; echo $?';
  const own = ['1666 1:3', '1666 1:3', '1'];
  let before: number;
  beforeEach(() => {
    before = mode('/dev/null');
  });
  afterEach(() => {
    const after = mode('/dev/null');
    if (after !== before) chmodSync('/dev/null', before);
    expect(after).toBe(before);
  });

  it.each([false, true])('is /dev/null of the container, not of the host (init: %s)', async (init) => {
    expect((await containers.script(script, { capabilities: [], init })).stdout.split('\n')).toEqual(own);
  });

  it('is /dev/null of the container in an exec session too, also when the path was replaced', async () => {
    const { containerId } = await containers.driver.start(
      containers.spec(['sleep', '1000'], { capabilities: ['MKNOD'] }),
    );
    expect((await containers.exec(containerId, script)).out.split('\n')).toEqual(own);
    // No one writes to it: opened to be read, it would keep the session waiting for ever.
    await containers.exec(containerId, 'rm /dev/null; busybox mkfifo /dev/null');
    expect((await containers.exec(containerId, 'stat -L -c %F /proc/self/fd/0')).out).toBe('fifo');
    for (const target of ['/proc/1/root/bin/sh', '/proc/self/fd/32']) {
      await containers.exec(containerId, `busybox ln -sf ${target} /dev/null`, { stdin: true });
      await expect(containers.exec(containerId, 'true')).rejects.toThrow('open /dev/null of the container: ELOOP');
    }
  });

  it('is a device node outside of layers and volumes, wherever it was asked for', async () => {
    const device = join(containers.instance.root, 'device');
    execFileSync('mknod', ['-m', '640', device, 'c', '1', '7']);
    const volume = containers.hostDirectory('volume');
    const { stdout } = await containers.script(
      'for d in /opt/a/full /v/full; do chmod 1666 $d; stat -c "%a %t:%T" $d; echo x > $d; done 2>&1; ls -A /dev; stat -L -c %t:%T /proc/self/fd/0',
      {
        capabilities: [],
        devices: ['/opt/a/full', '/v/full'].map((containerPath) => ({
          hostPath: device,
          containerPath,
          permissions: 'rw',
        })),
        mounts: [
          { type: 'bind', source: volume, target: '/v', readOnly: false, copyUp: false, sizeBytes: null },
          {
            type: 'bind',
            source: containers.hostDirectory('dev'),
            target: '/dev',
            readOnly: false,
            copyUp: false,
            sizeBytes: null,
          },
        ],
      },
    );
    const full = 'sh: write error: No space left on device';
    expect(stdout.split('\n')).toEqual(['1666 1:7', full, '1666 1:7', full, '1:3']);
    expect(mode(device)).toBe(0o640);
    expect(readdirSync(containers.hostDirectory('dev'))).toEqual([]);
    expect(statSync(join(volume, 'full')).isFile()).toBe(true);
  });
});

describe('a hidden path of /proc', () => {
  it('is hidden also when the kernel adds it after the first container', () => {
    const loader = join(import.meta.dirname, '../../support/run-typescript.mjs');
    const child = join(import.meta.dirname, 'masked-later.child.ts');
    const output = execFileSync('unshare', ['--mount', process.execPath, '--import', loader, child]);
    const { before, after } = JSON.parse(output.toString());
    expect(before).not.toContain('mask /proc/timer_list');
    expect(after).toEqual(expect.arrayContaining(['mask /proc/timer_list', 'make /proc/sys read-only']));
  });
});
