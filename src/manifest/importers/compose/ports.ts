/** Published ports of a Compose service. */
import type { ResourceDraft } from '../draft.ts';
import type { Part } from '../part.ts';

interface Port {
  /** Empty for every address, as with Compose. */
  readonly ip: string;
  /** A port, a range, or empty for a free one. */
  readonly host: string;
  readonly target: string;
  /** Empty where it is not written. */
  readonly protocol: string;
}

/** Null for what is no port, which the manifest's own check then says. */
function shortPort(text: string): Port | null {
  const match = /^(?:(\[[^\]]*\]|[^:[\]]*):)?(?:([\d-]*):)?([\d-]+)(?:\/(\w+))?$/.exec(text);
  if (!match) return null;
  const [, first = '', second, target = '', protocol = ''] = match;
  // With one colon the part before it is the host's port.
  return second === undefined
    ? { ip: '', host: first, target, protocol }
    : { ip: first.replace(/^\[\]$/, ''), host: second, target, protocol };
}

function longPort(part: Part): Port {
  const ip = part.textOf('host_ip') ?? '';
  return {
    ip: ip.includes(':') && !ip.startsWith('[') ? `[${ip}]` : ip,
    host: part.textOf('published') ?? '',
    target: part.textOf('target') ?? '',
    protocol: part.textOf('protocol') ?? '',
  };
}

function written({ ip, host, target, protocol }: Port): string {
  const left = ip === '' ? (host === '' ? '' : `${host}:`) : `${ip}:${host}:`;
  return `${left}${target}${protocol === '' ? '' : `/${protocol}`}`;
}

/** A port in one of its forms as a text that is the same for all that mean the same. */
export function portKey(part: Part): string {
  const text = part.content.type === 'text' ? part.content.text : '';
  const port = part.content.type === 'mapping' ? longPort(part) : shortPort(text);
  return port ? written({ ...port, protocol: port.protocol.toLowerCase() || 'tcp' }) : text;
}

/** A range of host ports for one port of the container lets Compose choose; here it is the first one. */
function chosen(port: Port, part: Part, container: ResourceDraft): Port {
  const { host, target } = port;
  if (!host.includes('-') || target.includes('-')) return port;
  container.warn(part.at, `of the host ports ${host} the first is used`);
  return { ...port, host: host.split('-')[0] ?? '' };
}

const LONG = ['target', 'published', 'host_ip', 'protocol'];

function warnOfMembers(part: Part, container: ResourceDraft): void {
  for (const [key, member] of part.entries()) {
    if (LONG.includes(key) || key.startsWith('x-')) continue;
    if (key === 'mode') {
      if (!['host', 'ingress'].includes(member.text())) container.warn(member.keyAt, 'mode is left out');
    } else if (key === 'name' || key === 'app_protocol') {
      container.warn(member.keyAt, `${key}: it is for people and other tools`);
    } else container.warn(member.keyAt, `unknown field ${JSON.stringify(key.slice(0, 80))} is left out`);
  }
}

export function addPort(part: Part, container: ResourceDraft): void {
  const long = part.content.type === 'mapping';
  if (long) warnOfMembers(part, container);
  const text = long ? '' : part.text();
  const port = long ? longPort(part) : shortPort(text);
  container.append('ports', port ? written(chosen(port, part, container)) : text, part.at);
}

/** Gives ports without an address of the host this one. */
export function bindPorts(address: string, container: ResourceDraft): void {
  const ports = container.get('ports');
  if (!Array.isArray(ports)) return;
  for (const [index, text] of (ports as string[]).entries()) {
    const port = shortPort(text);
    if (port?.ip === '') ports[index] = written({ ...port, ip: address });
  }
}
