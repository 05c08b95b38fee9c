import { execFileSync, spawnSync } from 'node:child_process';
import {
  chmodSync,
  closeSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { createOverlayDriver } from '../../../src/drivers/graph/overlay/overlay-driver.ts';
import { setXattr } from '../../../src/ffi/files/layer-files.ts';
import { mountDetached } from '../../../src/ffi/storage/mounts.ts';
import { rootTar } from '../../../src/images/export/root-tar.ts';
import type { ImageSource, LoadedImage } from '../../../src/images/image.ts';
import { loadImage, sourceFingerprint } from '../../../src/images/load-image.ts';
import {
  configJson,
  dockerArchive,
  type ImageFixture,
  loadContext,
  ociLayout,
  sha256,
  tarOf,
  tarOfFiles,
  withFlag,
  writeFiles,
} from '../../support/images.ts';
import { describeTree } from '../../support/tree.ts';
import { withRoot } from '../graph/root-view.ts';
import { OverlayFixture } from './fixture.ts';

const on = new OverlayFixture();

const at = (path: string): string => on.at(path);

function file(name: string, bytes: Buffer | string): string {
  writeFileSync(at(name), bytes);
  return at(name);
}

function directory(name: string, files: ReadonlyMap<string, Buffer>): string {
  mkdirSync(at(name));
  writeFiles(at(name), files);
  return at(name);
}

const load = (source: ImageSource): Promise<LoadedImage> => on.load(source);
const loadArchive = (bytes: Buffer, ref?: string): Promise<LoadedImage> =>
  load({ type: 'archive', path: file('image.tar', bytes), ref });
const refused = (attempt: Promise<unknown>, code: string, message: RegExp) =>
  Promise.all([
    expect(attempt).rejects.toThrow(message),
    expect(attempt).rejects.toThrow(expect.objectContaining({ code })),
  ]);

/** What a container of the image sees: `path=content` of its regular files. */
async function contents(image: LoadedImage): Promise<string[]> {
  const id = `view${on.graph.list().length}`;
  await on.graph.createSnapshot(id, image.topLayer);
  let found: string[] = [];
  withRoot(on.graph.rootMount(id), (root) => {
    found = readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => `${path.slice(root.length + 1)}=${readFileSync(path, 'utf8')}`)
      .sort();
  });
  return found;
}

describe('a cancelled load ends and leaves nothing', () => {
  const LARGE = tarOf({ path: 'large', content: Buffer.alloc(4 << 20, 'x') }, { path: 'later', content: '1' });
  const ARCHIVE = dockerArchive({ layers: [LARGE] });
  const archive = (bytes: Buffer): ImageSource => ({ type: 'archive', path: file('image', bytes) });
  const cases: [what: string, when: 'reading' | 'layer-progress', source: () => ImageSource][] = [
    ['a plain archive', 'layer-progress', () => archive(ARCHIVE)],
    ['a compressed archive', 'reading', () => archive(gzipSync(ARCHIVE))],
    ['a tar', 'reading', () => ({ type: 'rootfs', path: file('root.tar', LARGE), config: {} })],
    ['a tar, unpacked', 'layer-progress', () => ({ type: 'rootfs', path: file('root.tar', LARGE), config: {} })],
    [
      'a directory',
      'reading',
      () => ({ type: 'rootfs', path: directory('tree', new Map([['a', Buffer.from('1')]])), config: {} }),
    ],
    ['files of this host', 'reading', () => ({ type: 'host', binaries: ['ls'], paths: [], config: {} })],
  ];

  it.each(cases)('%s, while %s', async (_what, when, source) => {
    const off = new AbortController();
    const reason = new Error('not wanted any more');
    const context = on.context();
    const progress: typeof context.progress = ({ type }) => type === when && off.abort(reason);
    await expect(loadImage(source(), { ...context, progress, signal: off.signal })).rejects.toBe(reason);
    expect(on.graph.list()).toEqual([]);
    expect(existsSync(at('tmp')) ? readdirSync(at('tmp')) : []).toEqual([]);
    expect(existsSync(context.recipes) ? readdirSync(context.recipes) : []).toEqual([]);
  });
});

const BASE = tarOf(
  { path: 'etc', type: 'directory' },
  { path: 'etc/a', content: '1' },
  { path: 'etc/b', content: '2' },
);
const TOP = tarOf({ path: 'etc', type: 'directory' }, { path: 'etc/.wh.b' }, { path: 'etc/c', content: '3' });
const IMAGE: ImageFixture = {
  layers: [BASE, TOP],
  names: ['example.org/app:1.0'],
  config: { Env: ['A=1'], Cmd: ['/bin/app'], ExposedPorts: { '80/tcp': {} }, User: 'app' },
};

async function expectImage(image: LoadedImage): Promise<void> {
  expect(image.id).toBe(sha256(configJson(IMAGE)));
  expect(image.layers.map(({ diffId }) => diffId)).toEqual([sha256(BASE), sha256(TOP)]);
  expect(image.layers.map(({ parent }) => parent)).toEqual([null, sha256(BASE)]);
  expect(image.topLayer).toBe(sha256(`sha256:${sha256(BASE)} sha256:${sha256(TOP)}`));
  expect(image.config).toMatchObject({ env: ['A=1'], cmd: ['/bin/app'], exposedPorts: ['80/tcp'], user: 'app' });
  expect(image.references).toEqual(IMAGE.names);
  expect(image.created).toBe('2024-05-06T07:08:09.123456789Z');
  expect(await contents(image)).toEqual(['etc/a=1', 'etc/c=3']);
}

describe('an image archive', () => {
  it.each([
    ['docker-archive', () => dockerArchive(IMAGE)],
    ['gzipped docker-archive', () => gzipSync(dockerArchive(IMAGE))],
    ['oci-archive', () => tarOfFiles(ociLayout(IMAGE))],
    ['gzipped oci-archive', () => gzipSync(tarOfFiles(ociLayout(IMAGE)))],
    [
      'oci-archive with ./ names',
      () => tarOf(...[...ociLayout(IMAGE)].map(([path, content]) => ({ path: `./${path}`, content }))),
    ],
  ])('in the form of a %s loads', async (_form, make) => {
    await expectImage(await loadArchive(make()));
    expect(existsSync(at('tmp')) ? readdirSync(at('tmp')) : []).toEqual([]);
  });

  it('whose layers are symlinks, as old docker save wrote them, loads', async () => {
    const json = configJson({ layers: [BASE, BASE] });
    const archive = tarOf(
      { path: 'config.json', content: json },
      { path: 'first/layer.tar', content: BASE },
      { path: 'second/layer.tar', type: 'symlink', linkname: '../first/layer.tar' },
      {
        path: 'manifest.json',
        content: JSON.stringify([{ Config: 'config.json', Layers: ['first/layer.tar', 'second/layer.tar'] }]),
      },
    );
    expect((await loadArchive(archive)).layers).toHaveLength(2);
  });

  it('with an empty layer list is an empty image', async () => {
    expect(await loadArchive(dockerArchive({ layers: [] }))).toMatchObject({ layers: [], topLayer: null });
  });

  it('does not read layers that the graph has', async () => {
    await loadArchive(dockerArchive(IMAGE));
    const context = on.context();
    await loadImage({ type: 'archive', path: at('image.tar') }, context);
    expect(context.events.map(({ type }) => type)).toEqual(['reading', 'layer-exists', 'layer-exists']);
  });

  it('with several images requires a reference', async () => {
    const other = { layers: [BASE], names: ['other'] };
    const archive = dockerArchive(IMAGE, other);
    await refused(loadArchive(archive), 'TSD_IMAGE_INVALID', /it has example.org\/app:1.0, other/);
    await refused(loadArchive(archive, 'third'), 'TSD_IMAGE_INVALID', /no image third/);
    await expectImage(await loadArchive(archive, 'example.org/app:1.0'));
    expect((await loadArchive(archive, `sha256:${sha256(configJson(other))}`)).layers).toHaveLength(1);
  });

  const badConfig = (config: string) =>
    tarOf({ path: 'c.json', content: config }, { path: 'manifest.json', content: '[{"Config":"c.json","Layers":[]}]' });
  it.each<[string, () => Buffer, string, RegExp]>([
    ['noise', () => Buffer.alloc(4096, 'noise'), 'TSD_IMAGE_INVALID', /tar/],
    ['an empty file', () => Buffer.alloc(0), 'TSD_IMAGE_INVALID', /no manifest.json, index.json or repositories/],
    ['the tar of a root filesystem', () => BASE, 'TSD_IMAGE_INVALID', /no manifest.json, index.json or repositories/],
    ['one cut off', () => dockerArchive(IMAGE).subarray(0, 3000), 'TSD_IMAGE_INVALID', /cut off|no manifest/],
    ['one with a wrong layer', () => dockerArchiveWith(BASE, TOP), 'TSD_IMAGE_INVALID', /digest/],
    [
      'one with a wrong configuration',
      () => renamed(dockerArchive(IMAGE)),
      'TSD_IMAGE_INVALID',
      /configuration has digest/,
    ],
    [
      'one without its layer',
      () =>
        tarOf(
          { path: 'c.json', content: configJson({ layers: [BASE] }) },
          { path: 'manifest.json', content: '[{"Config":"c.json","Layers":["gone.tar"]}]' },
        ),
      'TSD_IMAGE_INVALID',
      /no gone.tar/,
    ],
    [
      'one with too few layers',
      () => badConfig(configJson(IMAGE)),
      'TSD_IMAGE_INVALID',
      /lists 0 layers, the configuration 2/,
    ],
    [
      'one whose manifest is no JSON',
      () => tarOf({ path: 'manifest.json', content: '[' }),
      'TSD_IMAGE_INVALID',
      /manifest.json is not JSON/,
    ],
    [
      'one whose manifest has another shape',
      () => tarOf({ path: 'manifest.json', content: '[{"Layers":3}]' }),
      'TSD_IMAGE_INVALID',
      /manifest.json: .*Config/s,
    ],
    [
      'one whose links go in a circle',
      () =>
        tarOf(
          { path: 'manifest.json', type: 'symlink', linkname: 'x' },
          { path: 'x', type: 'symlink', linkname: 'manifest.json' },
        ),
      'TSD_IMAGE_INVALID',
      /circle/,
    ],
    [
      'one with a link to the host',
      () => tarOf({ path: 'manifest.json', type: 'symlink', linkname: '/etc/passwd' }),
      'TSD_IMAGE_INVALID',
      /no manifest.json/,
    ],
    ['a sparse one', () => sparse(tarOf({ path: 'manifest.json' })), 'TSD_NOT_IN_THIS_VERSION', /sparse/],
    [
      'one with broken xz data',
      () => Buffer.from('fd377a585a00', 'hex'),
      'TSD_IMAGE_INVALID',
      /broken xz data: it is cut off/,
    ],
  ])('is refused when it is %s', async (_what, make, code, message) => {
    await refused(loadArchive(make()), code, message);
    expect(on.graph.list().filter(({ parent }) => parent !== null)).toEqual([]);
    expect(existsSync(at('tmp')) ? readdirSync(at('tmp')) : []).toEqual([]);
  });

  it('that does not exist is a missing source', () =>
    refused(load({ type: 'archive', path: at('absent.tar') }), 'TSD_IMAGE_SOURCE', /absent.tar: ENOENT/));

  it('stops at the size limit when it is a gzip bomb', async () => {
    const path = file('bomb.tar.gz', gzipSync(Buffer.alloc(20_000_000)));
    const context = { ...on.context(), limits: { maxEntries: 10, maxBytes: 1_000_000 } };
    await refused(loadImage({ type: 'archive', path }, context), 'TSD_LAYER_HOSTILE', /larger than 1000000/);
    expect(readdirSync(at('tmp'))).toEqual([]);
  });
});

/** The first file as the old GNU form of a sparse one. */
function sparse(tar: Buffer): Buffer {
  tar.write('ustar  \0', 257, 'latin1');
  return withFlag(tar, 'S');
}

/** An archive that says it has `promised` and has `given`. */
function dockerArchiveWith(promised: Buffer, given: Buffer): Buffer {
  return tarOf(
    { path: 'c.json', content: configJson({ layers: [promised] }) },
    { path: 'l.tar', content: given },
    { path: 'manifest.json', content: '[{"Config":"c.json","Layers":["l.tar"]}]' },
  );
}

/** The archive with another image's digest as the name of the configuration. */
function renamed(archive: Buffer): Buffer {
  const [right, wrong] = [sha256(configJson(IMAGE)), sha256('another')];
  const text = archive.toString('latin1').replaceAll(right, wrong);
  const changed = Buffer.from(text, 'latin1');
  return withFlag(changed, '0');
}

describe('a full disk', () => {
  it('is reported as one and leaves nothing behind', async () => {
    const disk = mountDetached('small disk', 'tmpfs', [['size', '1m']]);
    const root = `/proc/${process.pid}/fd/${disk}`;
    try {
      const small = createOverlayDriver(root);
      const layer = tarOf({ path: 'large', content: Buffer.alloc(5_000_000, 'x') });
      const path = file('image.tar', dockerArchive({ layers: [layer] }));
      const attempt = loadImage({ type: 'archive', path }, loadContext(small, at('tmp')));
      await refused(attempt, 'TSD_DISK_FULL', /ENOSPC/);
      expect(small.list()).toEqual([]);
      expect(readdirSync(join(root, 'overlay/.tmp'))).toEqual([]);
    } finally {
      closeSync(disk);
    }
  });
});

describe('an OCI layout', () => {
  const layout = (name: string, files = ociLayout(IMAGE)): ImageSource => ({
    type: 'layout',
    path: directory(name, files),
  });

  it('is loaded', async () => expectImage(await load(layout('oci'))));

  it('offers images by name, tag or digest', async () => {
    const files = ociLayout(IMAGE, { layers: [BASE], names: ['small:latest'] });
    const path = directory('oci', files);
    const index = JSON.parse((files.get('index.json') as Buffer).toString()) as { manifests: { digest: string }[] };
    for (const ref of ['small', 'small:latest', index.manifests[1]?.digest]) {
      expect((await load({ type: 'layout', path, ref })).layers).toHaveLength(1);
    }
    await refused(load({ type: 'layout', path }), 'TSD_IMAGE_INVALID', /example.org\/app:1.0, small:latest/);
  });

  it('gives the image for this architecture, also from a nested index', async () => {
    const foreign = process.arch === 'x64' ? 'arm64' : 'amd64';
    const own = process.arch === 'x64' ? 'amd64' : process.arch;
    const files = ociLayout({ ...IMAGE, architecture: own }, { ...IMAGE, layers: [TOP], architecture: foreign });
    const inner = files.get('index.json') as Buffer;
    files.set(`blobs/sha256/${sha256(inner)}`, inner);
    const descriptor = {
      mediaType: 'application/vnd.oci.image.index.v1+json',
      digest: `sha256:${sha256(inner)}`,
      size: inner.length,
    };
    const outer = JSON.stringify({
      schemaVersion: 2,
      manifests: [{ ...descriptor, annotations: { 'org.opencontainers.image.ref.name': 'multi' } }],
    });
    const path = directory('oci', new Map(files).set('index.json', Buffer.from(outer)));
    expect(await load({ type: 'layout', path, ref: 'multi' })).toMatchObject({
      architecture: own,
      references: ['multi'],
    });
  });

  it('without an image for this architecture is refused', () =>
    refused(
      load(layout('oci', ociLayout({ ...IMAGE, architecture: 's390x' }))),
      'TSD_IMAGE_INVALID',
      /linux\/s390x, not for/,
    ));

  it('with a changed blob is refused', async () => {
    const files = ociLayout(IMAGE);
    for (const path of [...files.keys()].filter((name) => name.startsWith('blobs/'))) {
      const bytes = Buffer.from(files.get(path) as Buffer);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      const source = layout(`changed-${path.slice(-8)}`, new Map(files).set(path, bytes));
      await expect(load(source)).rejects.toThrow(expect.objectContaining({ code: 'TSD_IMAGE_INVALID' }));
      await on.graph.remove(sha256(BASE));
    }
    expect(on.graph.list()).toEqual([]);
  });

  it('cannot make us read outside through a symlink', async () => {
    const source = layout('oci');
    const victim = file('victim', 'not an image');
    rmSync(at('oci/index.json'));
    symlinkSync(victim, at('oci/index.json'));
    await refused(load(source), 'TSD_LAYER_HOSTILE', /leads out of/);
  });

  it('that does not exist is a missing source', () =>
    refused(load({ type: 'layout', path: at('absent') }), 'TSD_IMAGE_SOURCE', /ENOENT/));
});

describe('a root filesystem', () => {
  const config = { command: ['/bin/app'], env: { A: '1' }, expose: ['80'] };
  function makeRoot(name: string): string {
    mkdirSync(at(join(name, 'dir')), { recursive: true });
    writeFileSync(at(join(name, 'dir/file')), 'x');
    linkSync(at(join(name, 'dir/file')), at(join(name, 'again')));
    symlinkSync('/etc/passwd', at(join(name, 'link')));
    writeFileSync(at(join(name, 'capable')), 'x');
    chmodSync(at(join(name, 'capable')), 0o4755);
    setXattr(
      at(join(name, 'capable')),
      'security.capability',
      Buffer.from('010000020020000000000000000000000000ff80'.slice(0, 40), 'hex'),
    );
    for (const path of ['dir/file', 'capable', 'dir', '.']) utimesSync(at(join(name, path)), 1000.5, 1000.5);
    return at(name);
  }

  it('from a directory keeps all attributes, and a copy gives the same image', async () => {
    const path = makeRoot('rootfs');
    const image = await load({ type: 'rootfs', path, config });
    expect(describeTree(at(`root/overlay/${image.topLayer}/diff`)).filter((line) => !line.includes('link '))).toEqual(
      describeTree(path).filter((line) => !line.includes('link ')),
    );
    execFileSync('cp', ['-a', path, at('copy')]);
    expect((await load({ type: 'rootfs', path: at('copy'), config })).id).toBe(image.id);
    expect(image.config).toMatchObject({ cmd: ['/bin/app'], env: ['A=1'], exposedPorts: ['80/tcp'] });
  });

  it('from a tarball, plain or gzipped', async () => {
    const plain = await load({ type: 'rootfs', path: file('root.tar', BASE), config });
    const zipped = await load({ type: 'rootfs', path: file('root.tar.gz', gzipSync(BASE)), config });
    expect(zipped.id).toBe(plain.id);
    expect(await contents(plain)).toEqual(['etc/a=1', 'etc/b=2']);
  });

  it('stays on one filesystem', async () => {
    const path = makeRoot('rootfs');
    mkdirSync(join(path, 'proc'));
    const script = 'mount -t proc proc "$0/proc" && exec "$@"';
    const check = `ls ${path}/proc | wc -l`;
    const mounted = spawnSync('unshare', ['-m', 'sh', '-c', script, path, 'sh', '-c', check], { encoding: 'utf8' });
    expect(Number(mounted.stdout)).toBeGreaterThan(0);
    expect(readdirSync(join(path, 'proc'))).toEqual([]);
  });

  it('deeper than PATH_MAX is refused without a partial load or export', async () => {
    const path = makeRoot('rootfs');
    const name = 'n'.repeat(200);
    const nest = `cd "$0" && for i in {1..21}; do mkdir ${name} && cd -P ${name} || exit 1; done`;
    execFileSync('bash', ['-c', nest, path]);
    const why = /n… is nested deeper than a path of 4096/;
    await refused(load({ type: 'rootfs', path, config }), 'TSD_IMAGE_SOURCE', why);
    await expect(buffer(rootTar({ type: 'bind', source: path }))).rejects.toThrow(why);
  });

  it('that is missing or not a file is a missing source', async () => {
    await refused(load({ type: 'rootfs', path: at('absent'), config }), 'TSD_IMAGE_SOURCE', /ENOENT/);
    await refused(load({ type: 'rootfs', path: '/dev/null', config }), 'TSD_IMAGE_SOURCE', /neither/);
  });

  it('whose file changes while it is read is not loaded', async () => {
    const path = makeRoot('rootfs');
    let turns = 0;
    const changing = { ...on.graph, createLayer: on.graph.createLayer.bind(on.graph) };
    const createLayer: GraphDriver['createLayer'] = (id, parent, fill) => {
      turns += 1;
      writeFileSync(join(path, 'dir/file'), 'y');
      return changing.createLayer(id, parent, fill);
    };
    const context = loadContext({ ...changing, createLayer } as GraphDriver, at('tmp'));
    await expect(loadImage({ type: 'rootfs', path, config }, context)).rejects.toThrow(/digest|changed/);
    expect(turns).toBe(1);
    expect(on.graph.list()).toEqual([]);
  });
});

describe('the fingerprint of a source', () => {
  it('is stable while nothing changes and follows every change', async () => {
    mkdirSync(at('rootfs'));
    writeFileSync(at('rootfs/file'), '1');
    const sources: [ImageSource, () => void][] = [
      [{ type: 'archive', path: file('a.tar', dockerArchive(IMAGE)) }, () => writeFileSync(at('a.tar'), BASE)],
      [{ type: 'rootfs', path: at('rootfs'), config: {} }, () => writeFileSync(at('rootfs/file'), '2')],
      [{ type: 'rootfs', path: file('r.tar', BASE), config: {} }, () => writeFileSync(at('r.tar'), TOP)],
      [
        { type: 'layout', path: directory('oci', ociLayout(IMAGE)) },
        () => writeFiles(at('oci'), ociLayout({ layers: [] })),
      ],
      [
        { type: 'host', binaries: [], paths: [file('tool', '#!/bin/sh\n')], config: {} },
        () => writeFileSync(at('tool'), '#!/bin/sh\necho\n'),
      ],
    ];
    for (const [source, change] of sources) {
      const before = await sourceFingerprint(source);
      expect(await sourceFingerprint(source)).toBe(before);
      change();
      expect(await sourceFingerprint(source)).not.toBe(before);
    }
  });

  it('follows the configuration', async () => {
    mkdirSync(at('rootfs'));
    const one = await sourceFingerprint({ type: 'rootfs', path: at('rootfs'), config: {} });
    expect(await sourceFingerprint({ type: 'rootfs', path: at('rootfs'), config: { user: 'x' } })).not.toBe(one);
  });

  it('of a missing source is an error', () =>
    refused(sourceFingerprint({ type: 'archive', path: at('absent') }), 'TSD_IMAGE_SOURCE', /ENOENT/));
});
