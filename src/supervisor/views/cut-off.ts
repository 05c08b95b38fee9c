import type { Desired } from '../../model/desired.ts';
import type { Declared } from '../../reconcile/ops/declared.ts';
import { isCutOff } from '../../reconcile/ops/networks/container-networks.ts';
import { type DefaultNetworks, isDefaultNetworkOff } from '../../reconcile/ops/networks/network-config.ts';
import type { CutOff } from '../doctor/doctor.ts';

/** Declared containers that have loopback only because the default network is switched off; null where it is not. */
export function cutOffContainers(networks: DefaultNetworks & Declared): readonly CutOff[] | null {
  if (!isDefaultNetworkOff(networks)) return null;
  const declared = [...networks.desired().resources.values()].filter(
    (resource): resource is Desired<'container'> => resource.kind === 'container',
  );
  return declared
    .filter(({ spec }) => isCutOff(networks, spec))
    .map(({ app, name, spec }) => ({ name: `${app}/${name}`, ports: spec.ports.length }));
}
