/** Networks in Docker's form. Pure. */
import type { NetworkConfig, NetworkRange } from '../../drivers/contract/network.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import { own } from '../../model/own.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { endpointOn } from '../../state/containers/endpoints.ts';
import { endpointId, macOf } from '../containers/endpoint-settings.ts';
import type { JsonObject } from '../containers/json-object.ts';
import type { KnownNetwork } from './known-networks.ts';

interface NetworkMember {
  readonly Name: string;
  readonly EndpointID: string;
  readonly MacAddress: string;
  readonly IPv4Address: string;
  readonly IPv6Address: string;
}

type NetworkMembers = Readonly<Record<string, NetworkMember>>;

/** The containers that are connected to a network, by id. */
export function membersOf({ key, id: networkId }: KnownNetwork, running: readonly ContainerRecord[]): NetworkMembers {
  return Object.fromEntries(
    running.flatMap((record) => {
      const endpoint = endpointOn(record, key);
      if (endpoint === undefined) return [];
      const member: NetworkMember = {
        Name: record.engineName,
        EndpointID: endpointId(networkId, record.id),
        MacAddress: macOf(endpoint),
        IPv4Address: endpoint.ipv4 ?? '',
        IPv6Address: endpoint.ipv6 ?? '',
      };
      return [[record.id, member]];
    }),
  );
}

function rangeOf(
  range: NetworkRange | null,
  part: string | null | undefined,
  kept: JsonObject | undefined,
): JsonObject[] {
  if (range === null) return [];
  return [
    {
      Subnet: range.subnet,
      ...(part && { IPRange: part }),
      ...(range.gateway !== null && { Gateway: range.gateway }),
      ...(kept !== undefined && Object.keys(kept).length > 0 && { AuxiliaryAddresses: kept }),
    },
  ];
}

const BRIDGE = 'com.docker.network.bridge';

/** What clients look at to know the default bridge. */
function defaultOptions(
  { interfaceName, mtu, options }: NetworkConfig,
  hostIp: string,
): Readonly<Record<string, string>> {
  return {
    [`${BRIDGE}.default_bridge`]: 'true',
    [`${BRIDGE}.enable_icc`]: String(options.icc !== false),
    [`${BRIDGE}.enable_ip_masquerade`]: String(options.masquerade !== false),
    [`${BRIDGE}.host_binding_ipv4`]: hostIp,
    [`${BRIDGE}.name`]: interfaceName,
    'com.docker.network.driver.mtu': String(mtu),
  };
}

/** Options that say what a declaration says otherwise than by default. */
function declaredOptions({ spec }: KnownNetwork): Readonly<Record<string, string>> {
  if (spec === null) return {};
  return {
    ...(!spec.icc && { [`${BRIDGE}.enable_icc`]: 'false' }),
    ...(!spec.masquerade && { [`${BRIDGE}.enable_ip_masquerade`]: 'false' }),
    ...(spec.bridgeName !== null && { [`${BRIDGE}.name`]: spec.bridgeName }),
    ...(spec.mtu !== null && { 'com.docker.network.driver.mtu': String(spec.mtu) }),
    ...(spec.parent && { parent: spec.parent }),
  };
}

export interface NetworkFacts {
  readonly network: KnownNetwork;
  readonly members: NetworkMembers;
  /** What a client asked for when it made the network. */
  readonly asked: {
    readonly options: JsonObject | null;
    readonly labels: JsonObject | null;
    readonly attachable: boolean;
    readonly ipamOptions: JsonObject | null;
    /** Addresses that are given to no container, by subnet as asked for. */
    readonly auxiliary: Readonly<Record<string, JsonObject>>;
  };
  /** Address of the host at which ports are published by default. */
  readonly hostIp: string;
}

export function networkLabels({
  network,
  asked,
}: Pick<NetworkFacts, 'network' | 'asked'>): Readonly<Record<string, string>> {
  return (asked.labels as Readonly<Record<string, string>> | null) ?? network.spec?.labels ?? {};
}

function optionsOf({ network, asked, hostIp }: NetworkFacts): JsonObject {
  if (asked.options !== null) return asked.options;
  const { key, config } = network;
  return key === DEFAULT_NETWORK && config !== null ? defaultOptions(config, hostIp) : declaredOptions(network);
}

export function networkJson(facts: NetworkFacts): Readonly<Record<string, unknown>> {
  const { network, members } = facts;
  const { config, spec } = network;
  const kept = (range: NetworkRange | null) => (range === null ? undefined : own(facts.asked.auxiliary, range.subnet));
  const ranges =
    config === null
      ? null
      : [
          ...rangeOf(config.ipv4, spec?.ipRange, kept(config.ipv4)),
          ...rangeOf(config.ipv6, spec?.ipRange6, kept(config.ipv6)),
        ];
  return {
    Name: network.name,
    Id: network.id,
    Created: network.created,
    Scope: 'local',
    Driver: network.driver,
    EnableIPv4: config === null || config.ipv4 !== null,
    EnableIPv6: config !== null && config.ipv6 !== null,
    IPAM: { Driver: 'default', Options: facts.asked.ipamOptions, Config: ranges },
    Internal: config?.internal ?? false,
    Attachable: facts.asked.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: members,
    Options: optionsOf(facts),
    Labels: networkLabels(facts),
  };
}
