import { expect, test } from 'vitest';
import type { DesiredState } from '../../../src/model/desired.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { lastGenerationWith } from '../../../src/supervisor/sources/last-good.ts';
import { declare } from '../../support/declare.ts';

const WEB: ResourceKey = 'container/blog/web';

const generation = (n: number, web: string, db = '', image = './app.tar'): DesiredState =>
  declare(
    { blog: { images: { app: image }, containers: { web: { env: { MODE: web } }, db: { env: { MODE: db } } } } },
    n,
  );

/** Generations from the first to the present one, with what each changed as it is recorded; and which were made out. */
function past(generations: readonly DesiredState[]) {
  const madeOut: number[] = [];
  const changedIn = (n: number): ResourceKey[] => {
    const [before, after] = [generations[n - 2]?.resources, generations[n - 1]?.resources ?? new Map()];
    return [...after.keys()].filter((key) => before?.get(key)?.specHash !== after.get(key)?.specHash);
  };
  const stateOf = (n: number): DesiredState | null => {
    madeOut.push(n);
    return generations[n - 1] ?? null;
  };
  const find = (from: DesiredState): number | null => {
    const now = generations.at(-1) as DesiredState;
    const specHash = from.resources.get(WEB)?.specHash ?? '';
    return lastGenerationWith(WEB, { specHash, imageId: 'any' }, now, { stateOf, changedIn });
  };
  return { madeOut, find };
}

test('the last good generation is the last with the same declaration, and only possible candidates are compiled', () => {
  const first = generation(1, 'one');
  const others = Array.from({ length: 20 }, (_, index) => generation(index + 2, 'one', String(index)));
  const edited = [generation(22, 'two', '19'), generation(23, 'two', 'x')];
  const { madeOut, find } = past([first, ...others, ...edited]);
  expect(find(first)).toBe(21);
  expect(madeOut).toEqual([21]);
});

test('another image counts as another declaration', () => {
  const generations = [
    generation(1, 'one'),
    generation(2, 'one', 'x'),
    generation(3, 'one', 'x', './new.tar'),
    generation(4, 'one', 'y', './new.tar'),
  ];
  expect(past(generations).find(generations[0] as DesiredState)).toBe(2);
});

test('only the generation before the first is compiled without another declaration', () => {
  const generations = Array.from({ length: 50 }, (_, index) => generation(index + 1, 'one', String(index)));
  const { madeOut, find } = past(generations);
  expect(find(generations[0] as DesiredState)).toBeNull();
  expect(madeOut).toEqual([]);
});
