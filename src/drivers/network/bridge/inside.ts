/**
 * What an endpoint has in its sandbox: addresses, routes, a rule. Pure.
 *
 * In a network without inter-container communication ports are isolated, so that other containers cannot be reached on the
 * link: there the only neighbour is the gateway, and what is allowed goes through it and through the rules.
 */

import { DEFAULT_ROUTE, type NewRoute } from '../../../ffi/network/routes.ts';
import type { SourceRule } from '../../../ffi/network/source-rules.ts';
import { addressIn, bareAddress, type Family, linkLocalOf, macOfAddress, networkOf } from '../../../model/addresses.ts';
import { type Fact, linkFact, routeFact, ruleFact, shapeFact } from '../sandbox-routes.ts';
import type { BridgeEndpoint } from './endpoints/bridge-endpoint.ts';
import { shapeOf } from './endpoints/shapes.ts';
import type { BridgeNetwork, BridgeRange } from './network-options.ts';

const FIRST_TABLE = 0x74_00_00_00;

/** The routing table of what comes from the addresses of an interface. */
export const tableOf = (link: number): number => FIRST_TABLE + link;

type Route = Omit<NewRoute, 'link' | 'table'>;

/** One family of an endpoint. */
interface Way {
  readonly family: Family;
  readonly address: string;
  readonly range: BridgeRange;
}

function waysOf(config: BridgeEndpoint, network: BridgeNetwork): Way[] {
  return (['ipv4', 'ipv6'] as const).flatMap((family) => {
    const [address, range] = [config[family], network[family]];
    return address === null || range === null ? [] : [{ family, address, range }];
  });
}

/** True where packets that no other route takes go this way. */
const leadsOut = ({ family }: Way, { defaultRoute }: BridgeEndpoint, { internal }: BridgeNetwork): boolean =>
  !internal && defaultRoute[family];

const everywhere = ({ family, range }: Way): Route => ({ destination: DEFAULT_ROUTE[family], gateway: range.gateway });

function toGateway({ family, range }: Way): Route {
  return { destination: `${range.gateway}/${family === 'ipv4' ? 32 : 128}`, gateway: null };
}

/** Routes beside those that come with addresses. */
function routesOf(config: BridgeEndpoint, network: BridgeNetwork): Route[] {
  return waysOf(config, network).flatMap((way) => {
    const neighbours = network.icc ? [] : [toGateway(way)];
    if (leadsOut(way, config, network)) return [...neighbours, everywhere(way)];
    return network.icc
      ? neighbours
      : [...neighbours, { destination: networkOf(way.range.subnet), gateway: way.range.gateway }];
  });
}

export interface InsideAddress {
  readonly address: string;
  readonly prefixRoute: boolean;
}

/**
 * Addresses with prefix length. That of the link itself (fe80::/10) is needed to ask for neighbours when no packet of ours
 * waits for the answer.
 */
export function addressesOf(config: BridgeEndpoint, network: BridgeNetwork): InsideAddress[] {
  const ways = waysOf(config, network);
  const own = ways.map(({ address }) => ({ address, prefixRoute: network.icc }));
  const hasIpv6 = ways.some(({ family }) => family === 'ipv6');
  return hasIpv6 ? [...own, { address: linkLocalOf(config.mac), prefixRoute: true }] : own;
}

export interface InsideRoutes {
  readonly routes: readonly NewRoute[];
  readonly rules: readonly SourceRule[];
}

/**
 * What comes from an address of ours goes back by its own network where another one has the default route: it would arrive
 * there with a foreign source, which that network's rules and the host's rp_filter refuse.
 */
export function insideRoutes(config: BridgeEndpoint, network: BridgeNetwork, link: number): InsideRoutes {
  const table = tableOf(link);
  const aside = waysOf(config, network).filter((way) => !network.internal && !leadsOut(way, config, network));
  const ofTable = aside.flatMap((way) => [
    network.icc ? { destination: networkOf(way.range.subnet), gateway: null } : toGateway(way),
    everywhere(way),
  ]);
  return {
    routes: [
      ...routesOf(config, network).map((route) => ({ ...route, link })),
      ...ofTable.map((route) => ({ ...route, link, table })),
    ],
    rules: aside.map(({ address }) => ({ source: bareAddress(address), table })),
  };
}

/** What is seen of an endpoint in its sandbox when nothing is missing. */
export interface WantedInside {
  /** Its index there. */
  readonly link: number;
  readonly addresses: readonly string[];
  readonly facts: readonly Fact[];
}

export function wantedInside(config: BridgeEndpoint, network: BridgeNetwork, link: number): WantedInside {
  const { routes, rules } = insideRoutes(config, network, link);
  const egress = config.bandwidth?.egressBits ?? null;
  return {
    link,
    addresses: addressesOf(config, network).map(({ address }) => address),
    facts: [
      linkFact({ index: link, name: config.interfaceName, mac: config.mac }),
      ...[...subnetRoutes(config, network, link), ...routes].map(routeFact),
      ...rules.map(ruleFact),
      ...(egress === null ? [] : [shapeFact(link, shapeOf(egress, network.mtu))]),
    ],
  };
}

/** Routes that come with addresses. */
export function subnetRoutes(config: BridgeEndpoint, network: BridgeNetwork, link: number): NewRoute[] {
  return addressesOf(config, network)
    .filter(({ prefixRoute }) => prefixRoute)
    .map(({ address }) => ({ destination: networkOf(address), gateway: null, link, source: bareAddress(address) }));
}

/** Default routes by an interface that it is not to have. */
export function foreignDefaults(present: ReadonlySet<Fact>, { link, facts }: WantedInside): Fact[] {
  return [...present].filter(
    (fact) => /^route (0\.0\.0\.0|::)\/0 /.test(fact) && fact.endsWith(` ${link}`) && !facts.includes(fact),
  );
}

/** The MAC of a bridge: without one of its own it would follow its ports, and with it who knows it as the gateway. */
export function bridgeMac({ ipv4, ipv6 }: Pick<BridgeNetwork, 'ipv4' | 'ipv6'>): string {
  return macOfAddress((ipv4 ?? ipv6)?.gateway ?? '');
}

/** The addresses of a bridge: the gateway's, and with IPv6 that of the link; none of a family that is isolated. */
export function bridgeAddresses(
  network: Pick<BridgeNetwork, 'ipv4' | 'ipv6' | 'gatewayMode4' | 'gatewayMode6'>,
): string[] {
  const { ipv4, ipv6, gatewayMode4, gatewayMode6 } = network;
  const own = ({ gateway, subnet }: BridgeRange): string => addressIn(gateway, subnet);
  return [
    ...(ipv4 === null || gatewayMode4 === 'isolated' ? [] : [own(ipv4)]),
    ...(ipv6 === null || gatewayMode6 === 'isolated' ? [] : [own(ipv6), linkLocalOf(bridgeMac(network))]),
  ];
}
