/** Things that only one declaration can have: names, host ports, subnets, bridges, addresses. */

import { type Family, parseCidr, rangeOf } from '../../model/addresses.ts';
import { membershipField, membershipsOf } from '../../model/kinds/network-membership.ts';
import type { PortMapping } from '../../model/kinds/short-forms.ts';
import { append } from '../../model/lists.ts';
import { ANY_IPV4, ANY_IPV6, beforePort, shareAddress } from '../../model/networks/host-addresses.ts';
import { formatPosition, type ResourceKey } from '../../model/resource.ts';
import { type Declared, type Finding, finding, positionOf, type Universe } from './universe.ts';

/** Name of a resource outside its app: in linkgraph, `docker ps` and DNS. */
export function engineName({ candidate, resource }: Declared): string {
  const own =
    resource.kind === 'container' && resource.spec
      ? (resource as Declared<'container'>['resource']).spec?.containerName
      : null;
  return own ?? `${candidate.app.app}-${resource.name}`;
}

/** A claim on something, and where it was written. */
interface Claim {
  readonly at: Declared;
  readonly field: string;
  readonly index?: number;
}

const place = ({ at, field, index }: Claim) => positionOf(at, field, index);

/** Reports a clash on both sides. Within one file the later side is enough. */
function clash(what: string, first: Claim, second: Claim): Finding[] {
  const side = (mine: Claim, other: Claim) =>
    finding(
      mine.at,
      'TSD_MANIFEST_CONFLICT',
      `${what} is also claimed by ${other.at.key} at ${formatPosition(place(other))}`,
      place(mine),
      [other.at.candidate],
    );
  if (first.at.candidate === second.at.candidate) return [side(second, first)];
  return [side(first, second), side(second, first)];
}

/** Clashes of claims on the same word. */
class Claims {
  readonly findings: Finding[] = [];
  readonly #first = new Map<string, Claim>();

  add(id: string, what: string, claim: Claim): void {
    const before = this.#first.get(id);
    if (before) append(this.findings, clash(what, before, claim));
    else this.#first.set(id, claim);
  }
}

/** One app in two sources. Nothing else is compared between them. */
function duplicateApps(universe: Universe): Finding[] {
  const found: Finding[] = [];
  for (const app of universe.apps()) {
    const sources = universe.sourcesOf(app);
    for (const mine of sources) {
      const other = sources.find((candidate) => candidate !== mine);
      if (!other) continue;
      const message = `the app ${app} is also declared at ${formatPosition(other.app.position)}`;
      const issue = { code: 'TSD_MANIFEST_CONFLICT' as const, message, position: mine.app.position };
      found.push({
        source: mine.sourceId,
        others: sources.filter((one) => one !== mine).map((one) => one.sourceId),
        issue,
      });
    }
  }
  return found;
}

function names(universe: Universe): Finding[] {
  const claims = new Claims();
  for (const at of universe.all()) {
    const name = engineName(at);
    claims.add(`${at.resource.kind}/${name}`, `the name ${name}`, { at, field: 'containerName' });
  }
  return claims.findings;
}

interface PortClaim extends Claim {
  readonly hostIp: string;
  readonly containerPort: number;
}

/** The same container's same port on all addresses, once by family: Compose files write both. */
function isSaidTwice(a: PortClaim, b: PortClaim): boolean {
  const every = new Set([a.hostIp, b.hostIp]);
  return a.at === b.at && a.containerPort === b.containerPort && every.has(ANY_IPV4) && every.has(ANY_IPV6);
}

function portText({ hostIp, hostPort, protocol }: PortMapping): string {
  return `host port ${hostIp === null ? '' : `${beforePort(hostIp)}:`}${hostPort}/${protocol}`;
}

/** A port on all addresses clashes with the same port on any of them; `0.0.0.0` is on all of IPv6 too. */
function ports(universe: Universe, defaultHostIp: string): Finding[] {
  const found: Finding[] = [];
  const byPort = new Map<string, PortClaim[]>();
  for (const at of universe.ofKind('container')) {
    const spec = at.resource.spec;
    const written = (at.resource.written as { ports?: unknown[] } | null)?.ports;
    const expanded = spec?.ports.length !== written?.length;
    for (const [index, port] of (spec?.ports ?? []).entries()) {
      if (port.hostPort === null) continue;
      const hostIp = port.hostIp ?? defaultHostIp;
      const { containerPort } = port;
      const claim: PortClaim = { at, field: 'ports', hostIp, containerPort, ...(!expanded && { index }) };
      const slot = `${port.protocol} ${port.hostPort}`;
      const claims = byPort.get(slot) ?? [];
      const before = claims.find((other) => shareAddress(other.hostIp, hostIp) && !isSaidTwice(other, claim));
      if (before) append(found, clash(portText(port), before, claim));
      byPort.set(slot, [...claims, claim]);
    }
  }
  return found;
}

interface SubnetClaim extends Claim {
  readonly subnet: string;
  readonly first: bigint;
  readonly last: bigint;
}

const SUBNETS = { ipv4: 'subnet', ipv6: 'subnet6' } as const;

function subnetClaims(universe: Universe, family: Family): SubnetClaim[] {
  const field = SUBNETS[family];
  return [...universe.ofKind('network')].flatMap((at) => {
    const subnet = at.resource.spec?.[field] ?? null;
    const cidr = subnet === null ? null : parseCidr(subnet, family);
    return subnet === null || cidr === null ? [] : [{ at, field, subnet, ...rangeOf(cidr) }];
  });
}

/** @param claims of one family */
function overlaps(claims: readonly SubnetClaim[]): Finding[] {
  const found: Finding[] = [];
  let widest: SubnetClaim | undefined;
  for (const claim of claims.toSorted((a, b) => Number(a.first - b.first || a.last - b.last))) {
    if (widest && claim.first <= widest.last) {
      const both = claim.subnet === widest.subnet ? claim.subnet : `${claim.subnet}, which overlaps ${widest.subnet},`;
      append(found, clash(`the subnet ${both}`, widest, claim));
    }
    if (!widest || claim.last > widest.last) widest = claim;
  }
  return found;
}

function networks(universe: Universe): Finding[] {
  const bridges = new Claims();
  for (const at of universe.ofKind('network')) {
    const name = at.resource.spec?.bridgeName;
    if (name) bridges.add(name, `the bridge ${name}`, { at, field: 'bridgeName' });
  }
  const families: readonly Family[] = ['ipv4', 'ipv6'];
  return [...bridges.findings, ...families.flatMap((family) => overlaps(subnetClaims(universe, family)))];
}

/** Fixed addresses and MACs, by network. */
function addresses(universe: Universe, networksOf: (key: ResourceKey) => readonly ResourceKey[]): Finding[] {
  const claims = new Claims();
  for (const at of universe.ofKind('container')) {
    const { spec } = at.resource;
    const keys = spec ? networksOf(at.key) : [];
    membershipsOf(spec ?? { network: 'none' }).forEach(({ network, ipv4, ipv6, mac }, index) => {
      for (const [setting, value] of Object.entries({ ipv4, ipv6, mac })) {
        if (value === null) continue;
        const field = membershipField(at.resource, network, setting as 'mac');
        claims.add(`${keys[index]} ${value}`, `the address ${value}`, { at, field });
      }
    });
  }
  return claims.findings;
}

/**
 * Returns all clashes, each reported on both sides.
 * @param defaultHostIp where ports without an address are published (the supervisor's --ip).
 * @param networksOf the networks a container is attached to.
 */
export function findCollisions(
  universe: Universe,
  defaultHostIp: string,
  networksOf: (key: ResourceKey) => readonly ResourceKey[],
): Finding[] {
  return [
    ...duplicateApps(universe),
    ...names(universe),
    ...ports(universe, defaultHostIp),
    ...networks(universe),
    ...addresses(universe, networksOf),
  ];
}
