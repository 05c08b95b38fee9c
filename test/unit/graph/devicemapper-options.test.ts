import { describe, expect, it } from 'vitest';
import { mountCall } from '../../../src/drivers/graph/devicemapper/filesystem.ts';
import { deviceMapperOptions } from '../../../src/drivers/graph/devicemapper/options.ts';

const options = (...texts: string[]) =>
  deviceMapperOptions(texts.map((text) => text.split(/=(.*)/s).slice(0, 2) as [string, string]));

describe('options of devicemapper', () => {
  it('have the defaults of Docker 1.4', () => {
    expect(options()).toEqual({
      baseBytes: 10 * 1024 ** 3,
      filesystem: 'ext4',
      mkfsArguments: [],
      mountOptions: [],
      pool: { type: 'files', dataBytes: 100 * 1024 ** 3, metadataBytes: 2 * 1024 ** 3 },
      discard: true,
      blockSectors: 128,
    });
  });

  it('accumulate where several are allowed, otherwise the last one wins', () => {
    const both = options(
      'dm.mkfsarg=-O',
      'dm.mkfsarg=^has_journal',
      'dm.mountopt=noatime,nodev',
      'dm.mountopt=commit=9',
    );
    expect(both).toMatchObject({
      mkfsArguments: ['-O', '^has_journal'],
      mountOptions: ['noatime', 'nodev', 'commit=9'],
    });
    expect(options('dm.fs=ext4', 'dm.fs=xfs', 'dm.basesize=20G', 'dm.blocksize=128K')).toMatchObject({
      filesystem: 'xfs',
      baseBytes: 20 * 1024 ** 3,
      blockSectors: 256,
    });
  });

  it('name devices or a pool in place of the sparse files', () => {
    expect(options('dm.datadev=/dev/sdb', 'dm.metadatadev=/dev/sdc')).toMatchObject({
      pool: { type: 'devices', data: '/dev/sdb', metadata: '/dev/sdc' },
      discard: false,
    });
    expect(options('dm.datadev=/dev/sdb', 'dm.metadatadev=/dev/sdc', 'dm.blkdiscard=true').discard).toBe(true);
    expect(options('dm.thinpooldev=/dev/mapper/vg-pool').pool).toEqual({ type: 'pool', name: 'vg-pool' });
  });

  it.each([
    ['dm.basesize=1', /dm\.basesize must be a size of at least 16M.*not '1'/],
    ['dm.basesize=big', /dm\.basesize/],
    ['dm.loopdatasize=-1', /dm\.loopdatasize/],
    ['dm.loopmetadatasize=1M', /at least 2M/],
    ['dm.fs=btrfs', /dm\.fs must be ext4 or xfs, not 'btrfs'/],
    ['dm.blocksize=100K', /multiple of 64K/],
    ['dm.blocksize=2G', /multiple of 64K/],
    ['dm.blkdiscard=maybe', /true or false/],
    ['dm.datadev=/dev/sdb', /together with dm\.metadatadev/],
    ['dm.metadatadev=/dev/sdb', /together with dm\.datadev/],
    ['dm.datadev=sdb dm.metadatadev=/dev/sdc', /path of a block device/],
    ['dm.thinpooldev=p dm.datadev=/dev/sdb dm.metadatadev=/dev/sdc', /thinpooldev/],
  ])('refuse %s', (text, message) => {
    const attempt = () => options(...text.split(' '));
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code: 'TSD_FLAG' }));
  });

  it('become flags and data of mount(2)', () => {
    const chosen = options('dm.fs=xfs', 'dm.mountopt=noatime,nodev,logbufs=8');
    expect(mountCall('/dev/dm-3', chosen, true)).toEqual({
      source: '/dev/dm-3',
      filesystem: 'xfs',
      flags: 0x400 | 0x4 | 0x1,
      data: 'discard,nouuid,logbufs=8',
    });
  });
});
