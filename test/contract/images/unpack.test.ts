import { execFileSync } from 'node:child_process';
import { createCipheriv } from 'node:crypto';
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  ftruncateSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { crc32, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LayerTarget } from '../../../src/drivers/contract/graph.ts';
import { makeNode, readXattrs, setTimes, setXattr } from '../../../src/ffi/files/layer-files.ts';
import { DEFAULT_LAYER_LIMITS, type LayerLimits } from '../../../src/images/image.ts';
import { RecipeWriter } from '../../../src/images/recipe/recipe-writer.ts';
import { encodeHeader, tarHeader } from '../../../src/images/tar/writer.ts';
import { unpackLayer } from '../../../src/images/unpack/unpack.ts';
import { sha256, type TarFixture, tarOf, temporaryDirectory } from '../../support/images.ts';
import { describeTree } from '../../support/tree.ts';

let temporary: ReturnType<typeof temporaryDirectory>;
let layer: string;
beforeEach(() => {
  temporary = temporaryDirectory();
  layer = join(temporary.path, 'layer');
  mkdirSync(layer);
});
afterEach(() => temporary.remove());

interface Options {
  readonly whiteouts?: LayerTarget['whiteouts'];
  readonly limits?: LayerLimits;
  readonly diffId?: string;
  readonly blobDigest?: string | null;
  readonly stored?: Buffer;
}

async function unpack(tar: Buffer, options: Options = {}): Promise<number> {
  const { whiteouts = 'overlay', limits = DEFAULT_LAYER_LIMITS, diffId = sha256(tar), blobDigest = null } = options;
  const blob = Readable.from([options.stored ?? tar], { objectMode: false });
  const aside = temporaryDirectory();
  const recipe = await RecipeWriter.create(join(aside.path, 'recipe'));
  try {
    return await unpackLayer(
      blob,
      { path: layer, whiteouts },
      { diffId, blobDigest, limits, recipe, progress: () => {} },
    );
  } finally {
    await recipe.discard();
    aside.remove();
  }
}

const unpackFiles = (...files: readonly TarFixture[]): Promise<number> => unpack(tarOf(...files));
const inLayer = (path: string): string => join(layer, path);
const read = (path: string): string => readFileSync(inLayer(path), 'utf8');

/** One file of every kind, with everything that an inode can say. */
function makeRichTree(root: string): void {
  mkdirSync(join(root, 'dir/sub'), { recursive: true });
  writeFileSync(join(root, 'dir/file'), 'content');
  writeFileSync(join(root, 'setuid'), '#!/bin/sh\n');
  chownSync(join(root, 'setuid'), 12, 34);
  chmodSync(join(root, 'setuid'), 0o6751);
  writeFileSync(join(root, 'large-ids'), '');
  chownSync(join(root, 'large-ids'), 3_000_000_000, 4_000_000);
  linkSync(join(root, 'dir/file'), join(root, 'hardlink'));
  symlinkSync('../anywhere/else', join(root, 'symlink'));
  symlinkSync('t'.repeat(150), join(root, 'long-symlink'));
  writeFileSync(join(root, 'n'.repeat(250)), '');
  writeFileSync(Buffer.concat([Buffer.from(`${root}/bytes-`), Buffer.from([0xff, 0xfe])]), 'x');
  writeFileSync(join(root, 'ümläut'), 'x');
  makeNode(join(root, 'char'), 0o020640, 10, 300);
  makeNode(join(root, 'block'), 0o060600, 259, 7);
  makeNode(join(root, 'fifo'), 0o010644, 0, 0);
  chmodSync(join(root, 'fifo'), 0o622);
  writeFileSync(join(root, 'attributes'), 'x');
  setXattr(join(root, 'attributes'), 'user.note', Buffer.from('text'));
  // struct vfs_cap_data with cap_net_raw+ep: bytes that are no UTF-8.
  setXattr(
    join(root, 'attributes'),
    'security.capability',
    Buffer.from('0100000200e0ff80000000000000000000000000'.slice(0, 40), 'hex'),
  );
  chmodSync(join(root, 'dir'), 0o1777);
  setTimes(join(root, 'dir/file'), 1_700_000_000, 123_456_789);
  setTimes(join(root, 'setuid'), -5, 250_000_000);
  setTimes(join(root, 'symlink'), 1_600_000_000, 5);
  lutimesSync(join(root, 'dir/sub'), 1000, 1000);
  setTimes(join(root, 'dir'), 1_500_000_000, 1);
  setTimes(root, 1_400_000_000, 0);
}

describe('a layer written by GNU tar', () => {
  it.each(['overlay', 'delete'] as const)('unpacks with all attributes (whiteouts: %s)', async (whiteouts) => {
    const source = join(temporary.path, 'source');
    mkdirSync(source);
    makeRichTree(source);
    const archive = join(temporary.path, 'layer.tar');
    const options = ['--format=pax', '--numeric-owner', '--xattrs', '--xattrs-include=*', '--sort=name'];
    execFileSync('tar', [...options, '-C', source, '-cf', archive, '.']);
    await unpack(readFileSync(archive), { whiteouts });
    expect(describeTree(layer)).toEqual(describeTree(source));
  });

  it('unpacks in GNU format too', async () => {
    const source = join(temporary.path, 'source');
    mkdirSync(join(source, 'd'.repeat(150)), { recursive: true });
    writeFileSync(join(source, 'd'.repeat(150), 'f'.repeat(150)), 'x');
    symlinkSync('l'.repeat(150), join(source, 'link'));
    const archive = join(temporary.path, 'layer.tar');
    execFileSync('tar', ['--format=gnu', '-C', source, '-cf', archive, '.']);
    await unpack(readFileSync(archive));
    expect(describeTree(layer, { times: false })).toEqual(describeTree(source, { times: false }));
  });
});

describe('a layer with sparse files, written by GNU tar', () => {
  const MIB = 1024 ** 2;

  function makeSparseTree(root: string): void {
    const sparse = (name: string, size: number, ...parts: readonly (readonly [at: number, text: string])[]): void => {
      const fd = openSync(join(root, name), 'w');
      for (const [at, text] of parts) writeSync(fd, text, at);
      ftruncateSync(fd, size);
      closeSync(fd);
    };
    sparse('begins-with-a-hole', 3 * MIB, [2 * MIB, 'data']);
    sparse('ends-with-a-hole', 3 * MIB + 17, [0, 'data']);
    sparse('hole', 5 * MIB);
    sparse('n'.repeat(180), 2 * MIB, [MIB, 'data']);
    sparse(
      'many',
      40 * MIB,
      ...Array.from({ length: 300 }, (_, index) => [index * 128 * 1024, `part ${index}`] as const),
    );
    sparse('whole', 5, [0, 'whole']);
    chownSync(join(root, 'many'), 12, 34);
    setTimes(join(root, 'many'), 1_700_000_000, 5);
  }

  it.each([['--format=gnu'], ['--sparse-version=0.0'], ['--sparse-version=0.1'], ['--sparse-version=1.0']])(
    'unpacks with its holes (%s)',
    async (form) => {
      const source = join(temporary.path, 'source');
      mkdirSync(source);
      makeSparseTree(source);
      const archive = join(temporary.path, 'layer.tar');
      const format = form.startsWith('--format') ? [form] : ['--format=pax', form];
      execFileSync('tar', ['--sparse', ...format, '--numeric-owner', '-C', source, '-cf', archive, '.']);
      const tar = readFileSync(archive);
      expect(tar.length).toBeLessThan(4 * MIB);
      await unpack(tar);
      const times = form !== '--format=gnu';
      expect(describeTree(layer, { times })).toEqual(describeTree(source, { times }));
      for (const name of readdirSync(source)) {
        expect(lstatSync(inLayer(name)).blocks).toBeLessThanOrEqual(lstatSync(join(source, name)).blocks);
      }
    },
  );

  it('stops at the limit of all their sizes', async () => {
    const source = join(temporary.path, 'source');
    mkdirSync(source);
    makeSparseTree(source);
    const tar = execFileSync('tar', ['--sparse', '-C', source, '-cf', '-', '.'], { maxBuffer: 2 ** 26 });
    await expect(unpack(tar, { limits: { maxEntries: 100, maxBytes: 45 * MIB } })).rejects.toMatchObject({
      code: 'TSD_LAYER_HOSTILE',
      message: expect.stringContaining('sparse files'),
    });
  });
});

describe('integrity', () => {
  const tar = tarOf({ path: 'a', content: 'x' });
  const zipped = gzipSync(tar);
  const zippedTwice = Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]);
  const invalid = expect.objectContaining({ code: 'TSD_IMAGE_INVALID' });

  it.each([
    ['in one piece', zipped],
    ['in several members', zippedTwice],
  ])('takes gzip %s and checks both digests', async (_what, stored) => {
    await unpack(tar, { stored, blobDigest: sha256(stored) });
    expect(read('a')).toBe('x');
  });

  it.each([
    ['a wrong DiffID', { diffId: '0'.repeat(64) }],
    ['a wrong blob digest', { stored: zipped, blobDigest: '0'.repeat(64) }],
    ['a truncated gzip stream', { stored: zipped.subarray(0, -12) }],
    ['a damaged gzip stream', { stored: Buffer.concat([zipped.subarray(0, 12), Buffer.alloc(40, 0xff)]) }],
    ['a truncated tar', { stored: tar.subarray(0, 700) }],
    ['an empty blob', { stored: Buffer.alloc(0) }],
  ])('refuses %s', async (_what, options) => {
    await expect(unpack(tar, options)).rejects.toThrow(invalid);
  });

  const compressed = (program: string, bytes: Buffer): Buffer =>
    execFileSync(program, ['-c', ...(program === 'xz' ? ['-T1'] : [])], { input: bytes, maxBuffer: 2 ** 26 });

  describe.each(['xz', 'bzip2'])('of a layer compressed by %s', (program) => {
    // Two blocks of bzip2 and more lie within the content of b: damage there spoils no header of the tar, which would be
    // found first. The key and counter are zero, so that the bytes are the same in every run.
    const noise = createCipheriv('aes-128-ctr', Buffer.alloc(16), Buffer.alloc(16)).update(Buffer.alloc(3_000_000));
    const large = tarOf({ path: 'zeros', content: Buffer.alloc(3_000_000) }, { path: 'b', content: noise });
    const whole = compressed(program, large);
    const middle = Math.floor(whole.length / 2);
    const parts = [0, 700_000, 2_000_000].map((at, index, cuts) => large.subarray(at, cuts[index + 1]));

    it.each([
      ['in one stream', whole],
      ['in several streams', Buffer.concat(parts.map((part) => compressed(program, part)))],
    ])('is checked, %s', async (_what, stored) => {
      await unpack(large, { stored, blobDigest: sha256(stored) });
      expect(readdirSync(layer).sort()).toEqual(['b', 'zeros']);
    });

    it.each([
      ['cut off', whole.subarray(0, -40)],
      ['damaged', Buffer.concat([whole.subarray(0, middle), Buffer.alloc(100, 0xaa), whole.subarray(middle + 100)])],
      ['followed by something else', Buffer.concat([whole, Buffer.from('something else')])],
      ['nothing but its mark', whole.subarray(0, 6)],
    ])('refuses what is %s', async (_what, stored) => {
      await expect(unpack(large, { stored })).rejects.toMatchObject({
        code: 'TSD_IMAGE_INVALID',
        message: expect.stringMatching(new RegExp(`^broken ${program} data: `)),
      });
    });
  });

  it('limits the memory of an xz stream', async () => {
    const stored = compressed('xz', tar);
    // The block's header: its size, flags, LZMA2 with one byte of properties, which is the size of the dictionary.
    expect(stored.subarray(13, 16).toString('hex')).toBe('002101');
    const headerEnd = 12 + (stored.readUInt8(12) + 1) * 4;
    stored[16] = 40;
    stored.writeUInt32LE(crc32(stored.subarray(12, headerEnd - 4)), headerEnd - 4);
    await expect(unpack(tar, { stored })).rejects.toThrow(/needs more than 96 MiB of memory/);
  });

  it('reads a tar whose first name begins like bzip2 as a tar', async () => {
    await unpackFiles({ path: 'BZhello', content: 'x' });
    expect(read('BZhello')).toBe('x');
  });

  it('stops at the limits', async () => {
    const hostile = expect.objectContaining({ code: 'TSD_LAYER_HOSTILE' });
    const many = tarOf({ path: 'a' }, { path: 'b' }, { path: 'c' });
    await expect(unpack(many, { limits: { maxEntries: 2, maxBytes: 1e9 } })).rejects.toThrow(hostile);
    const zeros = Buffer.alloc(500_000);
    const bomb = tarOf(...Array.from({ length: 100 }, (_, index) => ({ path: `zeros${index}`, content: zeros })));
    const limits = { maxEntries: 1_000, maxBytes: 1_000_000 };
    await expect(unpack(bomb, { stored: gzipSync(bomb), limits })).rejects.toThrow(hostile);
    expect(readdirSync(layer).length).toBeLessThan(5);
  });

  it('refuses a huge file by its header, before it writes a byte', async () => {
    const announced = encodeHeader(tarHeader({ type: 'file', path: 'huge', size: 9 * 1024 ** 4 }));
    await expect(unpack(Buffer.concat([announced, Buffer.alloc(1024)]))).rejects.toMatchObject({
      code: 'TSD_LAYER_HOSTILE',
      message: expect.stringMatching(/^huge of 9895604649984 bytes is larger than/),
    });
    expect(existsSync(inLayer('huge'))).toBe(false);
  });
});

describe('later entries', () => {
  it('replace earlier ones, except a directory by a directory', async () => {
    await unpackFiles(
      { path: 'file', content: 'first' },
      { path: 'file', content: 'second' },
      { path: 'dir/kept', content: 'x' },
      { path: 'dir', type: 'directory', mode: 0o700 },
      { path: 'becomes-file/sub/x', content: 'x' },
      { path: 'becomes-file', content: 'now a file' },
      { path: 'becomes-dir', content: 'x' },
      { path: 'becomes-dir/x', type: 'directory', content: '' },
    ).catch((error: unknown) => expect(error).toMatchObject({ code: 'TSD_LAYER_HOSTILE' }));
    expect(read('file')).toBe('second');
    expect(read('dir/kept')).toBe('x');
    expect(lstatSync(inLayer('dir')).mode & 0o777).toBe(0o700);
    expect(read('becomes-file')).toBe('now a file');
  });

  it('can replace a file by a directory', async () => {
    await unpackFiles({ path: 'x', content: '1' }, { path: 'x', type: 'directory' }, { path: 'x/y', content: '2' });
    expect(read('x/y')).toBe('2');
  });

  it('do not write through a hard link that they replace', async () => {
    await unpackFiles(
      { path: 'a', content: 'a' },
      { path: 'b', type: 'link', linkname: 'a' },
      { path: 'b', content: 'b' },
    );
    expect([read('a'), read('b')]).toEqual(['a', 'b']);
  });
});

describe('whiteouts as overlay has them', () => {
  const isWhiteout = (path: string): boolean => {
    const stat = lstatSync(inLayer(path));
    return stat.isCharacterDevice() && stat.rdev === 0;
  };
  const isOpaque = (path: string): boolean =>
    readXattrs(inLayer(path)).get('trusted.overlay.opaque')?.toString() === 'y';

  it('become 0:0 devices and opaque directories', async () => {
    await unpackFiles(
      { path: 'etc/.wh.passwd' },
      { path: 'var', type: 'directory' },
      { path: 'var/.wh..wh..opq' },
      { path: 'var/new', content: 'x' },
      { path: '.wh..wh.plnk/1.2', content: 'x' },
    );
    expect(isWhiteout('etc/passwd')).toBe(true);
    expect(isOpaque('var')).toBe(true);
    expect(readdirSync(layer).sort()).toEqual(['.wh..wh.plnk', 'etc', 'var']);
  });

  it('leave what the same layer adds, in either order', async () => {
    await unpackFiles(
      { path: 'file', content: 'x' },
      { path: '.wh.file' },
      { path: '.wh.file2' },
      { path: 'file2', content: 'y' },
      { path: 'dir/new', content: 'z' },
      { path: '.wh.dir' },
      { path: '.wh.dir2' },
      { path: 'dir2/new', content: 'z' },
      { path: '.wh.dir3' },
      { path: 'dir3', type: 'directory' },
    );
    expect([read('file'), read('file2'), read('dir/new'), read('dir2/new')]).toEqual(['x', 'y', 'z', 'z']);
    expect(['dir', 'dir2', 'dir3'].map(isOpaque)).toEqual([true, true, true]);
  });
});

describe('whiteouts in a copy', () => {
  beforeEach(() => {
    mkdirSync(inLayer('old/sub'), { recursive: true });
    for (const path of ['old/a', 'old/b', 'old/sub/c', 'file']) writeFileSync(inLayer(path), 'old');
    symlinkSync('old', inLayer('link'));
  });
  const unpackInto = (...files: readonly TarFixture[]) => unpack(tarOf(...files), { whiteouts: 'delete' });

  it('delete files and directories', async () => {
    await unpackInto({ path: '.wh.file' }, { path: 'old/.wh.sub' }, { path: '.wh.absent' }, { path: '.wh.link' });
    expect(readdirSync(layer)).toEqual(['old']);
    expect(readdirSync(inLayer('old')).sort()).toEqual(['a', 'b']);
  });

  it('empty an opaque directory of lower entries only', async () => {
    await unpackInto(
      { path: 'old/a', content: 'new' },
      { path: 'old/.wh..wh..opq' },
      { path: 'old/d', content: 'new' },
    );
    expect(readdirSync(inLayer('old')).sort()).toEqual(['a', 'd']);
    expect(read('old/a')).toBe('new');
  });

  it('keep a directory in which the layer adds entries', async () => {
    await unpackInto({ path: 'old/sub/new', content: 'x' }, { path: '.wh.old' });
    expect(describeTree(inLayer('old'), { times: false }).map((line) => line.split(' ')[0])).toEqual([
      '.',
      './sub',
      './sub/new',
    ]);
  });

  it('follow symlinks of the copy inside it', async () => {
    await unpackInto({ path: 'link/.wh.a' }, { path: 'link/new', content: 'x' });
    expect(readdirSync(inLayer('old')).sort()).toEqual(['b', 'new', 'sub']);
  });
});

/** Layers of random entries over few names, made to hit each other and to climb out. */
const hostileEntries = fc.array(
  fc.record({
    path: fc
      .array(fc.constantFrom('a', 'b', 'c', '..', '.', '', '.wh.a', '.wh..wh..opq'), { minLength: 1, maxLength: 4 })
      .map((parts) => parts.join('/')),
    type: fc.constantFrom('file' as const, 'directory' as const, 'symlink' as const, 'link' as const, 'fifo' as const),
    linkname: fc.constantFrom('a', 'b/c', '..', '../..', '../../outside', '/', '/a', 'OUTSIDE', 'OUTSIDE/victim'),
  }),
  { maxLength: 10 },
);

describe('a hostile layer', () => {
  let outside: string;
  let before: string[];
  beforeEach(() => {
    outside = join(temporary.path, 'outside');
    mkdirSync(outside);
    writeFileSync(join(outside, 'victim'), 'precious');
    chmodSync(join(outside, 'victim'), 0o640);
    before = describeTree(outside);
  });
  afterEach(() => {
    expect(describeTree(outside)).toEqual(before);
    expect(readdirSync(temporary.path).sort()).toEqual(['layer', 'outside']);
  });

  const refused = (code: string, ...files: readonly TarFixture[]) =>
    expect(unpackFiles(...files)).rejects.toThrow(expect.objectContaining({ code }));

  it.each(['../outside/victim', 'a/../../outside/victim', '/../outside/victim', '..'])(
    'with the name %s is refused',
    (path) => refused('TSD_LAYER_HOSTILE', { path, content: 'pwned' }),
  );

  it('with absolute names stays inside', async () => {
    const path = join(outside, 'victim');
    await unpackFiles({ path, content: 'inside' });
    expect(readFileSync(join(layer, path), 'utf8')).toBe('inside');
  });

  it.each([
    ['absolute', (to: string) => [{ path: 'link', type: 'symlink', linkname: to }] as const],
    ['relative', () => [{ path: 'link', type: 'symlink', linkname: '../outside' }] as const],
    [
      'chained',
      () =>
        [
          { path: 'd', type: 'directory' },
          { path: 'd/up', type: 'symlink', linkname: '../..' },
          { path: 'link', type: 'symlink', linkname: 'd/up/outside' },
        ] as const,
    ],
    [
      'doubled absolute',
      (to: string) =>
        [
          { path: 'root', type: 'symlink', linkname: '/' },
          { path: 'link', type: 'symlink', linkname: `root/..${to}` },
        ] as const,
    ],
  ])('with an %s symlink as parent writes inside', async (_what, links) => {
    await unpackFiles(
      ...links(outside),
      { path: 'link/victim', content: 'pwned' },
      { path: 'link/new', type: 'directory' },
      { path: 'link/.wh.victim' },
      { path: 'link/.wh..wh..opq' },
    );
    expect(lstatSync(inLayer('link')).isSymbolicLink()).toBe(true);
  });

  it('with an entry over a symlink replaces the symlink', async () => {
    await unpackFiles(
      { path: 'link', type: 'symlink', linkname: join(outside, 'victim') },
      { path: 'link', content: 'mine', mode: 0o777 },
      { path: 'dirlink', type: 'symlink', linkname: outside },
      { path: 'dirlink', type: 'directory', mode: 0o777 },
    );
    expect(lstatSync(inLayer('link')).isFile()).toBe(true);
    expect(lstatSync(inLayer('dirlink')).isDirectory()).toBe(true);
  });

  it('cannot hard link a file of the host', async () => {
    await refused('TSD_IMAGE_INVALID', { path: 'x', type: 'link', linkname: join(outside, 'victim') });
    await refused('TSD_LAYER_HOSTILE', { path: 'x', type: 'link', linkname: '../outside/victim' });
    await refused(
      'TSD_IMAGE_INVALID',
      { path: 'link', type: 'symlink', linkname: outside },
      { path: 'x', type: 'link', linkname: 'link/victim' },
    );
  });

  it('that hard links a symlink to the host and writes it changes only its own file', async () => {
    await unpackFiles(
      { path: 'link', type: 'symlink', linkname: join(outside, 'victim') },
      { path: 'hard', type: 'link', linkname: 'link' },
      { path: 'hard', content: 'pwned' },
    );
    expect(lstatSync(inLayer('hard')).isFile()).toBe(true);
  });

  it('cannot link to a directory, to itself, to a replaced entry or to a missing one', async () => {
    await refused('TSD_IMAGE_INVALID', { path: 'd', type: 'directory' }, { path: 'x', type: 'link', linkname: 'd' });
    await refused('TSD_IMAGE_INVALID', { path: 'f' }, { path: 'f', type: 'link', linkname: 'f' });
    await refused('TSD_IMAGE_INVALID', { path: 'e/g' }, { path: 'e', type: 'link', linkname: 'e/g' });
    await refused('TSD_IMAGE_INVALID', { path: 'x', type: 'link', linkname: '' });
    await refused('TSD_IMAGE_INVALID', { path: 'x', type: 'symlink', linkname: '' });
  });

  it('cannot add below a file, replace its root or follow circular links', async () => {
    await refused('TSD_LAYER_HOSTILE', { path: 'f' }, { path: 'f/g' });
    await refused('TSD_LAYER_HOSTILE', { path: './', type: 'symlink', linkname: outside });
    await refused(
      'TSD_LAYER_HOSTILE',
      { path: 'a', type: 'symlink', linkname: 'b' },
      { path: 'b', type: 'symlink', linkname: 'a' },
      { path: 'a/x' },
    );
  });

  it.each(['.wh..', '.wh...', '.wh.', 'd/.wh...'])('with the whiteout %s is refused', (path) =>
    refused('TSD_LAYER_HOSTILE', { path: 'd', type: 'directory' }, { path }),
  );

  it('cannot forge extended attributes of overlayfs', async () => {
    const xattrs = new Map([['trusted.overlay.redirect', Buffer.from('/../outside')]]);
    await refused('TSD_LAYER_HOSTILE', { path: 'd', type: 'directory', xattrs });
    await refused('TSD_LAYER_HOSTILE', { path: 'f', xattrs: new Map([['user.overlay.metacopy', Buffer.alloc(0)]]) });
  });

  it('with NUL bytes or endless names is refused', async () => {
    await refused('TSD_LAYER_HOSTILE', { path: `${'d'.repeat(150)}\0x` });
    await refused('TSD_LAYER_HOSTILE', { path: 'n'.repeat(300) });
    await refused('TSD_LAYER_HOSTILE', { path: `${'n'.repeat(250)}/`.repeat(20) });
    await refused('TSD_LAYER_HOSTILE', { path: 'd/'.repeat(600) });
  });

  it('may nest directories and replace them', async () => {
    await unpackFiles({ path: 'd/'.repeat(500) }, { path: 'd', content: 'file' });
    expect(read('d')).toBe('file');
  });

  it.each(['overlay', 'delete'] as const)(
    'with random entries changes nothing outside (whiteouts: %s)',
    async (whiteouts) => {
      const property = fc.asyncProperty(hostileEntries, async (entries) => {
        execFileSync('find', [layer, '-mindepth', '1', '-delete']);
        const fixtures = entries.map(({ linkname, ...fields }) => {
          const isLink = fields.type === 'link' || fields.type === 'symlink';
          return {
            ...fields,
            linkname: isLink ? linkname.replace('OUTSIDE', outside) : '',
            ...(fields.type === 'file' && { content: 'pwned' }),
          };
        });
        await unpack(tarOf(...fixtures), { whiteouts }).catch((error: unknown) => {
          expect(error).toMatchObject({ code: expect.stringMatching(/^TSD_(LAYER_HOSTILE|IMAGE_INVALID)$/) });
        });
        expect(describeTree(outside)).toEqual(before);
      });
      await fc.assert(property, { numRuns: 150 });
    },
  );

  it('cannot use its devices on the host', async () => {
    await unpackFiles({ path: 'disk', type: 'block-device', mode: 0o600, major: 8, minor: 0 });
    expect(lstatSync(inLayer('disk')).isBlockDevice()).toBe(true);
    expect(existsSync(join(outside, 'disk'))).toBe(false);
  });
});
