import { describe, expect, it } from 'vitest';
import { aufsCannotName, aufsMountCalls } from '../../../src/drivers/graph/aufs/mount-calls.ts';
import { listsFilesystem, MS } from '../../../src/ffi/storage/mounts.ts';

describe('listsFilesystem', () => {
  const table = 'nodev\tsysfs\n\text4\nnodev\taufs\nnodev\tmqueue\n';

  it.each([
    ['aufs', true],
    ['ext4', true],
    ['nodev', false],
    ['auf', false],
    ['ext', false],
    ['', false],
  ])('looks for the whole name %j', (name, found) => expect(listsFilesystem(table, name)).toBe(found));
});

describe('aufsMountCalls', () => {
  const paths = (count: number, length: number): string[] =>
    Array.from({ length: count }, (_, index) => `/r/aufs/diff/${String(index).padStart(length, 'f')}`);

  it('puts the container on top of its layers, the nearest first', () => {
    expect(aufsMountCalls({ writable: '/r/c', layers: ['/r/top', '/r/base'], dirperm1: true })).toEqual([
      {
        source: 'none',
        filesystem: 'aufs',
        flags: 0,
        data: 'br:/r/c=rw:/r/top=ro+wh:/r/base=ro+wh,dio,noplink,xino=/dev/shm/aufs.xino,dirperm1',
      },
    ]);
  });

  it('omits options that an old aufs does not know', () => {
    const [call] = aufsMountCalls({ writable: '/r/c', layers: ['/r/base'], dirperm1: false });
    expect(call?.data).toBe('br:/r/c=rw:/r/base=ro+wh,dio,noplink,xino=/dev/shm/aufs.xino');
  });

  it('appends layers beyond the page of options one by one, in order', () => {
    const layers = paths(120, 64);
    const [first, ...appended] = aufsMountCalls({ writable: '/r/c', layers, dirperm1: true });
    const mounted = (first?.data.split(',')[0] ?? '').split(':').slice(2);
    expect(Buffer.byteLength(first?.data ?? '')).toBeLessThan(4096);
    expect(Buffer.byteLength(`${first?.data}:${layers[mounted.length]}=ro+wh`)).toBeGreaterThanOrEqual(4096);
    expect(appended.every(({ flags }) => flags === MS.remount)).toBe(true);
    const after = appended.map(({ data }) => data.replace(/^append:/, ''));
    expect([...mounted, ...after]).toEqual(layers.map((layer) => `${layer}=ro+wh`));
  });

  it('counts bytes, not characters', () => {
    const layers = paths(60, 64).map((path) => path.replaceAll('f', 'ü'));
    for (const { data } of aufsMountCalls({ writable: '/r/c', layers, dirperm1: true })) {
      expect(Buffer.byteLength(data)).toBeLessThan(4096);
    }
  });
});

describe('aufsCannotName', () => {
  it.each(['/a:b', '/a,b', '/a=b', '/a b', '/a\\b'])('finds a branch separator in %j', (path) =>
    expect(aufsCannotName(path)).toBe(true),
  );
  it('accepts other paths', () => expect(aufsCannotName('/var/lib/tsdocker/aufs/diff/0-9.ü')).toBe(false));
});
