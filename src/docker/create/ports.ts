/** Exposed and published ports. */

import { isIP, parsePortRange } from '../../model/kinds/port-forms.ts';
import { isProtocol, type Protocol } from '../../model/kinds/short-forms.ts';
import { append } from '../../model/lists.ts';
import { ANY_IPV4 } from '../../model/networks/host-addresses.ts';
import type { ContainerBody } from './container-body.ts';
import { type CreateContext, refuse, type Section } from './context.ts';

interface Port {
  readonly port: number;
  readonly protocol: Protocol;
}

const invalidPort = (text: string): never => refuse(`invalid port specification: ${JSON.stringify(text)}`);

/** Every port of `80`, `53/udp` or `8000-8010/tcp`. */
function portsOf(text: string): readonly Port[] {
  const [bare = ''] = text.split('/');
  const range = parsePortRange(text) ?? invalidPort(bare);
  const { first, last, protocol } = range;
  if (!isProtocol(protocol)) return refuse(`invalid proto: ${protocol}`);
  return Array.from({ length: last - first + 1 }, (_, index) => ({ port: first + index, protocol }));
}

function onePort(text: string): Port {
  const [port, ...more] = portsOf(text);
  return port !== undefined && more.length === 0 ? port : invalidPort(text.split('/')[0] ?? '');
}

type IsTaken = (hostPort: number) => boolean;

/** A port of the host; null lets it be chosen. Of a range, the first that is free. @param isTaken by this container */
function hostPortOf(
  text: string,
  hostIp: string,
  { protocol }: Port,
  context: CreateContext,
  isTaken: IsTaken,
): number | null {
  if (text === '' || /^0+$/.test(text)) return null;
  const range = parsePortRange(text);
  if (range === null || text.includes('/')) return invalidPort(text);
  const { first, last } = range;
  const address = hostIp === '' ? ANY_IPV4 : hostIp;
  if (first === last)
    return isTaken(first) ? refuse(`Bind for ${address}:${first} failed: port is already allocated`) : first;
  for (let port = first; port <= last; port++) {
    if (!isTaken(port) && !context.isPublished({ hostIp: address, port, protocol })) return port;
  }
  return first;
}

function written(hostIp: string, hostPort: number | null, { port, protocol }: Port): string {
  const address = hostIp.includes(':') ? `[${hostIp}]` : hostIp;
  const host = hostPort === null ? '' : String(hostPort);
  const left = address === '' ? (host === '' ? '' : `${host}:`) : `${address}:${host}:`;
  return `${left}${port}/${protocol}`;
}

function published({ HostConfig: { PortBindings } }: ContainerBody, context: CreateContext) {
  const bound = new Set<string>();
  /** The container's port on each port of the host. */
  const held = new Map<string, number>();
  const texts = Object.entries(PortBindings).flatMap(([key, bindings]) => {
    const port = onePort(key);
    return (bindings ?? []).map(({ HostIp, HostPort }) => {
      const hostIp = HostIp.replace(/^\[(.*)\]$/, '$1');
      if (hostIp !== '' && !isIP(hostIp)) refuse(`invalid IP address: ${HostIp}`);
      bound.add(`${port.port}/${port.protocol}`);
      const place = (hostPort: number) => `${hostIp || ANY_IPV4} ${hostPort} ${port.protocol}`;
      const isTaken = (hostPort: number) => (held.get(place(hostPort)) ?? port.port) !== port.port;
      const hostPort = hostPortOf(HostPort, hostIp, port, context, isTaken);
      if (hostPort !== null) held.set(place(hostPort), port.port);
      return written(hostIp, hostPort, port);
    });
  });
  return { texts: [...new Set(texts)], bound };
}

/** @param publishes whether the container is on a network that publishes ports */
export function portsSection(body: ContainerBody, context: CreateContext, publishes: boolean): Section {
  const { HostConfig, ExposedPorts } = body;
  const exposed = ExposedPorts.flatMap(portsOf);
  const { texts, bound } = published(body, context);
  const ports = [...texts];
  if (HostConfig.PublishAllPorts) {
    const all = [...exposed, ...context.image.ExposedPorts.flatMap(portsOf)];
    const open = new Set(all.map(({ port, protocol }) => `${port}/${protocol}`));
    append(
      ports,
      [...open].filter((port) => !bound.has(port)),
    );
  }
  const expose = [...new Set(exposed.map(({ port, protocol }) => `${port}/${protocol}`))];
  return {
    written: { ...(publishes && ports.length > 0 && { ports }), ...(expose.length > 0 && { expose }) },
  };
}
