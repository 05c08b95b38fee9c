/** Contradictions between a container's networks, and with what these networks are. */
import { familyOf, firstHostOf, isHostAddress } from '../../model/addresses.ts';
import { membershipField, membershipsOf, type NetworkMembership } from '../../model/kinds/network-membership.ts';
import { DEFAULT_NETWORK, networkMode } from '../../model/network-mode.ts';
import { ANY_IPV4, ANY_IPV6 } from '../../model/networks/host-addresses.ts';
import { own } from '../../model/own.ts';
import { type Rule, refuse, refuseWith, type Subject } from './rule.ts';
import type { Declared } from './universe.ts';

const writtenFields = ({ at }: Subject): Readonly<Record<string, unknown>> =>
  (at.resource.written as Readonly<Record<string, unknown>> | null) ?? {};

const isWritten = (subject: Subject, field: string): boolean => (writtenFields(subject)[field] ?? null) !== null;

/** Both forms at once say two things. */
const oneForm: Rule = (subject) => {
  if (!isWritten(subject, 'networks')) return [];
  const network = writtenFields(subject).network;
  const { type } = networkMode(String(network ?? 'bridge'));
  const why =
    type === 'network' || type === 'bridge'
      ? `networks cannot be combined with network: ${network}; write \`${network}\` into networks`
      : `networks cannot be combined with network: ${network}, which has no networks of its own`;
  return [
    ...(isWritten(subject, 'network') ? [refuse(subject, 'networks', why)] : []),
    ...(isWritten(subject, 'address')
      ? [refuse(subject, 'address', 'address is of a single network; write ipv4 at one of networks')]
      : []),
  ];
};

/** `back` and `blog/back` in the app blog. */
const oneName: Rule = (subject) =>
  membershipsOf(subject.spec).flatMap(({ network }, index) => {
    const { references, at } = subject;
    const isKnown = references.networks.indexOf(references.networks[index] as never) < index;
    const field = membershipField(at.resource, network);
    return isKnown ? [refuse(subject, field, `${network} is another name of a network that is named already`)] : [];
  });

/** The networks of a container that are declared, with the membership of each, and what its driver has; null for an unknown one. */
export function attachedNetworks({ spec, references, universe, networkDrivers }: Subject) {
  return membershipsOf(spec).flatMap((membership, index) => {
    const key = references.networks[index];
    const declared = key === undefined ? undefined : universe.get<'network'>(key);
    const network = declared?.resource.spec;
    if (!declared || !network) return [];
    const driverName = network.driver ?? networkDrivers.standard;
    return [{ membership, declared, network, driverName, driver: own(networkDrivers.drivers, driverName) ?? null }];
  });
}

/** Why a network cannot give a fixed address; null where it can. */
function addressProblem(address: string, subnet: string | null, gateway: string | null): string | null {
  if (subnet === null)
    return `a fixed address needs a network with a ${familyOf(address) === 'ipv4' ? 'subnet' : 'subnet6'}`;
  if (!isHostAddress(address, subnet)) return `${address} is not a host address of ${subnet}`;
  return address === (gateway ?? firstHostOf(subnet)) ? `${address} is the gateway of the network` : null;
}

const onDefault: Rule = (subject) =>
  membershipsOf(subject.spec).flatMap((membership) => {
    if (networkMode(membership.network).type !== 'bridge') return [];
    return (['ipv4', 'ipv6'] as const)
      .filter((family) => membership[family] !== null)
      .map((family) =>
        refuse(
          subject,
          fieldOf(subject, membership, family),
          'the default bridge has no fixed addresses; use a network',
        ),
      );
  });

const fieldOf = ({ at }: Subject, { network }: NetworkMembership, setting: 'ipv4' | 'ipv6'): string =>
  membershipField(at.resource, network, setting);

const addresses: Rule = (subject) =>
  attachedNetworks(subject).flatMap(({ membership, declared, network }) => {
    const { ipv4, ipv6 } = membership;
    const problems = {
      ipv4: ipv4 === null ? null : addressProblem(ipv4, network.subnet, network.gateway),
      ipv6: ipv6 === null ? null : addressProblem(ipv6, network.subnet6, network.gateway6),
    };
    return (['ipv4', 'ipv6'] as const).flatMap((family) => {
      const problem = problems[family];
      const field = fieldOf(subject, membership, family);
      return problem === null ? [] : [refuseWith(subject, declared as Declared, field, problem)];
    });
  });

/** Where all are internal nothing leads in. */
const internalPorts: Rule = (subject) => {
  const networks = attachedNetworks(subject);
  const isClosed = networks.length > 0 && networks.length === subject.references.networks.length;
  if (subject.spec.ports.length === 0 || !isClosed || networks.some(({ network }) => !network.internal)) return [];
  const message =
    networks.length === 1 ? 'an internal network has no published ports' : 'internal networks have no published ports';
  return [refuseWith(subject, networks[0]?.declared as Declared, 'ports', message)];
};

/** Ports are published where an address of the host leads to the container: not where it has one on the wire of the host. */
const unpublishedPorts: Rule = (subject) => {
  const { spec, references } = subject;
  const outward = attachedNetworks(subject).filter(({ network }) => !network.internal);
  const [first] = outward;
  const others = references.networks.includes(DEFAULT_NETWORK);
  if (spec.ports.length === 0 || !first || others) return [];
  if (outward.some(({ driver }) => driver === null || driver.publishesPorts)) return [];
  const message = `nothing publishes ports: containers on ${first.membership.network} (driver ${first.driverName}) are reached at their own addresses; leave ports out or add a network of driver bridge`;
  return [refuseWith(subject, first.declared, 'ports', message)];
};

const ownMacs: Rule = (subject) =>
  attachedNetworks(subject).flatMap(({ membership: { network, mac }, declared, driver, driverName }) => {
    if (mac === null || driver === null || driver.ownMac) return [];
    const message = `containers on ${network} (driver ${driverName}) have the MAC of its parent; leave mac out`;
    return [refuseWith(subject, declared, membershipField(subject.at.resource, network, 'mac'), message)];
  });

/** Where packets are routed to containers no address of the host has their ports, so that one cannot keep them to itself. */
const routedPorts: Rule = (subject) => {
  const networks = attachedNetworks(subject).filter(({ network }) => !network.internal);
  return subject.spec.ports.flatMap(({ hostIp }) => {
    if (hostIp === null || hostIp === ANY_IPV4 || hostIp === ANY_IPV6) return [];
    const family = familyOf(hostIp);
    const routed = networks.find(({ network }) => network.gatewayMode?.[family] === 'routed');
    if (routed === undefined || networks.some(({ network }) => network.gatewayMode?.[family] !== 'routed')) return [];
    const why = `a port on ${hostIp} is not possible: ${routed.membership.network} routes to its containers, whose ports are open at their own addresses`;
    return [refuseWith(subject, routed.declared, 'ports', why)];
  });
};

export const NETWORK_RULES: readonly Rule[] = [
  oneForm,
  oneName,
  onDefault,
  addresses,
  internalPorts,
  unpublishedPorts,
  ownMacs,
  routedPorts,
];
