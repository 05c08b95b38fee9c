import { parseBytes } from '../../../model/kinds/short-forms.ts';
import { badOption, type StorageOptions } from '../storage-options.ts';

/** Options of Docker 1.4's devicemapper driver. */
export const DEVICE_MAPPER_OPTIONS = [
  'dm.basesize',
  'dm.loopdatasize',
  'dm.loopmetadatasize',
  'dm.fs',
  'dm.mkfsarg',
  'dm.mountopt',
  'dm.datadev',
  'dm.metadatadev',
  'dm.thinpooldev',
  'dm.blkdiscard',
  'dm.blocksize',
] as const;

type OptionName = (typeof DEVICE_MAPPER_OPTIONS)[number];

type PoolSource =
  /** Sparse files below the home. */
  | { readonly type: 'files'; readonly dataBytes: number; readonly metadataBytes: number }
  | { readonly type: 'devices'; readonly data: string; readonly metadata: string }
  /** A pool that somebody else made and keeps, by its device-mapper name. */
  | { readonly type: 'pool'; readonly name: string };

export interface DeviceMapperOptions {
  /** Size of the filesystem of every layer and container; of an existing base device it is not changed. */
  readonly baseBytes: number;
  readonly filesystem: 'ext4' | 'xfs';
  readonly mkfsArguments: readonly string[];
  readonly mountOptions: readonly string[];
  readonly pool: PoolSource;
  /** Give the blocks of what is removed back to the data device: what makes sparse files shrink. */
  readonly discard: boolean;
  /** In sectors of 512 bytes. */
  readonly blockSectors: number;
}

const GIB = 1024 ** 3;
const SECTOR = 512;
/** Documentation/admin-guide/device-mapper/thin-provisioning.rst: 64 KiB to 1 GiB, in steps of 64 KiB. */
const BLOCK_STEP = 64 * 1024;
const BLOCK_MAX = GIB;
/** mkfs.ext4 and the pool refuse less. */
const SMALLEST = { base: 16 * 1024 ** 2, data: 64 * 1024 ** 2, metadata: 2 * 1024 ** 2 };

/** @throws TSD_FLAG for a value that makes no sense, and for options that exclude each other. */
export function deviceMapperOptions(options: StorageOptions): DeviceMapperOptions {
  const all = (name: OptionName): string[] => options.filter(([key]) => key === name).map(([, value]) => value);
  const last = (name: OptionName): string | undefined => all(name).at(-1);
  const bytes = (name: OptionName, fallback: number, least: number): number => {
    const value = last(name);
    if (value === undefined) return fallback;
    const { value: parsed, problem } = sizeOf(value);
    if (problem || parsed < least)
      throw badOption(name, value, `a size of at least ${least / 1024 ** 2}M, for example 10G`);
    return parsed;
  };
  return {
    baseBytes: bytes('dm.basesize', 10 * GIB, SMALLEST.base),
    filesystem: filesystemOf(last('dm.fs')),
    mkfsArguments: all('dm.mkfsarg'),
    mountOptions: all('dm.mountopt')
      .flatMap((text) => text.split(','))
      .filter((option) => option !== ''),
    pool: poolSource(last, {
      type: 'files',
      dataBytes: bytes('dm.loopdatasize', 100 * GIB, SMALLEST.data),
      metadataBytes: bytes('dm.loopmetadatasize', 2 * GIB, SMALLEST.metadata),
    }),
    discard: discardOf(last('dm.blkdiscard')) ?? last('dm.datadev') === undefined,
    blockSectors: blockSectorsOf(last('dm.blocksize')),
  };
}

function sizeOf(text: string): { readonly value: number; readonly problem: boolean } {
  const result = parseBytes(text);
  return 'value' in result ? { value: result.value, problem: false } : { value: 0, problem: true };
}

function filesystemOf(value = 'ext4'): 'ext4' | 'xfs' {
  if (value === 'ext4' || value === 'xfs') return value;
  throw badOption('dm.fs', value, 'ext4 or xfs');
}

function discardOf(value: string | undefined): boolean | undefined {
  if (value === undefined) return undefined;
  if (/^(1|t|true)$/i.test(value)) return true;
  if (/^(0|f|false)$/i.test(value)) return false;
  throw badOption('dm.blkdiscard', value, 'true or false');
}

function blockSectorsOf(value = '64K'): number {
  const { value: bytes, problem } = sizeOf(value);
  if (problem || bytes < BLOCK_STEP || bytes > BLOCK_MAX || bytes % BLOCK_STEP !== 0) {
    throw badOption('dm.blocksize', value, 'a multiple of 64K up to 1G');
  }
  return bytes / SECTOR;
}

function poolSource(last: (name: OptionName) => string | undefined, files: PoolSource): PoolSource {
  const [data, metadata, pool] = [last('dm.datadev'), last('dm.metadatadev'), last('dm.thinpooldev')];
  for (const [name, device] of [
    ['dm.datadev', data],
    ['dm.metadatadev', metadata],
  ] as const) {
    if (device === undefined) continue;
    if (pool !== undefined) throw badOption(name, device, 'left out where dm.thinpooldev names a pool');
    if (!device.startsWith('/')) throw badOption(name, device, 'the path of a block device');
  }
  if (pool !== undefined) return { type: 'pool', name: pool.replace(/^\/dev\/mapper\//, '') };
  if (data === undefined && metadata === undefined) return files;
  if (data === undefined) throw badOption('dm.metadatadev', metadata ?? '', 'given together with dm.datadev');
  if (metadata === undefined) throw badOption('dm.datadev', data, 'given together with dm.metadatadev');
  return { type: 'devices', data, metadata };
}
