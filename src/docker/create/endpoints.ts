/** One network of a container: what EndpointsConfig says of it, with the checks that Docker makes before it creates. */

import { canonicalAddress, containsAddress, type Family, familyOf } from '../../model/addresses.ts';
import { append } from '../../model/lists.ts';
import type { EndpointBody } from './container-body.ts';
import { type KnownNetwork, referenceTo, refuse } from './context.ts';

const SYSCTLS = 'com.docker.network.endpoint.sysctls';
const INTERFACE = 'com.docker.network.endpoint.ifname';

/** A network with what the body says of the container in it. */
export interface Endpoint {
  readonly network: KnownNetwork;
  readonly settings: EndpointBody;
}

const isUserDefined = ({ spec }: KnownNetwork): boolean => spec !== null;

function addressProblems(written: string, family: Family, network: KnownNetwork): string[] {
  if (written === '') return [];
  const address = canonicalAddress(written);
  const problems: string[] = [];
  if (address === null || familyOf(address) !== family)
    problems.push(`invalid ${family === 'ipv4' ? 'IPv4' : 'IPv6'} address: ${written}`);
  const subnet = (family === 'ipv4' ? network.spec?.subnet : network.spec?.subnet6) ?? null;
  if (subnet === null)
    problems.push(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  else if (address === null || !containsAddress(subnet, address))
    problems.push(`no configured subnet or ip-range contain the IP address ${written}`);
  return problems;
}

function problemsOf({ network, settings }: Endpoint): string[] {
  const { IPv4Address = '', IPv6Address = '', LinkLocalIPs = [] } = settings.IPAMConfig ?? {};
  const problems: string[] = [];
  if (!isUserDefined(network)) {
    if (IPv4Address !== '' || IPv6Address !== '')
      problems.push('user specified IP address is supported on user defined networks only');
    if (settings.Aliases.length > 0)
      problems.push('network-scoped alias is supported only for containers in user defined networks');
  }
  append(problems, addressProblems(IPv4Address, 'ipv4', network));
  append(problems, addressProblems(IPv6Address, 'ipv6', network));
  for (const address of LinkLocalIPs) {
    if (canonicalAddress(address) === null) problems.push(`invalid link-local IP address: ${address}`);
    else problems.push(`link-local IP addresses are not supported: ${address}`);
  }
  return [...new Set(problems)];
}

/**
 * @param before what the message begins with
 * @throws DockerError 400 with all that is wrong, as Docker joins it
 */
export function checkEndpoint(
  endpoint: Endpoint,
  before = `invalid config for network ${endpoint.network.name}: `,
): void {
  const { settings } = endpoint;
  const problems = problemsOf(endpoint);
  if (problems.length > 0) {
    const listed = problems.length === 1 ? problems : problems.map((problem) => `* ${problem}`);
    refuse(`${before}invalid endpoint settings:\n${listed.join('\n')}`);
  }
  const mac = settings.MacAddress;
  if (mac !== '' && !/^([0-9a-f]{2}[:-]){5}[0-9a-f]{2}$/i.test(mac)) refuse(`${before}invalid MAC address ${mac}`);
}

/** `net.ipv4.conf.IFNAME.log_martians=1,…` */
function sysctlsOf(text: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    text.split(',').map((setting) => {
      const at = setting.indexOf('=');
      return at > 0 ? [setting.slice(0, at), setting.slice(at + 1)] : refuse(`invalid endpoint sysctl: ${setting}`);
    }),
  );
}

/** As `networks` of a manifest writes it. */
export function writtenEndpoint({ settings }: Endpoint): Readonly<Record<string, unknown>> {
  const { IPv4Address = '', IPv6Address = '' } = settings.IPAMConfig ?? {};
  const { Aliases, MacAddress, GwPriority, DriverOpts } = settings;
  const sysctls = DriverOpts[SYSCTLS] ?? '';
  const interfaceName = DriverOpts[INTERFACE] ?? '';
  return {
    ...(Aliases.length > 0 && { aliases: [...new Set(Aliases)] }),
    ...(IPv4Address !== '' && { ipv4: IPv4Address }),
    ...(IPv6Address !== '' && { ipv6: IPv6Address }),
    ...(MacAddress !== '' && { mac: MacAddress }),
    ...(GwPriority !== 0 && { gatewayPriority: GwPriority }),
    ...(interfaceName !== '' && { interfaceName }),
    ...(sysctls !== '' && { sysctls: sysctlsOf(sysctls) }),
  };
}

/** As a specification names it: the default one is `bridge`. */
export function networkReference({ key, spec, name }: KnownNetwork): string {
  return key === null || spec === null ? name : referenceTo(key);
}
