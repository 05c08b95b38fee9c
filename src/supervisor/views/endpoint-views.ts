import type { EndpointView } from '../../api/views/resource-views.ts';
import { parseKey } from '../../model/resource.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { endpointsOf } from '../../state/containers/endpoints.ts';

/** `app/name`; the default bridge has no app. */
function shownNetwork(key: Parameters<typeof parseKey>[0]): string {
  const { app, name } = parseKey(key);
  return app === '' ? name : `${app}/${name}`;
}

/** The networks of a container as a person sees them. */
export function endpointViews(record: ContainerRecord): EndpointView[] {
  return endpointsOf(record).map(({ network, interfaceName, ipv4, ipv6, mac, gateway4, gateway6, ...rest }) => ({
    network: shownNetwork(network),
    interface: interfaceName,
    ipv4,
    ipv6,
    mac,
    gateway4: rest.defaultRoute.ipv4 ? gateway4 : null,
    gateway6: rest.defaultRoute.ipv6 ? gateway6 : null,
    aliases: rest.aliases,
  }));
}
