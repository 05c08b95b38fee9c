import type { Desired } from '../model/desired.ts';
import { observedContainer } from './observe.ts';
import type { Op } from './op.ts';
import { declarationFor, type World } from './ops/world.ts';
import { meets } from './plan/readiness.ts';
import { startConditions } from './plan/references.ts';

/**
 * What a start still waits for, or null. A plan that loads an image cannot know its HEALTHCHECK: it counts those that are
 * started as ready. What a container is started as, and what that waits for, is the plan's own judgement: where the two
 * disagreed the start would be planned again and again.
 */
export function startGate(world: World): (op: Op) => string | null {
  return (op) => {
    if (op.op !== 'container.start' || !world.containers.get(op.containerId)) return null;
    const { references, spec } = declarationFor(world, op);
    const missing = startConditions(references, spec).find(({ key, condition }) => {
      const record = world.containers.byKey(key);
      const target = world.desired().resources.get(key) as Desired<'container'> | undefined;
      return !record || !target || !meets(observedContainer(world, record, null), target, condition);
    });
    return missing ? `it waits for ${missing.key}` : null;
  };
}
