import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { MountSpec } from '../../../src/drivers/contract/exec.ts';
import { readXattrs, setXattr } from '../../../src/ffi/files/layer-files.ts';
import { enterOwnMounts, ownMounts } from '../../support/own-mounts.ts';
import { Containers } from './fixture.ts';

let containers: Containers;
beforeAll(enterOwnMounts);
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

function bind(source: string, target: string, changes: Partial<MountSpec> = {}): MountSpec {
  return { type: 'bind', source, target, readOnly: false, copyUp: false, sizeBytes: null, ...changes };
}

function tmpfs(target: string, sizeBytes: number | null = null): MountSpec {
  return { type: 'tmpfs', source: '', target, readOnly: false, copyUp: false, sizeBytes };
}

describe('binds', () => {
  it('show files and directories of the host and create mount points', async () => {
    const before = ownMounts();
    const directory = containers.hostDirectory('data');
    writeFileSync(join(directory, 'hosts'), '10.0.0.1 web\n');
    const { stdout } = await containers.script(
      'cat /etc/hosts /new/deep/place/hosts; echo kept > /new/deep/place/out',
      {
        mounts: [bind(join(directory, 'hosts'), '/etc/hosts'), bind(directory, '/new/deep/place')],
      },
    );
    expect(stdout).toBe('10.0.0.1 web\n10.0.0.1 web');
    expect(readFileSync(join(directory, 'out'), 'utf8')).toBe('kept\n');
    expect(ownMounts()).toBe(before);
  });

  it('of the root of the host show the host, not the container', async () => {
    const directory = containers.hostDirectory('data');
    writeFileSync(join(directory, 'name'), 'host');
    const { stdout } = await containers.script(
      `cat /a${directory}/name /b${directory}/name; touch /b${directory}/x 2>&1; touch /a${directory}/written`,
      { mounts: [bind('/', '/a'), bind('/', '/b', { readOnly: true })] },
    );
    expect(stdout).toBe(`hosthosttouch: /b${directory}/x: Read-only file system`);
    expect(readdirSync(directory).sort()).toEqual(['name', 'written']);
  });

  it('are read-only with all mounts below them', async () => {
    const outer = containers.hostDirectory('outer');
    const inner = containers.hostDirectory('outer/inner');
    execFileSync('mount', ['-t', 'tmpfs', 'none', inner]);
    try {
      const { stdout } = await containers.script(
        'for d in /o /o/inner; do touch $d/x 2>&1; done; grep -c " /o" /proc/mounts',
        {
          mounts: [bind(outer, '/o', { readOnly: true })],
        },
      );
      expect(stdout.split('\n')).toEqual([
        'touch: /o/x: Read-only file system',
        'touch: /o/inner/x: Read-only file system',
        '2',
      ]);
    } finally {
      execFileSync('umount', [inner]);
    }
  });

  it('nest in the order of their targets, through links and into other mounts', async () => {
    const [outer, inner] = [containers.hostDirectory('outer'), containers.hostDirectory('inner')];
    writeFileSync(join(inner, 'found'), '');
    symlinkSync('/var/lib/outer', join(containers.image, 'link'));
    const { stdout } = await containers.script(
      'ls /var/lib/outer/a/b /run/x/y /dev/own /run/file; stat -c %F /run/file',
      {
        mounts: [
          bind(inner, '/link/a/b'),
          bind(outer, '/link'),
          bind(inner, '/run/x/y'),
          bind(join(inner, 'found'), '/run/file'),
          tmpfs('/run'),
          bind(inner, '/dev/own'),
        ],
      },
    );
    expect(stdout.split('\n')).toEqual([
      '/run/file',
      '',
      '/dev/own:',
      'found',
      '',
      '/run/x/y:',
      'found',
      '',
      '/var/lib/outer/a/b:',
      'found',
      'regular empty file',
    ]);
    expect(readdirSync(outer)).toEqual(['a']);
  });

  it('propagate no mount in either direction', async () => {
    const shared = containers.hostDirectory('shared');
    execFileSync('mount', ['-t', 'tmpfs', 'none', shared]);
    execFileSync('mount', ['--make-shared', shared]);
    try {
      mkdirSync(join(shared, 'sub'));
      const before = ownMounts();
      const { stdout } = await containers.script('mount -t tmpfs none /s/sub && touch /s/sub/inside && ls /s/sub', {
        mounts: [bind(shared, '/s')],
        capabilities: ['SYS_ADMIN', 'DAC_OVERRIDE'],
      });
      expect(stdout).toBe('inside');
      expect(ownMounts()).toBe(before);
      expect(readdirSync(join(shared, 'sub'))).toEqual([]);
    } finally {
      execFileSync('umount', [shared]);
    }
  });

  it('whose source is missing are an error that names it and leave nothing behind', async () => {
    const spec = containers.spec(['true'], { mounts: [bind('/no/such/place', '/data')] });
    await expect(containers.driver.start(spec)).rejects.toMatchObject({
      code: 'TSD_BIND_SOURCE',
      message: '/no/such/place does not exist',
      step: 'bind /no/such/place to /data',
    });
    expect(containers.cgroups.list()).toEqual([]);
  });

  it('are refused over kernel interfaces and over another kind of file', async () => {
    const data = containers.hostDirectory('data');
    containers.file('plain', '');
    const start = (target: string) =>
      containers.driver.start(containers.spec(['true'], { mounts: [bind(data, target)] }));
    for (const target of ['/', '/proc', '/proc/self', '/proc/sys/kernel', '/dev/fd/3', '/dev/stdout']) {
      await expect(start(target)).rejects.toMatchObject({ code: 'TSD_CONTAINER_SETUP', class: 'invalid' });
    }
    await expect(start('/plain')).rejects.toThrow('cannot mount a directory at /plain: the image has a file there');
    await expect(start('/plain/below')).rejects.toMatchObject({ errno: 20 });
    await expect(start('relative')).rejects.toThrow('is not an absolute path');
  });
});

describe('other mounts', () => {
  it('in memory have the size asked for', async () => {
    const { stdout } = await containers.script(
      'dd if=/dev/zero of=/scratch/x bs=64k count=4 2>&1 | head -n 1; stat -c %a /scratch',
      {
        mounts: [tmpfs('/scratch', 128 * 1024)],
      },
    );
    expect(stdout.split('\n')).toEqual(["dd: error writing '/scratch/x': No space left on device", '1777']);
  });

  it('stay writable when the root is read-only', async () => {
    const data = containers.hostDirectory('data');
    const { stdout } = await containers.script('touch /x /etc/x 2>&1; touch /data/x /dev/shm/x /t/x && echo rest', {
      readOnlyRoot: true,
      mounts: [bind(data, '/data'), tmpfs('/t')],
    });
    expect(stdout.split('\n')).toEqual([
      'touch: /x: Read-only file system',
      'touch: /etc/x: Read-only file system',
      'rest',
    ]);
  });
});

describe('an empty volume', () => {
  const PLACE = 'var/lib/app';

  function prepareImage(): void {
    containers.file(`${PLACE}/a`, 'content');
    const place = join(containers.image, PLACE);
    mkdirSync(join(place, 'sub'));
    linkSync(join(place, 'a'), join(place, 'sub/b'));
    symlinkSync('/etc/passwd', join(place, 'link'));
    execFileSync('mknod', [join(place, 'node'), 'c', '1', '3']);
    execFileSync('mkfifo', [join(place, 'fifo')]);
    chownSync(join(place, 'a'), 12, 34);
    chmodSync(join(place, 'a'), 0o4750);
    setXattr(join(place, 'a'), 'user.note', Buffer.from('kept'));
    lutimesSync(join(place, 'a'), 1_000_000, 1_000_000.5);
    chownSync(place, 99, 98);
    chmodSync(place, 0o2770);
  }

  it('copies the content of the image once', async () => {
    prepareImage();
    const volume = containers.hostDirectory('volume');
    const mounts = [bind(volume, `/${PLACE}`, { copyUp: true })];
    await containers.script('rm /var/lib/app/link', { mounts });
    const file = lstatSync(join(volume, 'a'));
    expect([file.uid, file.gid, file.mode & 0o7777, file.mtimeMs, file.nlink]).toEqual([
      12, 34, 0o4750, 1_000_000_500, 2,
    ]);
    expect(lstatSync(join(volume, 'sub/b')).ino).toBe(file.ino);
    expect(readXattrs(join(volume, 'a')).get('user.note')?.toString()).toBe('kept');
    expect(lstatSync(join(volume, 'node')).rdev).toBe(0x103);
    expect(lstatSync(join(volume, 'fifo')).isFIFO()).toBe(true);
    const place = statSync(volume);
    expect([place.uid, place.gid, place.mode & 0o7777]).toEqual([99, 98, 0o2770]);
    await containers.script('true', { mounts });
    expect(existsSync(join(volume, 'link'))).toBe(false);
    expect(readdirSync(containers.instance.root).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('that has content is left unchanged', async () => {
    prepareImage();
    const volume = containers.hostDirectory('volume');
    writeFileSync(join(volume, 'mine'), '');
    await containers.script('true', { mounts: [bind(volume, `/${PLACE}`, { copyUp: true })] });
    expect(readdirSync(volume)).toEqual(['mine']);
  });

  it('whose filling was interrupted is filled by the next start', async () => {
    prepareImage();
    const volume = containers.hostDirectory('volume');
    writeFileSync(join(volume, 'moved'), '');
    writeFileSync(join(containers.hostDirectory('.volume.fill'), 'left'), '');
    writeFileSync(join(containers.hostDirectory('.other.fill.tmp'), 'half'), '');
    const other = containers.hostDirectory('other');
    const mounts = [bind(volume, `/${PLACE}`, { copyUp: true }), bind(other, `/${PLACE}/sub`, { copyUp: true })];
    await containers.script('true', { mounts });
    expect(readdirSync(volume).sort()).toEqual(['left', 'moved', 'sub']);
    expect(readdirSync(other)).toEqual(['b']);
    expect(readdirSync(containers.instance.root).filter((name) => name.startsWith('.'))).toEqual([]);
  });

  it('does not follow a link of the image to the host', async () => {
    symlinkSync('../../../../../../../../etc', join(containers.image, 'data'));
    const volume = containers.hostDirectory('volume');
    await containers.script('true', { mounts: [bind(volume, '/data', { copyUp: true })] });
    expect(readdirSync(volume).sort()).toEqual(['group', 'passwd']);
  });
});
