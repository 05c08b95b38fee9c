import type { ChangeClass } from '../../model/field.ts';
import { changeClasses } from '../../model/field.ts';
import { containerFields } from '../../model/kinds/container.ts';
import { networkFields } from '../../model/kinds/network.ts';
import { writtenDuration, writtenSize } from '../../model/shown-value.ts';

/** One difference between what a resource was made from and what is declared. */
export interface FieldChange {
  /** As written in a manifest: `resources.memory`, `ports`. */
  readonly path: string;
  readonly from: unknown;
  readonly to: unknown;
  readonly change: ChangeClass;
}

type Classes = Readonly<Record<string, ChangeClass>>;

const CLASSES: Readonly<Record<'container' | 'network', Classes>> = {
  container: changeClasses(containerFields),
  network: changeClasses(networkFields),
};

/** Where a manifest has another word. */
const OTHER_NAMES: Readonly<Record<string, string>> = { maxBytes: 'maxSize' };

/** Normalised members carry their unit (`memoryBytes`, `stopTimeoutMs`); manifests write them without. */
function writtenName(member: string): string {
  return OTHER_NAMES[member] ?? member.replace(/(?:Bytes|Ms)$/, '');
}

/** A value in the unit that the name of its member says, as manifests write it. */
function measured(member: string, value: unknown): unknown {
  if (typeof value !== 'number' || writtenName(member) === member) return value;
  return member.endsWith('Ms') ? writtenDuration(value) : writtenSize(value);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Deep equality of plain data; the order of keys does not matter. */
export function sameData(a: unknown, b: unknown): boolean {
  // A member that was not there when the spec was stored says the same as one that says nothing.
  if (Object.is(a ?? null, b ?? null)) return true;
  if (Array.isArray(a) && Array.isArray(b)) {
    return a.length === b.length && a.every((item, index) => sameData(item, b[index]));
  }
  if (!isRecord(a) || !isRecord(b)) return false;
  const keys = Object.keys(a);
  return (
    keys.length === Object.keys(b).length && keys.every((key) => Object.hasOwn(b, key) && sameData(a[key], b[key]))
  );
}

function membersOf(from: unknown, to: unknown): string[] {
  return [...new Set([from, to].flatMap((value) => (isRecord(value) ? Object.keys(value) : [])))];
}

/** Mounts without what they say about changed content and a missing source, which concerns nothing that is mounted. */
function mountsOnly(volumes: unknown): unknown {
  if (!Array.isArray(volumes)) return volumes;
  return volumes.map((mount) => (isRecord(mount) ? { ...withoutNotes(mount), onChange: null, watch: null } : mount));
}

/** Mounts without what is asked at the next start: a missing source, and whether there may be a copy. */
function asMounted(volumes: unknown): unknown {
  if (!Array.isArray(volumes)) return volumes;
  return volumes.map((mount) => (isRecord(mount) ? withoutNotes(mount) : mount));
}

const withoutNotes = (mount: Readonly<Record<string, unknown>>) => ({ ...mount, create: null, secret: null });

/** Members of a field that is a mapping on both sides are named one by one; any other field as a whole. */
function fieldChanges(name: string, from: unknown, to: unknown, change: ChangeClass): FieldChange[] {
  if (sameData(from, to)) return [];
  if (!isRecord(from) || !isRecord(to)) return [{ path: name, from, to, change }];
  return membersOf(from, to)
    .filter((member) => !sameData(from[member], to[member]))
    .map((member) => ({
      path: `${name}.${writtenName(member)}`,
      from: measured(member, from[member]),
      to: measured(member, to[member]),
      change,
    }));
}

/** Field-by-field difference of two normalised specs, in the order of the first one's fields. */
export function diffSpecs(kind: 'container' | 'network', from: unknown, to: unknown): FieldChange[] {
  const classes = CLASSES[kind];
  return membersOf(from, to).flatMap((member) => {
    const name = writtenName(member);
    const [before, after] = [isRecord(from) ? from[member] : undefined, isRecord(to) ? to[member] : undefined];
    if (member === 'volumes' && sameData(asMounted(before), asMounted(after))) return [];
    const harmless = member === 'volumes' && sameData(mountsOnly(before), mountsOnly(after));
    const change = harmless ? 'in-place' : (classes[member] ?? classes[name] ?? 'recreate');
    return fieldChanges(name, measured(member, before), measured(member, after), change);
  });
}

/** Paths whose content differs. A path that only one side has is a change of the field that names it. */
export function changedContent(from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): string[] {
  return Object.keys(to).filter((path) => from[path] !== undefined && from[path] !== to[path]);
}
