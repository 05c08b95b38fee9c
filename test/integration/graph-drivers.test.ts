import { readFileSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { busyboxBase, dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
const LAYERS = 200;
let supervisor: TestSupervisor;

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const manifest = (archive: string): string =>
  supervisor.file(
    'app.yaml',
    `images: { app: { archive: ${archive} } }\ncontainers:\n  web: { image: app, command: ${FOREVER} }\n`,
  );
const driver = async (): Promise<string> => JSON.parse(await supervisor.ok('info', '-o', 'json')).graphDriver;

describe.skipIf(busybox === null)('graph drivers (needs busybox)', () => {
  test(`a container of an image with ${LAYERS} layers can read and change the lowest and the highest`, async () => {
    const layers = Array.from({ length: LAYERS - 1 }, (_, index) =>
      tarOf(
        { path: `layers/${index + 1}`, content: `${index + 1}\n` },
        { path: 'nearest', content: `${index + 1}\n` },
        ...(index === 100 ? [{ path: 'layers/.wh.50' }] : []),
      ),
    );
    const archive = supervisor.file(
      'deep.tar',
      dockerArchive({ layers: [busyboxBase(), ...layers], names: ['deep:1'] }),
    );
    await supervisor.start();
    await supervisor.ok('apply', '--wait=2m', '-f', manifest(archive));
    const web = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    const inside = (command: string): Promise<string> => supervisor.ok('exec', 'web', 'sh', '-c', command);
    expect(await inside('test -x /bin/busybox && cat /layers/1 /layers/199 /nearest')).toBe('1\n199\n199\n');
    expect((await inside('ls /layers')).trim().split('\n')).toHaveLength(LAYERS - 2);
    expect(await inside('echo changed > /layers/1; rm /nearest; chmod 600 /layers/2; cat /layers/1')).toBe('changed\n');
    expect((await supervisor.ok('changes', 'web')).trim().split('\n').sort()).toEqual([
      'C /layers',
      'C /layers/1',
      'C /layers/2',
      'D /nearest',
    ]);
    // As the kernel has it: these features stay off, because layers are read below the mount too (docs/graph-drivers.md).
    const mounted = readFileSync(`/proc/${web.pid}/mountinfo`, 'utf8')
      .split('\n')
      .find((line) => / \/ \/ .* - overlay /.test(line));
    const options = (mounted?.split(' - overlay ')[1] ?? '').split(',');
    expect(options.filter((option) => option.includes('lowerdir+='))).toHaveLength(LAYERS);
    expect(options.filter((option) => /^(metacopy|redirect_dir|index|nfs_export)=(on|follow)$/.test(option))).toEqual(
      [],
    );
    await supervisor.ok('commit', 'web', 'deeper:1');
    const images = JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[];
    expect(images.flatMap(({ tags }) => tags)).toContain('deeper:1');
  });

  test('the driver is the requested one, else the one with images, else the first that works', async () => {
    const archive = supervisor.file('app.tar', dockerArchive({ layers: [busyboxBase()], names: ['app:1'] }));
    await supervisor.start('-s', 'vfs');
    expect(await driver()).toBe('vfs');
    await supervisor.ok('load', '-i', archive);
    await supervisor.stop();
    await supervisor.start();
    expect(await driver()).toBe('vfs');
    await supervisor.stop();
    await supervisor.start('-s', 'overlay');
    await supervisor.ok('load', '-i', archive);
    await supervisor.stop();
    const directories = [
      '--root',
      supervisor.root,
      '--run-dir',
      supervisor.runDir,
      '--manifests',
      supervisor.manifests,
    ];
    const refused = await supervisor.cli('daemon', ...directories, '-H', supervisor.socket);
    expect(refused.status).not.toBe(0);
    expect(`${refused.stdout}${refused.stderr}`).toMatch(
      /images of several graph drivers: overlay, vfs.*Choose one with -s/s,
    );
    await supervisor.start('-s', 'overlay');
  });
});
