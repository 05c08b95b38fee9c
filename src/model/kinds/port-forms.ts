import { z } from 'zod';
import {
  type ExposedPort,
  type ExtraHost,
  isProtocol,
  type Parsed,
  type PortMapping,
  parsed,
  refused,
} from './short-forms.ts';

/** Dotted IPv4 without leading zeros. */
export const isIPv4 = (text: string): boolean => z.regexes.ipv4.test(text);
export const isIP = (text: string): boolean => isIPv4(text) || z.regexes.ipv6.test(text);

interface PortRange {
  readonly first: number;
  readonly last: number;
}

/** `80` or `8000-8010`, each 1–65535. */
function parseRange(text: string): PortRange | null {
  const match = /^(\d{1,5})(?:-(\d{1,5}))?$/.exec(text);
  if (!match) return null;
  const first = Number(match[1]);
  const last = Number(match[2] ?? match[1]);
  return first >= 1 && last <= 65535 && first <= last ? { first, last } : null;
}

function splitProtocol(text: string): { ports: string; protocol: string } {
  const slash = text.lastIndexOf('/');
  return slash < 0
    ? { ports: text, protocol: 'tcp' }
    : { ports: text.slice(0, slash), protocol: text.slice(slash + 1).toLowerCase() };
}

/** `80`, `53/udp` or `8000-8010/tcp`, the protocol in lower case and not judged; null for what is no such text. */
export function parsePortRange(text: string): (PortRange & { readonly protocol: string }) | null {
  const { ports, protocol } = splitProtocol(text);
  const range = parseRange(ports);
  return range && { ...range, protocol };
}

/** Separates `[::1]:80:80` and `127.0.0.1:80:80` into address and ports. */
function splitAddress(text: string): { hostIp: string | null; ports: string[] } | null {
  const bracketed = /^\[([^\]]*)\]:(.*)$/.exec(text);
  if (bracketed) return { hostIp: bracketed[1] ?? '', ports: (bracketed[2] ?? '').split(':') };
  const parts = text.split(':');
  return parts.length === 3 ? { hostIp: parts[0] ?? '', ports: parts.slice(1) } : { hostIp: null, ports: parts };
}

const PORT_FORM = 'write [address:][host:]container[/tcp|/udp|/sctp], for example 127.0.0.1:8080:80';

/** Publishes one port or a range: `80`, `8080:80`, `127.0.0.1::80`, `[::1]:53:53/udp`, `8000-8002:80-82`. */
export function parsePort(written: string | number): Parsed<PortMapping[]> {
  const text = String(written).trim();
  const { ports, protocol } = splitProtocol(text);
  if (!isProtocol(protocol)) return refused(`"${text}": the protocol is tcp, udp or sctp, not "${protocol}"`);
  const address = splitAddress(ports);
  if (!address || address.ports.length > 2) return refused(`"${text}" is not a port; ${PORT_FORM}`);
  const { hostIp } = address;
  if (hostIp !== null && !isIP(hostIp)) return refused(`"${text}": "${hostIp}" is not an IP address`);
  const container = parseRange(address.ports.at(-1) ?? '');
  if (!container) return refused(`"${text}" is not a port; ${PORT_FORM}`);
  const hostText = address.ports.length === 2 ? (address.ports[0] ?? '') : '';
  const host = hostText === '' ? null : parseRange(hostText);
  if (hostText !== '' && !host) return refused(`"${text}" is not a port; ${PORT_FORM}`);
  if (host && host.last - host.first !== container.last - container.first) {
    return refused(`"${text}": the host and container ranges differ in length`);
  }
  const count = container.last - container.first + 1;
  return parsed(
    Array.from({ length: count }, (_, index) => ({
      hostIp,
      hostPort: host ? host.first + index : null,
      containerPort: container.first + index,
      protocol,
    })),
  );
}

/** `80`, `53/udp` or `8000-8010`. */
export function parseExpose(written: string | number): Parsed<ExposedPort[]> {
  const text = String(written).trim();
  const range = parsePortRange(text);
  const protocol = range?.protocol;
  if (!range || protocol === undefined || !isProtocol(protocol)) {
    return refused(`"${text}" is not a container port; write for example 80 or 53/udp`);
  }
  const count = range.last - range.first + 1;
  return parsed(Array.from({ length: count }, (_, index) => ({ port: range.first + index, protocol })));
}

/** RFC 1123 host name: labels of letters, digits and inner hyphens, 253 bytes in all. */
const HOST_NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*$/i;

export const isHostName = (text: string): boolean => HOST_NAME.test(text);

/** In place of an address: the one that this host has on the network of the container. */
export const HOST_GATEWAY = 'host-gateway';

/** `name:address`, as in `docker run --add-host`. */
export function parseExtraHost(text: string): Parsed<ExtraHost> {
  const colon = text.indexOf(':');
  const name = colon < 0 ? text : text.slice(0, colon);
  const address = colon < 0 ? '' : text.slice(colon + 1).trim();
  if (!isHostName(name)) return refused(`"${text}" is not name:address`);
  if (isIP(address) || address === HOST_GATEWAY) return parsed({ name, address });
  return refused(`"${text}": "${address}" is neither an IP address nor ${HOST_GATEWAY}`);
}
