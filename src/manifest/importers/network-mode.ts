/** Ways of being on the network that leave a container nothing of its own to configure. */
import { isBridged, networkMode } from '../../model/network-mode.ts';
import type { ResourceDraft } from './draft.ts';

/** True for a network that is none of the container's own, where links and ports mean nothing. */
export const isMode = (network: unknown): boolean => !isBridged(networkMode(String(network ?? '')));

/** The networks that a container is on, in any form. */
export function networksIn(container: Pick<ResourceDraft, 'get'>): readonly string[] {
  const networks = container.get('networks');
  if (Array.isArray(networks)) return networks as readonly string[];
  if (networks) return Object.keys(networks);
  return [String(container.get('network') ?? 'bridge')];
}

/** Fields that have no place there, and those that have one anyway, by mode. */
const ONLY_OWN_NETWORK = ['ports', 'expose', 'address', 'dns', 'dnsSearch', 'extraHosts', 'hostname', 'domainname'];
const KEPT: Readonly<Record<string, readonly string[]>> = {
  host: ['expose', 'extraHosts'],
  none: ['expose', 'dns', 'dnsSearch', 'extraHosts', 'hostname', 'domainname'],
};

/** Takes away what contradicts the way the container is on the network. */
export function respectMode(container: ResourceDraft): void {
  const network = String(container.get('network'));
  if (!isMode(network)) return;
  for (const field of ONLY_OWN_NETWORK) {
    if (container.get(field) === undefined || KEPT[network]?.includes(field)) continue;
    container.warn(container.placeOf(field), `${field} has no meaning with the network ${network}`);
    container.remove(field);
  }
}
