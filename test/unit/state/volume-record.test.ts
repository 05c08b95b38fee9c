import { describe, expect, it } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { decideAdoption, type VolumeRecord, volumeReferences } from '../../../src/state/volume-record.ts';

const volume = (key: ResourceKey, released: boolean): VolumeRecord => ({
  id: key,
  path: `/v/${key}`,
  writable: true,
  owner: { type: 'named', key },
  specHash: '',
  onRemove: 'keep',
  released,
});

describe('which data a declared volume gets', () => {
  const own = volume('volume/blog/data', true);
  const other = volume('volume/shop/data', true);

  it('its own, released or not', () => {
    expect(decideAdoption([other, own], 'volume/blog/data', false)).toEqual({ decision: 'use', volume: own });
  });

  it("another app's only when it says so and the data is released", () => {
    expect(decideAdoption([other], 'volume/blog/data', false)).toEqual({ decision: 'create' });
    expect(decideAdoption([other], 'volume/blog/data', true)).toEqual({ decision: 'use', volume: other });
    expect(decideAdoption([volume('volume/shop/data', false)], 'volume/blog/data', true).decision).toBe('create');
    expect(decideAdoption([volume('volume/shop/other-data', true)], 'volume/blog/data', true).decision).toBe('create');
  });

  it('none when two apps left data of this name', () => {
    const decision = decideAdoption([other, volume('volume/mail/data', true)], 'volume/blog/data', true);
    expect(decision).toEqual({ decision: 'ambiguous', keys: ['volume/shop/data', 'volume/mail/data'] });
  });
});

it('derives who uses a volume', () => {
  const users = volumeReferences([
    { id: 'a', volumes: { '/x': { path: '/v/1' }, '/y': { path: '/v/1' } } },
    { id: 'b', volumes: { '/x': { path: '/v/1' }, '/z': { path: '/v/2' } } },
  ]);
  expect(users).toEqual(
    new Map([
      ['/v/1', new Set(['a', 'b'])],
      ['/v/2', new Set(['b'])],
    ]),
  );
});
