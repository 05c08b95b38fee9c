import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { deviceMapperVersion, findDevice, targetVersion } from '../../../ffi/storage/device-mapper.ts';
import { describeError, toTsdError } from '../../../model/errors/errors.ts';
import type { Fingerprint } from '../../contract/driver.ts';
import { backingFilesystem } from '../backing-filesystem.ts';
import { mkfsProgram } from './filesystem.ts';
import type { DeviceMapperOptions } from './options.ts';

type Problem = Fingerprint['problems'][number];

/** What this host has of what thin devices need; starts nothing. */
export function deviceMapperFingerprint(home: string, options: DeviceMapperOptions): Fingerprint {
  const attributes: Record<string, string> = { 'backing filesystem': backingFilesystem(home).name };
  const problem = (what: string, fix: string): Fingerprint => ({ works: false, problems: [{ what, fix }], attributes });
  if (process.getuid?.() !== 0) return problem('devices need root', 'Run the supervisor as root.');
  try {
    attributes['device mapper'] = deviceMapperVersion();
  } catch (thrown) {
    return problem(
      `this kernel has no device mapper (${describeError(toTsdError(thrown))})`,
      'Use a kernel with CONFIG_BLK_DEV_DM (modprobe dm_mod), or -s overlay.',
    );
  }
  const version = targetVersion('thin-pool');
  if (version === null) {
    return problem('this kernel has no thin pools', 'Use a kernel with CONFIG_DM_THIN_PROVISIONING, or -s overlay.');
  }
  attributes['thin pool'] = version;
  const problems = [...missingPrograms(options), ...missingDevices(options)];
  return { works: problems.length === 0, problems, attributes };
}

function missingPrograms(options: DeviceMapperOptions): Problem[] {
  const needed: readonly (readonly [program: string, from: string])[] = [
    [mkfsProgram(options), options.filesystem === 'xfs' ? 'xfsprogs' : 'e2fsprogs'],
    ...(options.discard ? [['blkdiscard', 'util-linux'] as const] : []),
  ];
  return needed
    .filter(([program]) => !isInstalled(program))
    .map(([program, from]) => ({ what: `${program} is not installed`, fix: `Install ${from}.` }));
}

function isInstalled(program: string): boolean {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(join(directory, program)));
}

function missingDevices({ pool }: DeviceMapperOptions): Problem[] {
  if (pool.type === 'files') {
    if (existsSync('/dev/loop-control')) return [];
    return [
      {
        what: 'this kernel has no loop devices',
        fix: 'modprobe loop, or name devices with dm.datadev and dm.metadatadev.',
      },
    ];
  }
  if (pool.type === 'devices') {
    return [pool.data, pool.metadata]
      .filter((path) => !existsSync(path))
      .map((path) => ({ what: `${path} does not exist`, fix: 'Correct dm.datadev or dm.metadatadev.' }));
  }
  if (findDevice(pool.name) !== null) return [];
  return [
    { what: `there is no thin pool ${pool.name}`, fix: 'Make it with lvcreate or dmsetup, or correct dm.thinpooldev.' },
  ];
}
