import { describe, expect, it } from 'vitest';
import type { GraphDriver } from '../../../src/drivers/contract/graph.ts';
import { type GraphDriverEntry, openGraphDriver } from '../../../src/drivers/graph/open.ts';
import { type StorageOptions, storageOptions } from '../../../src/drivers/graph/storage-options.ts';

const KNOWN = { overlay: [], devicemapper: ['dm.fs', 'dm.basesize'] };

describe('storageOptions', () => {
  it('ignores the case of keys and keeps the order', () => {
    const options = storageOptions('devicemapper', ['DM.FS=ext4', 'dm.basesize=1G', 'dm.fs = xfs'], KNOWN);
    expect(options).toEqual([
      ['dm.fs', 'ext4'],
      ['dm.basesize', '1G'],
      ['dm.fs', 'xfs'],
    ]);
  });

  it.each([
    ['overlay', 'dm.fs=xfs', /^Unknown option dm\.fs: graph driver overlay has no options$/, /-s devicemapper/],
    [
      'devicemapper',
      'dm.fsx=1',
      /^Unknown option dm\.fsx: graph driver devicemapper has dm\.fs, dm\.basesize$/,
      /name/,
    ],
  ])('%s refuses %s', (driver, text, message, hint) => {
    const attempt = () => storageOptions(driver, [text], KNOWN);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code: 'TSD_FLAG', hint: expect.stringMatching(hint) }));
  });
});

/** An entry whose driver only tells its options and ids. */
const entry = (options: readonly string[], works: (given: StorageOptions) => boolean, ids: readonly string[] = []) => ({
  options,
  create: (_root: string, given: StorageOptions) =>
    ({
      given,
      exists: (id: string) => ids.includes(id),
      fingerprint: () => ({
        works: works(given),
        problems: works(given) ? [] : [{ what: 'no pool', fix: 'Make one.' }],
        attributes: {},
      }),
    }) as unknown as GraphDriver & { given: StorageOptions },
});

describe('openGraphDriver', () => {
  const open = (
    drivers: Record<string, GraphDriverEntry>,
    requested: string | null,
    options: readonly string[],
    graphIds: readonly string[] = [],
  ) =>
    openGraphDriver({ drivers, root: '/r', requested, options, graphIds: new Set(graphIds) }) as GraphDriver & {
      given: StorageOptions;
    };

  it('checks the requested driver with its options', () => {
    const drivers = { thin: entry(['pool'], (given) => given.length > 0) };
    expect(open(drivers, 'thin', ['pool=p']).given).toEqual([['pool', 'p']]);
    expect(() => open(drivers, 'thin', [])).toThrow(/thin was asked for and does not work: no pool/);
  });

  it('passes the options to the driver that has the images', () => {
    const drivers = { overlay: entry([], () => true), thin: entry(['fs'], () => true, ['layer']) };
    expect(open(drivers, null, ['fs=xfs'], ['layer']).given).toEqual([['fs', 'xfs']]);
    expect(() => open(drivers, null, ['fs=xfs'])).toThrow(/Unknown option fs: graph driver overlay/);
  });
});
