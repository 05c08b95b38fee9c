import type { Desired } from '../model/desired.ts';
import { baseKey } from '../model/update.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import type { ContainerSight } from './observed-container.ts';
import type { Op } from './op.ts';
import { OP_TRAITS } from './op-traits.ts';
import { type StopPorts, stopAgainst } from './ops/containers/stop-override.ts';
import { type Declared, declarationFor } from './ops/declared.ts';
import { meets } from './plan/readiness.ts';
import { startConditions } from './plan/references.ts';
import { endsByStartAlone } from './plan/stopped.ts';

export interface StartGatePorts extends Declared {
  readonly containers: Pick<ContainerStore, 'get' | 'byKey'>;
  readonly stops: StopPorts;
  readonly sight: Pick<ContainerSight, 'look'>;
}

/** A stop that came after the plan: ops that lead to a start are not begun. */
function isStoppedMeanwhile({ desired, containers, stops }: StartGatePorts, op: Op): boolean {
  const key = baseKey(op.key);
  const replaces = op.op === 'container.remove' && op.key === key;
  // What a client changes is taken over at rest too, and starts nothing.
  if (op.op === 'container.update' && endsByStartAlone(desired().resources.get(key))) return false;
  if (!(OP_TRAITS[op.op].skippedOnceStopped || replaces) || !desired().resources.has(key)) return false;
  const record = containers.byKey(key);
  return record !== undefined && stopAgainst(stops, op, record) !== null;
}

/**
 * What a start still waits for, or null. A plan that loads an image cannot know its HEALTHCHECK: it counts those that are
 * started as ready. What a container is started as, and what that waits for, is the plan's own judgement: where the two
 * disagreed the start would be planned again and again.
 */
export function startGate(ports: StartGatePorts): (op: Op) => string | null {
  return (op) => {
    if (isStoppedMeanwhile(ports, op)) return 'it was asked to stop meanwhile';
    if (op.op !== 'container.start' || !ports.containers.get(op.containerId)) return null;
    const { references, spec } = declarationFor(ports, op);
    const missing = startConditions(references, spec).find(({ key, condition }) => {
      const record = ports.containers.byKey(key);
      const target = ports.desired().resources.get(key) as Desired<'container'> | undefined;
      return !record || !target || !meets(ports.sight.look(record), target, condition);
    });
    return missing ? `it waits for ${missing.key}` : null;
  };
}
