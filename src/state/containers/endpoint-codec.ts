/** Endpoints of a container in our part of config.json; Docker's own has the form of one network. Pure. */
import type { ResourceKey } from '../../model/resource.ts';
import { GoDecodeError } from '../files/go-json.ts';
import type { ContainerExtension } from './container-files.ts';
import type { ContainerRecord, RecordedEndpoint } from './container-record.ts';

type Written = NonNullable<ContainerExtension['Endpoints']>[number];

function encode(endpoint: RecordedEndpoint): Written {
  return {
    Network: endpoint.network,
    Bridge: endpoint.bridge,
    Interface: endpoint.interfaceName,
    IPv4: endpoint.ipv4 ?? '',
    IPv6: endpoint.ipv6 ?? '',
    MAC: endpoint.mac ?? '',
    Gateway4: endpoint.gateway4 ?? '',
    Gateway6: endpoint.gateway6 ?? '',
    DefaultRoute4: endpoint.defaultRoute.ipv4,
    DefaultRoute6: endpoint.defaultRoute.ipv6,
    Aliases: endpoint.aliases,
    Former4: endpoint.former?.ipv4 ?? '',
    Former6: endpoint.former?.ipv6 ?? '',
  };
}

function formerOf({ Former4: ipv4, Former6: ipv6 }: Written): Pick<RecordedEndpoint, 'former'> {
  return ipv4 || ipv6 ? { former: { ipv4: ipv4 || null, ipv6: ipv6 || null } } : {};
}

function decode(written: Written): RecordedEndpoint {
  if (!/^network\/[^/]*\/[^/]+$/.test(written.Network)) {
    throw new GoDecodeError('Tsdocker.Endpoints.Network', 'the key of a network');
  }
  return {
    network: written.Network as ResourceKey,
    bridge: written.Bridge,
    interfaceName: written.Interface,
    ipv4: written.IPv4 || null,
    ipv6: written.IPv6 || null,
    mac: written.MAC || null,
    gateway4: written.Gateway4 || null,
    gateway6: written.Gateway6 || null,
    defaultRoute: { ipv4: written.DefaultRoute4, ipv6: written.DefaultRoute6 },
    aliases: written.Aliases ?? [],
    ...formerOf(written),
  };
}

export function encodeEndpoints({
  endpoints = [],
  interfaceNames = {},
}: Pick<ContainerRecord, 'endpoints' | 'interfaceNames'>): Pick<ContainerExtension, 'Endpoints' | 'InterfaceNames'> {
  return { Endpoints: endpoints.map(encode), InterfaceNames: interfaceNames };
}

export function decodeEndpoints(
  extension: Pick<ContainerExtension, 'Endpoints' | 'InterfaceNames'> | null,
): Pick<ContainerRecord, 'endpoints' | 'interfaceNames'> {
  const { Endpoints: endpoints = null, InterfaceNames: names = null } = extension ?? {};
  return { ...(endpoints && { endpoints: endpoints.map(decode) }), ...(names && { interfaceNames: names }) };
}
