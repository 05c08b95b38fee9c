import { describe, expect, it } from 'vitest';
import { HOLD_TRAITS, type HoldReason, type HoldTraits, restOf } from '../../../src/model/status/holds.ts';

const reasons = Object.keys(HOLD_TRAITS) as HoldReason[];
const those = (decides: (traits: HoldTraits) => boolean): HoldReason[] =>
  reasons.filter((reason) => decides(HOLD_TRAITS[reason]));

describe('traits of hold reasons', () => {
  it('settle a plan for a finished container and for one that a person stopped, and for no other', () => {
    expect(those(({ rest }) => rest !== null)).toEqual(['finished', 'stopped-by-user']);
    expect(restOf('finished')).toBe('done');
    expect(restOf('busy')).toBeNull();
  });

  it('give no rest to a reason of another version', () => {
    expect(restOf('from-a-later-version')).toBeNull();
    expect(restOf('constructor')).toBeNull();
  });

  it('park what no op was tried for, and what waits for an approval or a retry', () => {
    expect(those(({ parked }) => parked)).toEqual([
      ...those(({ untried }) => untried),
      'needs-approval',
      'backing-off',
    ]);
  });

  it('never let one reason both rest and have failed', () => {
    expect(those(({ rest, failure }) => rest !== null && failure !== null)).toEqual([]);
  });

  it('exist for every reason: a table without one is not accepted', () => {
    const { busy: _, ...rest } = HOLD_TRAITS;
    // @ts-expect-error the row of busy is missing
    const incomplete: Readonly<Record<HoldReason, HoldTraits>> = rest;
    expect(Object.keys(incomplete)).toHaveLength(reasons.length - 1);
  });
});
