import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { findGarbage, type GcInput } from '../../../src/images/gc.ts';

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
  it('is what has no name and nobody needs', () => {
    expect(findGarbage(input())).toEqual({ images: ['old'], layers: ['previous', 'stray'] });
  });

  it('is not what a container, a manifest or a kept generation needs', () => {
    expect(findGarbage(input({ neededImages: new Set(['old']) }))).toEqual({ images: [], layers: ['stray'] });
  });

  it('may be what has a name, and never what is needed', () => {
    expect(findGarbage(input({ includeNamed: true }))).toEqual({
      images: ['named', 'old'],
      layers: ['app', 'previous', 'base', 'stray'],
    });
    expect(findGarbage(input({ includeNamed: true, neededImages: new Set(['named']) })).layers).not.toContain('base');
  });

  it('is never a layer under a snapshot, or one that somebody else needs', () => {
    const layers = [...input().layers, { id: 'container', parent: 'previous', type: 'snapshot' as const }];
    expect(findGarbage(input({ layers, includeNamed: true })).layers).toEqual(['app', 'stray']);
    expect(findGarbage(input({ neededLayers: new Set(['stray']) })).layers).toEqual(['previous']);
  });

  it('can be removed in its order and leaves everything that stays complete', () => {
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
