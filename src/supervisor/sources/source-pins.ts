/** Pins: apps that stay as in an earlier generation, independent of their current manifests and files. */
import type { DesiredState } from '../../model/desired.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { AppPin, GenerationPins } from '../../state/history/generation-store.ts';
import { type ImageBinding, NEWLY_PINNED } from '../../state/history/resource-store.ts';
import { type Source, type SourceMap, sourceId } from './source.ts';

export type AppPins = GenerationPins['apps'];

/** The manifests of a generation. */
export type SourcesOfGeneration = (generation: number) => SourceMap;

/** Returns a hash over the current contents of the files of a source. */
export type DigestOf = (source: Source) => string;

/** Returns the text of a source; undefined when it cannot be read, null when there is no source. */
function textOf(source: Source | undefined): string | null | undefined {
  if (!source) return null;
  return source.content.ok ? source.content.text : undefined;
}

/** Reports whether a pin holds: it ends when one of its manifests or files changes. An unreadable file is no change. */
function holds({ sources: pinned }: AppPin, sources: SourceMap, digestOf: DigestOf): boolean {
  return pinned.every((pin) => {
    const source = sources.get(sourceId(pin));
    const text = textOf(source);
    if (text === undefined) return true;
    if (text !== pin.heldBack) return false;
    return !source || pin.heldContents === undefined || digestOf(source) === pin.heldContents;
  });
}

/** Returns the pins that still hold with these sources. */
export function pinsThatHold(pins: AppPins, sources: SourceMap, digestOf: DigestOf): AppPins {
  return Object.fromEntries(Object.entries(pins).filter(([, pin]) => holds(pin, sources, digestOf)));
}

export function withoutPins(pins: AppPins, apps: readonly string[]): AppPins {
  return Object.fromEntries(Object.entries(pins).filter(([app]) => !apps.includes(app)));
}

/** Returns the sources with those of pinned apps replaced by their pinned version; later ones are left out. */
export function withPins(sources: SourceMap, pins: AppPins, generation: SourcesOfGeneration): SourceMap {
  const result = new Map(sources);
  for (const pin of Object.values(pins)) {
    const then = generation(pin.generation);
    for (const pinned of pin.sources) {
      const id = sourceId(pinned);
      const source = then.get(id);
      // A pin written by the first versions follows its files; this keeps an upgrade without changes.
      if (source) result.set(id, pinned.heldContents === undefined ? { ...source, pinned: undefined } : source);
      else result.delete(id);
    }
  }
  return result;
}

/** Manifests now and in an earlier generation. */
export interface Compared {
  readonly now: SourceMap;
  readonly then: SourceMap;
  /** The app of a manifest, by the id of its source. */
  readonly ownerOf: (id: string) => string;
  /** Returns the files of a source, as written, whose contents differed then. */
  readonly filesOf: (id: string) => readonly string[];
  readonly digestOf: DigestOf;
}

/** Returns pins that restore the manifests among `ids` that differ from a generation, and their files. */
export function pinsTo(
  generation: number,
  reason: string,
  ids: Iterable<string>,
  { now, then, ownerOf, filesOf, digestOf }: Compared,
): AppPins {
  const pins: Record<string, AppPin> = {};
  for (const id of ids) {
    const [present, past] = [now.get(id), then.get(id)];
    const source = past ?? present;
    if (!source || (textOf(present) === textOf(past) && filesOf(id).length === 0)) continue;
    const heldBack = textOf(present) ?? null;
    const { kind, origin, baseDir } = source;
    const app = ownerOf(id);
    const others = pins[app]?.sources ?? [];
    const pin = { kind, origin, baseDir, heldBack, heldContents: present === undefined ? '' : digestOf(present) };
    pins[app] = { generation, reason, sources: [...others, pin] };
  }
  return pins;
}

/** The image that each declaration resolved to in a generation. */
type ImagesAsOf = (generation: number) => ReadonlyMap<ResourceKey, string>;

/**
 * Returns the images that declarations resolve to again: those of newly pinned apps, or all after a rollback.
 * @param before pins of the generation before
 */
export function newlyPinnedImages(
  pins: AppPins,
  before: AppPins,
  rolledBackTo: number | null,
  imagesAsOf: ImagesAsOf,
): GenerationPins['images'] {
  const all = rolledBackTo === null ? [] : [...imagesAsOf(rolledBackTo)];
  const held = Object.entries(pins)
    .filter(([app, { generation }]) => before[app]?.generation !== generation)
    .flatMap(([app, { generation }]) => [...imagesAsOf(generation)].filter(([key]) => parseKey(key).app === app));
  return Object.fromEntries([...all, ...held]);
}

/**
 * Returns the images that a generation restores and that declarations do not resolve to yet. The next generation restores
 * them too, for declarations that are the same.
 */
export function stillDue(
  pinned: GenerationPins['images'],
  bindings: readonly ImageBinding[],
  before: DesiredState,
  after: DesiredState,
): GenerationPins['images'] {
  const isDue = (key: ResourceKey): boolean => {
    const declared = after.resources.get(key)?.specHash;
    if (declared === undefined || declared !== before.resources.get(key)?.specHash) return false;
    const binding = bindings.find((one) => one.key === key);
    return !binding || binding.sourceFingerprint === NEWLY_PINNED || binding.specHash !== declared;
  };
  return Object.fromEntries(Object.entries(pinned).filter(([key]) => isDue(key as ResourceKey)));
}

/** Returns the current version of the manifests that are pinned. */
export function heldBackSources(pins: AppPins): Source[] {
  return Object.values(pins).flatMap(({ sources }) =>
    sources.flatMap(({ kind, origin, baseDir, heldBack }) =>
      heldBack === null ? [] : [{ kind, origin, baseDir, content: { ok: true, text: heldBack } }],
    ),
  );
}

/** Why a manifest is not in force, by the id of its source. */
export function pinReasons(pins: AppPins): ReadonlyMap<string, string> {
  return new Map(Object.values(pins).flatMap(({ reason, sources }) => sources.map((pin) => [sourceId(pin), reason])));
}
