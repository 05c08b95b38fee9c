/** Links of a container: where they lead, and which ports it may reach there. */
import type { EndpointConfig } from '../../../drivers/contract/network.ts';
import type { Desired } from '../../../model/desired.ts';
import type { ExposedPort } from '../../../model/kinds/short-forms.ts';
import { linkedAddress } from '../../../model/linked-address.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { exposedPorts } from '../../task/docker-config.ts';
import type { Declared } from '../declared.ts';
import { type ImageStores, imageById, imageIdOf } from '../images/image-of.ts';
import { type AddressPorts, addressesOfKey } from './unread-endpoint.ts';

/** What says which ports of other containers one may reach. */
export interface ReachPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly addresses: AddressPorts;
  readonly imageStores: ImageStores;
}

/** Keys of containers on this host whose addresses a hosts file names, with their alias. */
export function linkTargets(desired: Desired<'container'>): readonly { alias: string; key: ResourceKey }[] {
  return desired.references.links.map((key, index) => ({ key, alias: desired.spec.links[index]?.alias ?? '' }));
}

/** The address by which a container reaches another one; null while that has none on a common network. */
export function addressFor(
  addresses: AddressPorts,
  { references }: Pick<Desired<'container'>, 'references'>,
  target: ResourceKey,
): string | null {
  return linkedAddress(addressesOfKey(addresses, target), references.networks);
}

/** Ports that the image of a container exposes. */
function imagePorts({ containers, imageStores }: ReachPorts, linked: Desired<'container'>): readonly ExposedPort[] {
  const container = containers.byKey(linked.key);
  // Its image as declared now may not be on this host yet; it is all that is known where the record cannot be read.
  const imageId = container ? container.imageId : imageIdOf(imageStores, linked);
  return container || imageId !== null ? imageById(imageStores, imageId, linked).ports : [];
}

/** Ports of linked containers on a network whose containers do not talk to each other without a link. */
export function reachOf(
  ports: ReachPorts,
  desired: Desired<'container'>,
  network: ResourceKey,
): EndpointConfig['reach'] {
  return desired.references.links.flatMap((target) => {
    const linked = ports.desired().resources.get(target) as Desired<'container'> | undefined;
    const on = addressesOfKey(ports.addresses, target).find((endpoint) => endpoint.network === network);
    if (!linked || !on) return [];
    const addresses = [on.ipv4, on.ipv6].filter((address) => address !== null);
    return exposedPorts(linked.spec, imagePorts(ports, linked)).flatMap(({ port, protocol }) =>
      addresses.map((address) => ({ address, port, protocol })),
    );
  });
}
