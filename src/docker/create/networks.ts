/** How a container is on the network: its mode, its networks, links and names. */
import { isIP } from '../../model/kinds/port-forms.ts';
import { isBridged, networkMode, sharedNetwork } from '../../model/network-mode.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import { ANY_ENDPOINT, type ContainerBody, type EndpointBody } from './container-body.ts';
import { type CreateContext, containerOf, type KnownNetwork, referenceTo, refuse, type Section } from './context.ts';
import { checkEndpoint, type Endpoint, networkReference, writtenEndpoint } from './endpoints.ts';
import { type LinkedTo, linksOf } from './links.ts';

export interface NetworksSection extends Section {
  readonly networkContainer: ResourceKey | null;
  readonly links: readonly LinkedTo[];
  /** The container is on a network that leads to ports. */
  readonly publishes: boolean;
}

const MAC_WARNING =
  'The container-wide MacAddress field is now deprecated. It should be specified in EndpointsConfig instead.';

function find(reference: string, context: CreateContext): KnownNetwork {
  const name = reference === '' || reference === 'default' ? 'bridge' : reference;
  // Not 404: to Docker's clients that means that the image is missing.
  return context.network(name) ?? refuse(`network ${name} not found`);
}

/** Options that say something of a network of its own, which a container that shares one does not have. */
function refuseShared(body: ContainerBody): void {
  const { Hostname, HostConfig, ExposedPorts } = body;
  const conflict = (what: string): never => refuse(`conflicting options: ${what}`);
  if (Hostname !== '') conflict('hostname and the network mode');
  if (HostConfig.Links.length > 0)
    conflict("container type network can't be used with links. This would result in undefined behavior");
  if (HostConfig.Dns.length > 0) conflict('dns and the network mode');
  if (HostConfig.ExtraHosts.length > 0) conflict('custom host-to-IP mapping and the network mode');
  if (Object.keys(HostConfig.PortBindings).length > 0 || HostConfig.PublishAllPorts)
    conflict('port publishing and the container type network mode');
  if (ExposedPorts.length > 0) conflict('port exposing and the container type network mode');
}

/** A container that has no network of its own shares that of another one, or of the host: that is who is meant. */
function shared(body: ContainerBody, reference: string, context: CreateContext): NetworksSection {
  if (reference === '') refuse('Invalid network mode: invalid container format container:<name|id>');
  refuseShared(body);
  let target = containerOf(context, reference);
  let mode = networkMode(target.spec.network);
  const passed = new Set<ResourceKey>();
  while (mode.type === 'container' && !passed.has(target.key)) {
    passed.add(target.key);
    const { app } = parseKey(target.key);
    target = containerOf(context, mode.name.includes('/') ? mode.name : `${app}/${mode.name}`);
    mode = networkMode(target.spec.network);
  }
  const ofHost = mode.type === 'host';
  return {
    written: { network: ofHost ? 'host' : sharedNetwork(referenceTo(target.key)) },
    networkContainer: ofHost ? null : target.key,
    links: [],
    publishes: false,
  };
}

/** Every network by its name, that of NetworkMode first. */
function endpointsOf(body: ContainerBody, main: KnownNetwork, context: CreateContext): readonly Endpoint[] {
  const { EndpointsConfig } = body.NetworkingConfig;
  const names = Object.keys(EndpointsConfig);
  if (context.minor < 44 && names.length > 1)
    refuse(`Container cannot be created with multiple network endpoints: ${names.join(', ')}`);
  const byName = new Map<string, Endpoint>([[main.name, { network: main, settings: ANY_ENDPOINT }]]);
  for (const [reference, settings] of Object.entries(EndpointsConfig)) {
    const network = find(reference, context);
    if (settings === null) refuse(`invalid config for network ${reference}: EndpointsConfig is nil`);
    byName.set(network.name, { network, settings });
  }
  return [...byName.values()];
}

/** @param wide of the whole container, which older clients send */
function withMac(settings: EndpointBody, wide: string, minor: number): EndpointBody {
  const own = minor < 44 ? '' : settings.MacAddress;
  if (wide !== '' && own !== '' && wide.toLowerCase() !== own.toLowerCase())
    refuse(
      'the container-wide MAC address must match the endpoint-specific MAC address for the main network, or be left empty',
    );
  return { ...settings, MacAddress: own === '' ? wide : own };
}

/** The first of several has the first interface, and with it the default route. */
function writtenNetworks(endpoints: readonly Endpoint[]): Readonly<Record<string, unknown>> {
  const [first] = endpoints;
  const settings = endpoints.map(
    (endpoint) => [networkReference(endpoint.network), writtenEndpoint(endpoint)] as const,
  );
  if (first === undefined) return {};
  if (settings.length === 1 && Object.keys(settings[0]?.[1] ?? {}).length === 0)
    return { network: networkReference(first.network) };
  return {
    networks: Object.fromEntries(
      settings.map(([network, its], index) => [
        network,
        index === 0 && settings.length > 1 ? { ...its, priority: 1 } : its,
      ]),
    ),
  };
}

function extraHosts(entries: readonly string[]): readonly string[] {
  return entries.map((entry) => {
    const at = entry.indexOf(':');
    const [name, address] = [entry.slice(0, Math.max(at, 0)), entry.slice(at + 1).replace(/^\[(.*)\]$/, '$1')];
    if (at < 1 || address === '') refuse(`bad format for add-host: ${JSON.stringify(entry)}`);
    if (address !== 'host-gateway' && !isIP(address))
      refuse(`invalid IP address in add-host: ${JSON.stringify(address)}`);
    return `${name}:${address}`;
  });
}

/** What a container says of names, whatever its networks. */
function resolution({ HostConfig: { Dns, DnsSearch, DnsOptions, ExtraHosts } }: ContainerBody) {
  const invalid = Dns.find((server) => !isIP(server));
  if (invalid !== undefined) refuse(`invalid nameserver address: ${JSON.stringify(invalid)}`);
  if (DnsOptions.length > 0) refuse('DnsOptions are not supported');
  const hosts = extraHosts(ExtraHosts);
  return {
    ...(Dns.length > 0 && { dns: Dns }),
    ...(DnsSearch.length > 0 && { dnsSearch: DnsSearch }),
    ...(hosts.length > 0 && { extraHosts: hosts }),
  };
}

/** Without a network of its own: `host` and `none`. */
function without(body: ContainerBody, endpoints: readonly Endpoint[], name: string): NetworksSection {
  const [, other] = endpoints;
  if (other !== undefined) refuse(`conflicting options: network ${other.network.name} and the network mode ${name}`);
  const { Links, PortBindings } = body.HostConfig;
  if (name === 'host' && Links.length > 0)
    refuse(
      "conflicting options: host type networking can't be used with links. This would result in undefined behavior",
    );
  const discarded = name === 'host' && Object.keys(PortBindings).length > 0;
  return {
    written: { network: name, ...resolution(body) },
    networkContainer: null,
    links: [],
    publishes: false,
    warnings: discarded ? ['Published ports are discarded when using host network mode'] : [],
  };
}

function ofMode(body: ContainerBody, context: CreateContext): NetworksSection {
  const { NetworkMode, Links } = body.HostConfig;
  const [, reference] = /^container:(.*)$/s.exec(NetworkMode) ?? [];
  if (reference !== undefined) return shared(body, reference, context);
  const main = find(NetworkMode, context);
  const [first, ...others] = endpointsOf(body, main, context) as [Endpoint, ...Endpoint[]];
  for (const endpoint of [first, ...others]) checkEndpoint(endpoint);
  if (main.key === null) return without(body, [first, ...others], main.name);
  const alone = others.find(({ network }) => network.key === null);
  if (alone !== undefined) refuse(`conflicting options: network ${alone.network.name} and other networks`);
  const mac = withMac(first.settings, body.MacAddress, context.minor);
  const endpoints = [{ ...first, settings: mac }, ...others];
  checkEndpoint(endpoints[0] as Endpoint);
  const links = linksOf([...Links, ...endpoints.flatMap(({ settings }) => settings.Links)], endpoints, context);
  return {
    written: {
      ...writtenNetworks(endpoints),
      ...(links.length > 0 && { links: links.map(({ text }) => text) }),
      ...resolution(body),
    },
    networkContainer: null,
    links,
    publishes: isBridged(networkMode(networkReference(main))),
  };
}

export function networksSection(body: ContainerBody, context: CreateContext): NetworksSection {
  const section = ofMode(body, context);
  if (body.MacAddress === '' || context.minor < 44) return section;
  return { ...section, warnings: [...(section.warnings ?? []), MAC_WARNING] };
}
