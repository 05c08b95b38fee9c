import type { Desired } from '../model/desired.ts';
import { baseKey } from '../model/update.ts';
import { observedContainer } from './observe.ts';
import type { Op } from './op.ts';
import { OP_TRAITS } from './op-traits.ts';
import { stopAgainst } from './ops/containers/stop-override.ts';
import { declarationFor } from './ops/declared.ts';
import type { World } from './ops/world.ts';
import { meets } from './plan/readiness.ts';
import { startConditions } from './plan/references.ts';

/** A stop that came after the plan: whatever leads to a start is not begun any more. */
function isStoppedMeanwhile(world: World, op: Op): boolean {
  const key = baseKey(op.key);
  const replaces = op.op === 'container.remove' && op.key === key;
  if (!(OP_TRAITS[op.op].skippedOnceStopped || replaces) || !world.desired().resources.has(key)) return false;
  const record = world.containers.byKey(key);
  return record !== undefined && stopAgainst(world, op, record) !== null;
}

/**
 * What a start still waits for, or null. A plan that loads an image cannot know its HEALTHCHECK: it counts those that are
 * started as ready. What a container is started as, and what that waits for, is the plan's own judgement: where the two
 * disagreed the start would be planned again and again.
 */
export function startGate(world: World): (op: Op) => string | null {
  return (op) => {
    if (isStoppedMeanwhile(world, op)) return 'it was asked to stop meanwhile';
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
