import { describe, expect, it } from 'vitest';
import { type GraphDriverCandidate, selectGraphDriver } from '../../../src/drivers/graph/select.ts';

const driver = (name: string, works: boolean, ids: readonly string[] = []): GraphDriverCandidate => ({
  name,
  holds: (id) => ids.includes(id),
  fingerprint: () => ({
    works,
    problems: works ? [] : [{ what: `no ${name} here`, fix: `Install ${name}.` }],
    attributes: {},
  }),
});

const select = (
  candidates: readonly GraphDriverCandidate[],
  requested: string | null = null,
  graphIds: readonly string[] = [],
): string => selectGraphDriver({ requested, candidates, graphIds: new Set(graphIds) }).name;

describe('selectGraphDriver', () => {
  it('selects the requested driver, whatever is on disk', () => {
    expect(select([driver('overlay', true, ['a']), driver('vfs', true)], 'vfs', ['a'])).toBe('vfs');
  });

  it('selects the first that works for a new root directory', () => {
    expect(select([driver('overlay', false), driver('vfs', true)])).toBe('vfs');
  });

  it('stays with the driver that has the images', () => {
    expect(select([driver('overlay', true), driver('vfs', true, ['a'])], null, ['a'])).toBe('vfs');
  });

  it('does not count volumes as images', () => {
    expect(select([driver('overlay', true), driver('vfs', true, ['volume'])], null, ['a'])).toBe('overlay');
  });

  it.each([
    ['an unknown name', [driver('overlay', true)], 'zfs', [], 'TSD_DRIVER_UNKNOWN', /zfs; there are overlay/],
    [
      'a driver that does not work',
      [driver('overlay', false)],
      'overlay',
      [],
      'TSD_DRIVER_UNAVAILABLE',
      /no overlay here/,
    ],
    [
      'prior state of a driver that stopped working',
      [driver('overlay', false, ['a']), driver('vfs', true)],
      null,
      ['a'],
      'TSD_DRIVER_UNAVAILABLE',
      /holds the images/,
    ],
    [
      'two homes with images',
      [driver('overlay', true, ['a']), driver('vfs', true, ['b'])],
      null,
      ['a', 'b'],
      'TSD_FLAG',
      /overlay, vfs/,
    ],
    [
      'no driver that works',
      [driver('overlay', false), driver('vfs', false)],
      null,
      [],
      'TSD_DRIVER_UNAVAILABLE',
      /no overlay here; vfs: no vfs here/,
    ],
  ] as const)('refuses %s', (_what, candidates, requested, graphIds, code, message) => {
    const attempt = () => select(candidates, requested, graphIds);
    expect(attempt).toThrow(message);
    expect(attempt).toThrow(expect.objectContaining({ code }));
  });
});
