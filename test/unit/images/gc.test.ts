import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  bytesToFree,
  chooseEvictions,
  type EvictionInput,
  findGarbage,
  type GcInput,
  limitedTo,
} from '../../../src/images/gc.ts';

const layer = (id: string, parent: string | null) => ({ id, parent, type: 'layer' as const });
const input = (changes: Partial<GcInput> = {}): GcInput => ({
  images: [
    { id: 'named', layers: ['base', 'app'], names: ['app:1'] },
    { id: 'old', layers: ['base', 'previous'], names: [] },
  ],
  layers: [layer('base', null), layer('app', 'base'), layer('previous', 'base'), layer('stray', null)],
  neededImages: new Set(),
  neededLayers: new Set(),
  includeNamed: false,
  ...changes,
});

describe('garbage', () => {
  it('is an image without a tag or a user', () => {
    expect(findGarbage(input())).toEqual({ images: ['old'], layers: ['previous', 'stray'] });
  });

  it('is not an image that a container, a manifest or a kept generation needs', () => {
    expect(findGarbage(input({ neededImages: new Set(['old']) }))).toEqual({ images: [], layers: ['stray'] });
  });

  it('can be a tagged image, but never a needed one', () => {
    expect(findGarbage(input({ includeNamed: true }))).toEqual({
      images: ['named', 'old'],
      layers: ['app', 'previous', 'base', 'stray'],
    });
    expect(findGarbage(input({ includeNamed: true, neededImages: new Set(['named']) })).layers).not.toContain('base');
  });

  it('is never a layer of a snapshot or of another image', () => {
    const layers = [...input().layers, { id: 'container', parent: 'previous', type: 'snapshot' as const }];
    expect(findGarbage(input({ layers, includeNamed: true })).layers).toEqual(['app', 'stray']);
    expect(findGarbage(input({ neededLayers: new Set(['stray']) })).layers).toEqual(['previous']);
  });

  it('is limited to an approved list', () => {
    const all = input({ includeNamed: true });
    const approved = (images: Record<string, string[]>, layers: string[]) =>
      findGarbage(
        limitedTo(all, {
          images: Object.entries(images).map(([id, tags]) => ({ id, tags })),
          layers: layers.map((id) => ({ id })),
        }),
      );
    const everything = { named: ['app:1'], old: [] };
    expect(approved(everything, ['app', 'previous', 'base', 'stray'])).toEqual(findGarbage(all));
    expect(approved(everything, ['app', 'previous'])).toEqual({
      images: ['named', 'old'],
      layers: ['app', 'previous'],
    });
    expect(approved(everything, ['base'])).toEqual({ images: ['named', 'old'], layers: [] });
    expect(approved({ old: [] }, ['app', 'previous', 'base', 'stray'])).toEqual({
      images: ['old'],
      layers: ['previous', 'stray'],
    });
    expect(approved({ named: [], old: [] }, ['app', 'previous', 'base'])).toEqual({
      images: ['old'],
      layers: ['previous'],
    });
  });

  it('can be removed in order without breaking remaining images', () => {
    const parents = fc.array(fc.option(fc.nat(), { nil: null }), { minLength: 1, maxLength: 12 });
    fc.assert(
      fc.property(
        parents,
        fc.array(fc.tuple(fc.nat(), fc.boolean(), fc.boolean())),
        fc.boolean(),
        (choices, uses, all) => {
          const layers = choices.map((choice, index) =>
            layer(`l${index}`, choice === null || index === 0 ? null : `l${choice % index}`),
          );
          const images = uses.map(([top, named], index) => ({
            id: `i${index}`,
            layers: [`l${top % layers.length}`],
            names: named ? [`n${index}`] : [],
          }));
          const neededImages = new Set(uses.flatMap(([, , needed], index) => (needed ? [`i${index}`] : [])));
          const found = findGarbage({ images, layers, neededImages, neededLayers: new Set(), includeNamed: all });
          const left = new Set(layers.map(({ id }) => id));
          for (const id of found.layers) {
            expect(layers.some(({ id: child, parent }) => parent === id && left.has(child))).toBe(false);
            left.delete(id);
          }
          for (const image of images.filter(({ id }) => !found.images.includes(id)))
            expect(left).toContain(image.layers[0]);
          expect(found.images.some((id) => neededImages.has(id))).toBe(false);
          for (const { id, parent } of layers) if (left.has(id) && parent !== null) expect(left).toContain(parent);
        },
      ),
    );
  });
});

describe('the marks', () => {
  const marks = { high: 80, low: 50, budget: null, minAgeMs: 0 };

  it.each([
    [{ bytes: 1000, free: 201, layers: 900 }, marks, 0],
    [{ bytes: 1000, free: 200, layers: 900 }, marks, 300],
    [{ bytes: 1000, free: 900, layers: 90 }, { ...marks, budget: 60 }, 30],
    [{ bytes: 1000, free: 100, layers: 90 }, { ...marks, budget: 60 }, 400],
    [{ bytes: 1000, free: 900, layers: 50 }, { ...marks, budget: 60 }, 0],
  ])('of %o with %o request %i bytes', (disk, given, bytes) => {
    expect(bytesToFree(disk, given)).toBe(bytes);
  });
});

describe('eviction', () => {
  const three = {
    ...input(),
    images: [
      { id: 'young', layers: ['base', 'app'], names: ['app:2'] },
      { id: 'aged', layers: ['base', 'previous'], names: ['app:1'] },
      { id: 'bare', layers: ['other'], names: [] },
    ],
    layers: [layer('base', null), layer('app', 'base'), layer('previous', 'base'), layer('other', null)],
    layerBytes: new Map([
      ['base', 100],
      ['app', 10],
      ['previous', 10],
      ['other', 10],
    ]),
    lastUsed: new Map([
      ['young', 900],
      ['aged', 100],
      ['bare', 800],
    ]),
    now: { wallMs: 1000, bootMs: 0 },
  };
  const evicted = (toFree: number, changes: Partial<EvictionInput> = {}, minAgeMs = 0) =>
    chooseEvictions({ ...three, toFree, ...changes }, { minAgeMs });

  it('removes untagged images first, then the least recently needed, and no more than required', () => {
    expect(evicted(5)).toEqual({ images: ['bare'], layers: ['other'], bytes: 10 });
    expect(evicted(15)).toEqual({
      images: ['aged', 'bare'],
      layers: ['other', 'previous'].sort().reverse(),
      bytes: 20,
    });
    expect(evicted(21).images).toEqual(['young', 'aged', 'bare']);
  });

  it('never removes images that are needed, new or not yet examined', () => {
    expect(evicted(999, { neededImages: new Set(['aged']) }).images).toEqual(['young', 'bare']);
    expect(evicted(999, {}, 150).images).toEqual(['aged', 'bare']);
    expect(evicted(999, { lastUsed: new Map([['aged', 100]]) }, 1).images).toEqual(['aged']);
    expect(evicted(999, { neededImages: new Set(['young', 'aged', 'bare']) })).toEqual({
      images: [],
      layers: [],
      bytes: 0,
    });
  });
});
