import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { ImageSource, LoadedImage } from '../../../src/images/image.ts';
import { busyboxRootfs, findBusybox, ociLayout, tarOf, writeFiles } from '../../support/images.ts';
import { withRoot } from '../graph/root-view.ts';
import { OverlayFixture } from './fixture.ts';

const isInstalled = (tool: string): boolean => spawnSync(tool, ['--version']).error === undefined;
const busybox = findBusybox();

const on = new OverlayFixture();

const at = (path: string): string => on.at(path);
const load = (source: ImageSource): Promise<LoadedImage> => on.load(source);

describe.skipIf(!isInstalled('skopeo'))('what skopeo writes (needs skopeo)', () => {
  const layers = [
    tarOf({ path: 'bin', type: 'directory' }, { path: 'bin/app', content: 'x', mode: 0o4755, uid: 7 }),
    tarOf({ path: 'etc/new', content: 'y' }, { path: 'bin/.wh.app' }),
  ];
  const skopeo = (...args: string[]): void => {
    execFileSync('skopeo', ['--insecure-policy', '--tmpdir', on.root, ...args], { stdio: 'pipe' });
  };
  beforeEach(() => {
    mkdirSync(at('oci'));
    writeFiles(at('oci'), ociLayout({ layers, names: ['v1'], config: { Cmd: ['/bin/app'], Labels: { a: 'b' } } }));
  });

  it('loads: docker-archive, oci-archive, OCI layout, compressed or not', async () => {
    const from = `oci:${at('oci')}:v1`;
    skopeo('copy', from, `docker-archive:${at('docker.tar')}:example.org/app:v1`);
    skopeo('copy', from, `oci-archive:${at('oci.tar')}:v1`);
    skopeo('copy', '--dest-decompress', from, `oci:${at('plain')}:v1`);
    const original = await load({ type: 'layout', path: at('oci'), ref: 'v1' });
    const images = [
      await load({ type: 'archive', path: at('docker.tar'), ref: 'example.org/app:v1' }),
      await load({ type: 'archive', path: at('oci.tar') }),
      await load({ type: 'layout', path: at('plain') }),
    ];
    for (const image of images) {
      expect(image.topLayer).toBe(original.topLayer);
      expect(image.config).toEqual(original.config);
    }
    expect(images[0]?.references).toEqual(['example.org/app:v1']);
  });
});

describe.skipIf(!isInstalled('umoci') || busybox === null)('what umoci writes (needs umoci, busybox-static)', () => {
  const umoci = (...args: string[]): void => {
    execFileSync('umoci', args, { stdio: 'pipe' });
  };

  it('loads with opaque directories and whiteouts, and runs', async () => {
    busyboxRootfs(at('rootfs'), busybox as string);
    mkdirSync(at('rootfs/data'));
    writeFileSync(at('rootfs/data/old'), 'old');
    chmodSync(at('rootfs/tmp'), 0o1777);
    mkdirSync(at('new-data'));
    writeFileSync(at('new-data/new'), 'new');
    symlinkSync('new', at('new-data/link'));
    umoci('init', '--layout', at('oci'));
    umoci('new', '--image', `${at('oci')}:v1`);
    umoci('insert', '--image', `${at('oci')}:v1`, at('rootfs'), '/');
    umoci('insert', '--image', `${at('oci')}:v1`, '--opaque', at('new-data'), '/data');
    umoci('insert', '--image', `${at('oci')}:v1`, '--whiteout', '/etc/group');
    umoci('config', '--image', `${at('oci')}:v1`, '--config.cmd', '/bin/sh', '--config.user', 'root');
    const image = await load({ type: 'layout', path: at('oci'), ref: 'v1' });
    expect(image.layers).toHaveLength(3);
    expect(image.config).toMatchObject({ cmd: ['/bin/sh'], user: 'root' });
    await on.graph.createSnapshot('c', image.topLayer);
    withRoot(on.graph.rootMount('c'), (root) => {
      expect(readdirSync(join(root, 'data')).sort()).toEqual(['link', 'new']);
      expect(readdirSync(join(root, 'etc'))).toEqual(['passwd']);
      expect(readFileSync(join(root, 'data/link'), 'utf8')).toBe('new');
    });
  });
});

describe.skipIf(busybox === null)('a busybox root filesystem (needs busybox-static)', () => {
  it('runs from its layer', async () => {
    busyboxRootfs(at('rootfs'), busybox as string);
    const image = await load({ type: 'rootfs', path: at('rootfs'), config: { command: ['/bin/sh'] } });
    const root = at(`root/overlay/${image.topLayer}/diff`);
    const output = execFileSync('unshare', ['-m', 'chroot', root, '/bin/sh', '-c', 'echo $((1+1)); ls /etc'], {
      encoding: 'utf8',
    });
    expect(output).toBe('2\ngroup\npasswd\n');
  });
});
