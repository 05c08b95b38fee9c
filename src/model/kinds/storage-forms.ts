import { IMPERATIVE_APP, IMPERATIVE_NAME, NAME_PATTERN } from '../resource.ts';
import {
  type DeviceSpec,
  type MissingDirectory,
  type Parsed,
  parsed,
  refused,
  type VolumeMount,
  type VolumesFromSpec,
} from './short-forms.ts';

/** A reference to a resource: `name` or `app/name`. */
export function isReference(text: string): boolean {
  const parts = text.split('/');
  if (parts.length === 2 && parts[0] === IMPERATIVE_APP) return IMPERATIVE_NAME.test(parts[1] ?? '');
  return parts.length <= 2 && parts.every((part) => NAME_PATTERN.test(part));
}

/** True for what is written as a path rather than as a name. */
function isPath(text: string): boolean {
  return text.startsWith('/') || text === '.' || text === '..' || text.startsWith('./') || text.startsWith('../');
}

/** An absolute path without `.`, `..`, double or trailing slashes. */
export function normalPath(path: string): string {
  const parts: string[] = [];
  for (const part of path.split('/')) {
    if (part === '..') parts.pop();
    else if (part !== '' && part !== '.') parts.push(part);
  }
  return `/${parts.join('/')}`;
}

/** A mount target as the container sees it: absolute, without `.`, `..` or a trailing slash; the root and /proc are refused. */
export function parseTarget(text: string): Parsed<string> {
  if (text.includes('\0')) return refused('a path cannot contain a NUL byte');
  if (!text.startsWith('/')) return refused(`"${text}": the path in the container must be absolute`);
  const normal = normalPath(text);
  if (normal === '/') return refused(`"${text}": the root of the container cannot be a mount target`);
  if (/^\/proc(\/|$)/.test(normal)) return refused(`"${text}": nothing can be mounted over the container's /proc`);
  return parsed(normal);
}

/** The part before the first colon: a volume's name or a path on the host. */
export function parseMountSource(text: string): Parsed<Pick<VolumeMount, 'type' | 'source'>> {
  if (text.includes('\0')) return refused('a path cannot contain a NUL byte');
  if (isPath(text)) return parsed({ type: 'bind', source: text });
  if (isReference(text)) return parsed({ type: 'volume', source: text });
  return refused(`"${text}" is neither a volume's name nor a path; a relative path starts with ./`);
}

/** `volume:/target[:ro|rw]`, `/host:/target[:ro]`, `./file:/target`, or `/target` for an anonymous volume. */
export function parseMount(text: string): Parsed<VolumeMount> {
  const parts = text.split(':');
  const mode = parts.length > 1 && /^(ro|rw)$/.test(parts.at(-1) ?? '') ? parts.pop() : undefined;
  if (parts.length > 2) return refused(`"${text}" is not a volume; write source:/target[:ro]`);
  const target = parseTarget(parts.at(-1) ?? '');
  if (!target.ok) return target;
  const source =
    parts.length === 2 ? parseMountSource(parts[0] ?? '') : parsed({ type: 'volume' as const, source: null });
  if (!source.ok) return source;
  return parsed({ ...source.value, target: target.value, readOnly: mode === 'ro', sizeBytes: null });
}

/** The largest id that the kernel takes; the one above means "leave it" in chown(2). */
const MAX_ID = 0xffff_fffe;

/** `1000:1000`, or `1000` for both: numbers, because names would be those of the host and not of the image. */
export function parseOwner(text: string): Parsed<Pick<MissingDirectory, 'uid' | 'gid'>> {
  const match = /^(\d{1,10})(?::(\d{1,10}))?$/.exec(text);
  const uid = Number(match?.[1]);
  const gid = Number(match?.[2] ?? match?.[1]);
  if (match && uid <= MAX_ID && gid <= MAX_ID) return parsed({ uid, gid });
  return refused(`"${text}" is not an owner; write the numbers uid:gid, for example 1000:1000`);
}

/** Octal permission bits: `0750`, `750`, `2775`, `0o750`. */
export function parseDirectoryMode(text: string): Parsed<number> {
  const match = /^(?:0o?)?([0-7]{3,4})$/.exec(text);
  if (match) return parsed(Number.parseInt(match[1] ?? '', 8));
  return refused(`"${text}" is not a mode; write octal permission bits, for example "0750"`);
}

/** `container[:ro|rw]`, where container is `name` or `app/name`. */
export function parseVolumesFrom(text: string): Parsed<VolumesFromSpec> {
  const match = /^(.*?)(?::(ro|rw))?$/.exec(text);
  const container = match?.[1] ?? '';
  if (!isReference(container)) return refused(`"${text}" is not a container's name; write name[:ro]`);
  return parsed({ container, readOnly: match?.[2] === 'ro' });
}

/** `/dev/x`, `/dev/x:/dev/y` or `/dev/x:/dev/y:rwm` (docker run --device). */
export function parseDevice(text: string): Parsed<DeviceSpec> {
  const [host = '', second, third, ...more] = text.split(':');
  const secondIsMode = third === undefined && second !== undefined && /^[rwm]{1,3}$/.test(second);
  const container = second === undefined || secondIsMode ? host : second;
  const permissions = (secondIsMode ? second : third) ?? 'rwm';
  if (more.length > 0 || !host.startsWith('/') || !container.startsWith('/')) {
    return refused(`"${text}" is not a device; write /dev/host[:/dev/container[:rwm]]`);
  }
  if (!/^[rwm]+$/.test(permissions) || new Set(permissions).size !== permissions.length) {
    return refused(`"${text}": the permissions are some of r, w and m`);
  }
  return parsed({ host: normalPath(host), container: normalPath(container), permissions });
}
