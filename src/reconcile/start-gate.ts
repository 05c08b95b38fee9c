import type { Desired } from '../model/desired.ts';
import { baseKey } from '../model/update.ts';
import { observedContainer } from './observe.ts';
import type { Op } from './op.ts';
import type { World } from './ops/world.ts';
import { satisfies } from './plan/readiness.ts';
import { startConditions } from './plan/references.ts';

/**
 * What a start still waits for, or null. A plan that loads an image cannot know its HEALTHCHECK: it counts those that are
 * started as ready.
 */
export function startGate(world: World): (op: Op) => string | null {
  return (op) => {
    const desired = op.op === 'container.start' ? world.desired().resources.get(baseKey(op.key)) : undefined;
    if (desired?.kind !== 'container') return null;
    const { references, spec } = desired as Desired<'container'>;
    const missing = startConditions(references, spec).find(({ key, condition }) => {
      const record = world.containers.byKey(key);
      const target = world.desired().resources.get(key) as Desired<'container'> | undefined;
      return !record || !target || !satisfies(observedContainer(world, record, null), target.spec, condition);
    });
    return missing ? `it waits for ${missing.key}` : null;
  };
}
