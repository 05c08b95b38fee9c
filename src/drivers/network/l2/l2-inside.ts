/** What an endpoint has in its sandbox, and what it lacks. Pure. */
import type { LinkAddress } from '../../../ffi/network/link-addresses.ts';
import type { Link } from '../../../ffi/network/links.ts';
import type { NewRoute, Route } from '../../../ffi/network/routes.ts';
import type { EndpointConfig } from '../../contract/network.ts';
import type { L2Kind } from './l2-kind.ts';
import type { L2Network } from './l2-network.ts';

const FAMILIES = ['ipv4', 'ipv6'] as const;
const EVERYWHERE = { ipv4: '0.0.0.0/0', ipv6: '::/0' } as const;

export interface L2Inside {
  readonly interfaceName: string;
  /** With prefix length. */
  readonly addresses: readonly string[];
  /** Beside those that come with addresses. */
  readonly routes: readonly Omit<NewRoute, 'link'>[];
}

export function insideOf(
  kind: L2Kind,
  { interfaceName, defaultRoute, ...config }: EndpointConfig,
  network: L2Network,
): L2Inside {
  const routing = kind.routes(network.mode);
  const routes = FAMILIES.flatMap((family) => {
    const gateway = network[family]?.gateway ?? null;
    const leadsOut = !network.internal && defaultRoute[family] && config[family] !== null;
    return leadsOut && (gateway !== null || routing)
      ? [{ destination: EVERYWHERE[family], gateway: routing ? null : gateway }]
      : [];
  });
  return { interfaceName, addresses: FAMILIES.flatMap((family) => config[family] ?? []), routes };
}

/** What is in a sandbox. */
export interface SeenInside {
  readonly links: readonly Link[];
  readonly addresses: readonly LinkAddress[];
  readonly routes: readonly Pick<Route, 'destination' | 'gateway' | 'link'>[];
}

/** The interface of an endpoint; null when it is gone. */
export const linkOf = ({ links }: SeenInside, kind: L2Kind, { interfaceName }: L2Inside): Link | null =>
  links.find((link) => link.name === interfaceName && link.kind === kind.name) ?? null;

/** What an endpoint lacks, as short phrases. */
export function insideDrift(seen: SeenInside, kind: L2Kind, wanted: L2Inside): string[] {
  const link = linkOf(seen, kind, wanted);
  if (link === null) return ['interface missing'];
  if (!link.up) return ['interface down'];
  const addresses = seen.addresses.filter((address) => address.link === link.index).map(({ address }) => address);
  const has = ({ destination, gateway }: Omit<NewRoute, 'link'>) =>
    seen.routes.some(
      (route) => route.link === link.index && route.destination === destination && route.gateway === gateway,
    );
  return [
    ...wanted.addresses
      .filter((address) => !addresses.includes(address))
      .map((address) => `address ${address} missing`),
    ...(wanted.routes.every(has) ? [] : ['default route missing']),
  ];
}
