/** Volume= and Mount= of Quadlet units. */
import type { ResourceDraft } from '../draft.ts';
import { engineSocketWarning, isLabelOption, type Mount, mountText, NO_LABELS } from '../mount.ts';
import type { Entry } from './unit-file.ts';
import type { Units } from './units.ts';

const OPTIONS: Readonly<Record<string, string>> = {
  U: 'changing the owner of a mount is not in this version',
};

/** Options of a mount other than its access mode. */
function warnOfOptions(options: readonly string[], entry: Entry, container: ResourceDraft): void {
  for (const option of options) {
    if (option === '' || option === 'rw' || option === 'ro') continue;
    if (isLabelOption(option)) container.warnOnce(entry.at, NO_LABELS);
    else
      container.warn(
        entry.at,
        `mount option ${option.slice(0, 60)}: ${Object.hasOwn(OPTIONS, option) ? OPTIONS[option] : 'is left out'}`,
      );
  }
}

function addMount(mount: Mount, entry: Entry, container: ResourceDraft): void {
  container.append('volumes', mountText(mount), entry.at);
  const engine = engineSocketWarning(mount.source);
  if (engine !== null) container.warn(entry.at, engine);
}

/** `[source:]/target[:options]`. */
export function addVolume(entry: Entry, container: ResourceDraft, units: Units): void {
  const parts = entry.text().split(':');
  const [source, target = '', options = ''] = parts.length === 1 ? [null, parts[0]] : parts;
  if (parts.length > 3) {
    container.refuse(entry.at, `${JSON.stringify(entry.text())} is not [source:]/target[:options]`);
    return;
  }
  const words = (options ?? '').split(',');
  warnOfOptions(words, entry, container);
  const from = source == null ? null : units.mountSource(source, entry);
  addMount({ source: from, target: target ?? '', readOnly: words.includes('ro') }, entry, container);
}

/** Fields of a comma-separated value; quotes keep a comma (RFC 4180). */
function commaFields(text: string): string[] {
  const fields: string[] = [];
  for (const match of text.matchAll(/(?:"((?:[^"]|"")*)"|([^,]*))(?:,|$)/g)) {
    if (match[0] === '' && fields.length > 0) break;
    fields.push(match[1] ?? match[2] ?? '');
  }
  return fields;
}

const SOURCE = ['source', 'src'];
const TARGET = ['destination', 'dst', 'target'];
const READ_ONLY = ['ro', 'readonly'];

/** `type=bind,source=…,destination=…`. */
export function addMountOption(entry: Entry, container: ResourceDraft, units: Units): void {
  const written = entry.words().join(' ');
  const fields = commaFields(written).map((field) => {
    const equals = field.indexOf('=');
    return equals < 0 ? ([field, 'true'] as const) : ([field.slice(0, equals), field.slice(equals + 1)] as const);
  });
  const find = (names: readonly string[]) => fields.find(([name]) => names.includes(name))?.[1];
  const type = find(['type']) ?? 'volume';
  const source = find(SOURCE);
  const target = find(TARGET) ?? '';
  const readOnly = find(READ_ONLY) === 'true';
  const known = ['type', ...SOURCE, ...TARGET, ...READ_ONLY, ...(type === 'tmpfs' ? ['tmpfs-size'] : [])];
  const others = fields.filter(([name]) => !known.includes(name));
  if (type === 'tmpfs') {
    const size = find(['tmpfs-size']);
    container.append('volumes', { type: 'tmpfs', target, ...(size !== undefined && { size }) }, entry.at);
  } else if (type === 'devpts') container.warn(entry.at, 'every container has its own devpts');
  else if (type === 'volume' || (type === 'bind' && source !== undefined)) {
    const from = source === undefined ? null : units.mountSource(source, entry);
    addMount({ source: from, target, readOnly }, entry, container);
  } else {
    const missing = source === undefined && type !== 'ramfs' ? ' and has no source' : '';
    container.refuse(entry.at, `a mount of type ${type} is not in this version${missing}`);
    return;
  }
  warnOfOptions(
    others.map(([name]) => name),
    entry,
    container,
  );
}
