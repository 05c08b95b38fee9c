import type { ChangeClass } from '../../model/field.ts';
import { changeClasses } from '../../model/field.ts';
import { writtenRate } from '../../model/kinds/bandwidth-forms.ts';
import { type ContainerSpec, containerFields } from '../../model/kinds/container.ts';
import { networkFields } from '../../model/kinds/network.ts';
import { membershipsOf, type NetworkMembership } from '../../model/kinds/network-membership.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import { writtenDuration, writtenSize } from '../../model/text/shown-value.ts';

/** One difference between the spec a resource was made from and the declared one. */
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

/** Members whose name in a manifest differs. */
const OTHER_NAMES: Readonly<Record<string, string>> = { maxBytes: 'maxSize' };

/** Returns the name of a member as in a manifest, without its unit (`memoryBytes`, `stopTimeoutMs`). */
function writtenName(member: string): string {
  return OTHER_NAMES[member] ?? member.replace(/(?:Bytes|Ms|Bits)$/, '');
}

/** Returns a value as manifests write it, with the unit that its member's name carries. */
function measured(member: string, value: unknown): unknown {
  if (typeof value !== 'number' || writtenName(member) === member) return value;
  if (member.endsWith('Bits')) return writtenRate(value);
  return member.endsWith('Ms') ? writtenDuration(value) : writtenSize(value);
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

const isNothing = (value: unknown): boolean =>
  Array.isArray(value) ? value.length === 0 : isRecord(value) && Object.keys(value).length === 0;

/** Reports deep equality of plain data, without regard to the order of keys. */
export function sameData(a: unknown, b: unknown): boolean {
  // An absent member equals null, and a mapping or a list of nothing: older stored specs lack newer members.
  if (Object.is(a ?? null, b ?? null)) return true;
  if ((a === undefined && isNothing(b)) || (b === undefined && isNothing(a))) return true;
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

/** Returns the mounts without their settings for changed content and missing sources, which do not affect a mount. */
function mountsOnly(volumes: unknown): unknown {
  if (!Array.isArray(volumes)) return volumes;
  return volumes.map((mount) => (isRecord(mount) ? { ...withoutNotes(mount), onChange: null, watch: null } : mount));
}

/** Returns the mounts without settings that matter only at the next start: missing sources, and copies. */
function asMounted(volumes: unknown): unknown {
  if (!Array.isArray(volumes)) return volumes;
  return volumes.map((mount) => (isRecord(mount) ? withoutNotes(mount) : mount));
}

const withoutNotes = (mount: Readonly<Record<string, unknown>>) => ({ ...mount, create: null, secret: null });

/** Returns the changes of a field: per member when both sides are mappings, else of the field as a whole. */
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

/** What says on which networks a container is; together they have one meaning. */
const NETWORK_FIELDS: ReadonlySet<string> = new Set(['network', 'networks', 'address']);

/**
 * Returns how the networks of a container differ: of the form that is in use, and in place where its namespace stays. A
 * namespace that it shares it entered at its start.
 */
function networkChanges(from: Members, to: Members): FieldChange[] {
  const [before, after] = [membershipsOf(from), membershipsOf(to)];
  const stays = [from, to].every(({ network }) => ownsNamespace(networkMode(network ?? 'bridge')));
  if (stays && sameData(before, after)) return [];
  const change: ChangeClass = stays ? 'in-place' : 'recreate';
  const single = (from.networks ?? to.networks ?? null) === null;
  const field = (name: 'network' | 'address') => fieldChanges(name, from[name], to[name], change);
  if (single) return [...field('network'), ...field('address')];
  return [{ path: 'networks', from: namesOf(from), to: namesOf(to), change }];
}

type Members = Partial<Pick<ContainerSpec, 'network' | 'networks' | 'address'>>;

/** As a person writes it; a list where it says all. */
function namesOf(spec: Members): unknown {
  const memberships = membershipsOf(spec);
  if (memberships.length === 0) return spec.network;
  const settings = memberships.map(({ network, ...rest }) => [network, settingsOf(rest)] as const);
  if (settings.every(([, own]) => Object.keys(own).length === 0)) return memberships.map(({ network }) => network);
  return Object.fromEntries(settings);
}

/** Those that say something. */
function settingsOf(membership: Omit<NetworkMembership, 'network'>): Record<string, unknown> {
  const said = (value: unknown) => (Array.isArray(value) ? value.length > 0 : value !== null && value !== 0);
  return Object.fromEntries(Object.entries(membership).filter(([, value]) => said(value)));
}

/** Returns the field differences of two normalised specs, in the order of the first one's fields. */
export function diffSpecs(kind: 'container' | 'network', from: unknown, to: unknown): FieldChange[] {
  const classes = CLASSES[kind];
  return membersOf(from, to).flatMap((member) => {
    if (kind === 'container' && NETWORK_FIELDS.has(member)) {
      return member === 'network' ? networkChanges(from as Members, to as Members) : [];
    }
    const name = writtenName(member);
    const [before, after] = [isRecord(from) ? from[member] : undefined, isRecord(to) ? to[member] : undefined];
    if (member === 'volumes' && sameData(asMounted(before), asMounted(after))) return [];
    const harmless = member === 'volumes' && sameData(mountsOnly(before), mountsOnly(after));
    const change = harmless ? 'in-place' : (classes[member] ?? classes[name] ?? 'recreate');
    return fieldChanges(name, measured(member, before), measured(member, after), change);
  });
}

/** Returns the paths on both sides whose content differs. A path on one side only is a change of its field. */
export function changedContent(from: Readonly<Record<string, string>>, to: Readonly<Record<string, string>>): string[] {
  return Object.keys(to).filter((path) => from[path] !== undefined && from[path] !== to[path]);
}
