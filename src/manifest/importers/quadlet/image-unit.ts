/** .image units, and Podman's words for how an image comes here. */
import type { ResourceDraft } from '../draft.ts';
import type { Said } from '../pull.ts';
import { applyKeys } from './rules.ts';
import { SYSTEMD_ONLY } from './systemd.ts';
import type { Entry, Unit } from './unit-file.ts';
import { imageOf, isDeclared, type Units } from './units.ts';

const POLICIES: ReadonlyMap<string, 'always' | 'missing' | 'never'> = new Map([
  ['always', 'always'],
  ['newer', 'always'],
  ['missing', 'missing'],
  ['never', 'never'],
] as const);

/** Our policy for Podman's, null for the one that we have anyway and after an issue. */
export function pullPolicy(entry: Entry, resource: Pick<ResourceDraft, 'refuse'>): Said<'always' | 'never'> | null {
  const value = POLICIES.get(entry.text());
  if (value === undefined) resource.refuse(entry.at, `${entry.key}=${entry.text()} is not a policy of Podman`);
  return value === undefined || value === 'missing' ? null : { value, at: entry.at };
}

const KEYS: ReadonlySet<string> = new Set(['Image', 'Policy', 'Arch', 'OS', 'Variant']);

function setPlatform(unit: Unit, image: ResourceDraft): void {
  const [os, arch, variant] = ['OS', 'Arch', 'Variant'].map((key) => unit.last('Image', key));
  // Here everything is Linux anyway.
  const first = os?.text() === 'linux' ? variant : (os ?? variant);
  if (arch) {
    const parts = [os?.text() ?? 'linux', arch.text(), ...(variant ? [variant.text()] : [])];
    image.set('platform', parts.join('/'), arch.at);
  } else if (first) image.warn(first.at, `${first.key} without Arch is left out`);
}

/** An image of the unit's name where it says more than a reference; else it is looked up by who uses it. */
export function addImage(unit: Unit, units: Units): void {
  const { draft } = units;
  for (const entry of unit.entries) {
    if (entry.section === 'Image' && !KEYS.has(entry.key)) draft.later(entry.at, `${entry.key} of [Image]`);
  }
  for (const section of ['Unit', 'Service', 'Install']) applyKeys(unit, section, SYSTEMD_ONLY, draft, draft);
  const reference = imageOf(unit);
  if (reference === null) draft.refuse(unit.start, `${unit.name.file} has no Image`);
  const isUsed = units.ofType('container').some((user) => user.last('Container', 'Image')?.text() === unit.name.file);
  if (!isUsed) draft.warn(unit.start, `no container has Image=${unit.name.file}, so its image is not pulled`);
  if (reference === null || !isUsed || !isDeclared(unit)) return;
  const image = draft.newResource('images', units.nameOf(unit), unit.start);
  image.set('pull', reference, unit.last('Image', 'Image')?.at ?? unit.start);
  const policy = unit.last('Image', 'Policy');
  const said = policy ? pullPolicy(policy, image) : null;
  if (said) image.set('policy', said.value, said.at);
  setPlatform(unit, image);
}
