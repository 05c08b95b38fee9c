import type { Desired } from '../../model/desired.ts';
import { isCutOff } from '../../reconcile/ops/networks/endpoint.ts';
import { isDefaultNetworkOff } from '../../reconcile/ops/networks/network-config.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { CutOff } from '../doctor/doctor.ts';

/** Declared containers that have loopback only because the default network is switched off; null where it is not. */
export function cutOffContainers(world: World): readonly CutOff[] | null {
  if (!isDefaultNetworkOff(world)) return null;
  const declared = [...world.desired().resources.values()].filter(
    (resource): resource is Desired<'container'> => resource.kind === 'container',
  );
  return declared
    .filter(({ spec, references }) => references.network === null && isCutOff(world, spec))
    .map(({ app, name, spec }) => ({ name: `${app}/${name}`, ports: spec.ports.length }));
}
