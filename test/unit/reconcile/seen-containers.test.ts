import { expect, test } from 'vitest';
import type { ObservedContainer } from '../../../src/model/observed.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { SeenContainers } from '../../../src/reconcile/seen-containers.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';

const KEYS: readonly ResourceKey[] = ['container/blog/db', 'container/blog/web', 'container/shop/web'];

function seen(): { readonly containers: SeenContainers; readonly looks: string[] } {
  const records = [...KEYS, null].map((key, index) => ({ id: `${index}`, owner: key && { key } }) as ContainerRecord);
  const store = { all: () => records, byKey: (key: ResourceKey) => records.find(({ owner }) => owner?.key === key) };
  const looks: string[] = [];
  const look = ({ id }: ContainerRecord): ObservedContainer => {
    looks.push(id);
    return { id } as ObservedContainer;
  };
  return { containers: new SeenContainers(store, look), looks };
}

test('only requested containers are read, once', () => {
  const { containers, looks } = seen();
  expect(containers.has('container/blog/web')).toBe(true);
  expect(containers.has('container/blog/gone')).toBe(false);
  expect(containers.size).toBe(3);
  expect([...containers.keys()]).toEqual(KEYS);
  expect(looks).toEqual([]);
  expect(containers.get('container/blog/web')).toBe(containers.get('container/blog/web'));
  expect(containers.get('container/blog/gone')).toBeUndefined();
  expect(looks).toEqual(['1']);
});

test('the whole is equal to a complete map', () => {
  const { containers, looks } = seen();
  expect(containers.all()).toEqual(new Map(seen().containers));
  expect([...new Map(containers)]).toEqual(KEYS.map((key, index) => [key, { id: `${index}` }]));
  expect([...containers.values()]).toHaveLength(3);
  const visited: ResourceKey[] = [];
  containers.forEach((_, key) => {
    visited.push(key);
  });
  expect(visited).toEqual(KEYS);
  // Once for the map of all, once for all that followed.
  expect(looks).toEqual(['0', '1', '2', '0', '1', '2']);
});
