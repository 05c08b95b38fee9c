/** hosts, hostname and resolv.conf of a container. */
import { readFileSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import type { Desired } from '../../../model/desired.ts';
import type { ContainerTextFile } from '../../../state/containers/container-directory.ts';
import type { ResolverUse } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { endpointsOf, hostAddresses } from '../../../state/containers/endpoints.ts';
import { buildHostname, buildHosts, withExtraHosts } from '../../../state/containers/hosts.ts';
import { buildResolvConf, buildResolverConf } from '../../../state/containers/resolv-conf.ts';
import { shortId } from '../../../state/ids.ts';
import type { NetworkNames } from '../../names/network-names.ts';
import { namesBeside } from '../../names/peer-index.ts';
import { namespaceOwner, usesHostNetwork } from '../../plan/references.ts';
import type { Declared } from '../declared.ts';
import { isCutOff } from '../networks/container-networks.ts';
import { addressFor, linkTargets } from '../networks/links.ts';
import type { DefaultNetworks } from '../networks/network-config.ts';
import type { AddressPorts } from '../networks/unread-endpoint.ts';

/** What decides the name of a container on its network. */
export interface HostnamePorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey'>;
}

/** What the text files of a container are written from. */
export interface TextPorts extends HostnamePorts {
  readonly containers: Pick<ContainerStore, 'byKey' | 'get'>;
  readonly addresses: AddressPorts;
  readonly networks: DefaultNetworks;
  readonly names: Pick<NetworkNames, 'lines'>;
  readonly settings: {
    /** Name servers of containers that declare none. */
    readonly dns: readonly string[];
    readonly dnsSearch: readonly string[];
    /** What `host-gateway` stands for; empty for what the host has on the network of the container. */
    readonly hostGateway: readonly string[];
  };
}

function hostText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Of the container whose network it shares, where it does: their one hosts file has that name. */
export function hostnameOf(ports: HostnamePorts, desired: Desired<'container'>, containerId: string): string {
  if (desired.spec.uts === 'host') return hostName();
  const owner = namespaceOwner(desired, ports.desired().resources) ?? desired;
  if (usesHostNetwork(owner.spec)) return owner.spec.hostname ?? hostName();
  const ownerId = owner === desired ? containerId : ports.containers.byKey(owner.key)?.id;
  return owner.spec.hostname ?? shortId(ownerId ?? containerId);
}

/** Addresses of the linked containers as they are now, by alias. */
export function linkAddresses(
  { addresses }: Pick<TextPorts, 'addresses'>,
  desired: Desired<'container'>,
): Readonly<Record<string, string>> {
  return Object.fromEntries(
    linkTargets(desired).flatMap(({ alias, key }) => {
      const address = addressFor(addresses, desired, key);
      return address === null ? [] : [[alias, address]];
    }),
  );
}

/** Where the own name leads without a network, as in Docker 1.4. */
const OWN_LOOPBACK = '127.0.1.1';

/** A run, as its text files have it. */
export interface TextsOfRun {
  /** Of the container; none without a network, and before it has one. */
  readonly addresses: readonly string[];
  /** It asks the resolver for the names of its network. */
  readonly resolver: boolean;
}

/** Who has the network of the host reaches the host at its loopback. */
const gatewayOfHost = ({ settings }: TextPorts): readonly string[] =>
  settings.hostGateway.length > 0 ? settings.hostGateway : ['127.0.0.1'];

export function hostsText(
  ports: TextPorts,
  desired: Desired<'container'>,
  containerId: string,
  { addresses, resolver }: TextsOfRun,
): string {
  const { key, spec } = desired;
  const extraHosts = spec.extraHosts.map((host) => `${host.name}:${host.address}`);
  if (usesHostNetwork(spec)) return withExtraHosts(hostText('/etc/hosts'), extraHosts, gatewayOfHost(ports));
  const hostname = hostnameOf(ports, desired, containerId);
  const links = Object.entries(linkAddresses(ports, desired)).map(([alias, linked]) => ({ alias, address: linked }));
  const beside = namesBeside({ ...spec, hostname, aliases: links.map(({ alias }) => alias) });
  const record = ports.containers.get(containerId);
  const bridges = record ? endpointsOf(record).map(({ bridge }) => bridge) : [];
  return buildHosts({
    addresses: addresses.length === 0 && isCutOff(ports.networks, spec) ? [OWN_LOOPBACK] : addresses,
    hostname,
    domainname: spec.domainname,
    links,
    extraHosts,
    hostGateway:
      ports.settings.hostGateway.length > 0 ? ports.settings.hostGateway : record ? hostAddresses(record) : [],
    names: resolver ? [] : ports.names.lines(bridges, key, beside),
  });
}

export interface ContainerTexts {
  readonly files: Readonly<Record<ContainerTextFile, string>>;
  /** As the record of the run has it. */
  readonly resolver: ResolverUse | null;
}

export function containerTexts(
  ports: TextPorts,
  desired: Desired<'container'>,
  containerId: string,
  run: TextsOfRun,
): ContainerTexts {
  const { spec } = desired;
  const hostname = buildHostname(hostnameOf(ports, desired, containerId), spec.domainname);
  const hosts = hostsText(ports, desired, containerId, run);
  const hostConf = hostText('/etc/resolv.conf');
  const own = { servers: spec.dns, search: spec.dnsSearch };
  const supervisor = { servers: ports.settings.dns, search: ports.settings.dnsSearch };
  if (run.resolver) {
    const { text, ndots } = buildResolverConf(own, supervisor, hostConf);
    return { files: { hostname, hosts, 'resolv.conf': text }, resolver: { ndots } };
  }
  const isHosts = usesHostNetwork(spec) && own.servers.length === 0 && own.search.length === 0;
  const conf = isHosts ? hostConf : buildResolvConf(own, supervisor, hostConf);
  return { files: { hostname, hosts, 'resolv.conf': conf }, resolver: null };
}
