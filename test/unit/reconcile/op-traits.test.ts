import { describe, expect, it } from 'vitest';
import type { OpType } from '../../../src/reconcile/op.ts';
import { isOpType, OP_TRAITS, type OpTraits, opId, reachedKeys } from '../../../src/reconcile/op-traits.ts';
import { OpGraph } from '../../../src/reconcile/plan/order/op-graph.ts';

const KEY = 'container/blog/web';
const types = Object.keys(OP_TRAITS) as OpType[];
const those = (decides: (traits: OpTraits) => boolean): OpType[] => types.filter((type) => decides(OP_TRAITS[type]));

describe('traits of ops', () => {
  it('let ops that make room finish when cancelled, but not the stop, whose payload ends without the supervisor', () => {
    const room = those(({ makesRoom }) => makesRoom);
    expect(those(({ finishesWhenCancelled }) => finishesWhenCancelled)).toEqual(
      room.filter((type) => type !== 'container.stop'),
    );
    expect(room).toEqual([
      'image.release',
      'volume.release',
      'volume.remove',
      'network.remove',
      'container.stop',
      'container.withdraw',
      'container.disconnect',
      'container.remove',
      'orphan.remove',
    ]);
  });

  it('skip ops that start a stopped container, but not those that stop it', () => {
    expect(those(({ direction, skippedOnceStopped }) => direction === 'up' && !skippedOnceStopped)).toEqual([]);
    expect(those(({ direction, skippedOnceStopped }) => direction === 'down' && skippedOnceStopped)).toEqual([]);
  });

  it('have a different name for each op type in `why`', () => {
    for (const kind of ['image', 'volume', 'network', 'container']) {
      const words = types.filter((type) => type.startsWith(`${kind}.`)).map((type) => OP_TRAITS[type].done);
      expect(new Set(words).size, kind).toBe(words.length);
    }
  });

  it('cover every op type: a table without one does not compile', () => {
    const { 'orphan.remove': _, ...rest } = OP_TRAITS;
    // @ts-expect-error the row of orphan.remove is missing
    const incomplete: Readonly<Record<OpType, OpTraits>> = rest;
    expect(Object.keys(incomplete)).toHaveLength(types.length - 1);
    expect(isOpType('constructor')).toBe(false);
  });
});

describe('the id of an op', () => {
  it('is the text of journals and users', () => {
    expect(opId('container.start', KEY)).toBe('start container/blog/web');
    expect(opId('container.make-directories', KEY)).toBe('make-directories container/blog/web');
    expect(opId('image.load', 'image/blog/app')).toBe('load image/blog/app');
  });

  it('is equal for a lookup and for the op in the plan', () => {
    const graph = new OpGraph();
    const cause = { reason: 'declared', message: 'created' } as const;
    const id = graph.add({ op: 'network.ensure', key: 'network/blog/back', cause });
    expect(id).toBe(opId('network.ensure', 'network/blog/back'));
    expect(graph.typesOf('network/blog/back')).toEqual(['network.ensure']);
  });
});

it('reaches other containers only for a cutover', () => {
  for (const op of types) {
    const beside = op === 'container.cutover' ? [`${KEY}.next`, `${KEY}.old`] : [];
    expect(reachedKeys({ op, key: KEY }), op).toEqual([KEY, ...beside]);
  }
});
