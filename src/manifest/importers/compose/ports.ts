/** Published ports of a Compose service. */
import type { ResourceDraft } from '../draft.ts';
import type { Part } from '../part.ts';

/** A range of host ports for one port of the container lets Compose choose; here it is the first one. */
function chosen(host: string, target: string, part: Part, container: ResourceDraft): string {
  if (!host.includes('-') || target.includes('-')) return host;
  const first = host.split('-')[0] ?? '';
  container.warn(part.at, `of the host ports ${host} the first is used`);
  return first;
}

function address(ip: string): string {
  return ip.includes(':') && !ip.startsWith('[') ? `[${ip}]:` : `${ip}:`;
}

function shortPort(part: Part, container: ResourceDraft): string {
  const text = part.text();
  const match = /^(?:(\[[^\]]*\]|[^:[\]]*):)?(?:([\d-]*):)?([\d-]+)(\/\w+)?$/.exec(text);
  if (!match) return text;
  const [, ip, host, target = '', protocol = ''] = match;
  // With one colon the part before it is the host's port.
  if (host === undefined) {
    return ip === undefined ? text : `${chosen(ip, target, part, container)}:${target}${protocol}`;
  }
  return `${ip}:${chosen(host, target, part, container)}:${target}${protocol}`;
}

function longPort(part: Part, container: ResourceDraft): string {
  for (const [key, member] of part.entries()) {
    if (key === 'mode' && !['host', 'ingress'].includes(member.text()))
      container.warn(member.keyAt, 'mode is left out');
    if (key === 'name' || key === 'app_protocol') {
      container.warn(member.keyAt, `${key}: it is for people and other tools`);
    }
  }
  const target = part.textOf('target') ?? '';
  const published = part.textOf('published');
  const ip = part.textOf('host_ip');
  const protocol = part.textOf('protocol');
  const host = published === undefined ? '' : chosen(published, target, part, container);
  const left = ip === undefined ? (host === '' ? '' : `${host}:`) : `${address(ip)}${host}:`;
  return `${left}${target}${protocol === undefined ? '' : `/${protocol}`}`;
}

export function addPort(part: Part, container: ResourceDraft): void {
  const port = part.content.type === 'mapping' ? longPort(part, container) : shortPort(part, container);
  container.append('ports', port, part.at);
}
