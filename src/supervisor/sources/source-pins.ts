/** Apps that stay as they were in an earlier generation, whatever their manifests and files say now. */
import type { DesiredState } from '../../model/desired.ts';
import { parseKey, type ResourceKey } from '../../model/resource.ts';
import type { AppPin, GenerationPins } from '../../state/history/generation-store.ts';
import { type ImageBinding, NEWLY_PINNED } from '../../state/history/resource-store.ts';
import { type Source, type SourceMap, sourceId } from './source.ts';

export type AppPins = GenerationPins['apps'];

/** The manifests of a generation. */
export type SourcesOfGeneration = (generation: number) => SourceMap;

/** A hash over what the files of a source hold now. */
export type DigestOf = (source: Source) => string;

/** The text of a source; undefined where it cannot be read, null where there is no source. */
function textOf(source: Source | undefined): string | null | undefined {
  if (!source) return null;
  return source.content.ok ? source.content.text : undefined;
}

/** A pin ends when one of its manifests or files is another one. What cannot be read is no change. */
function holds({ sources: pinned }: AppPin, sources: SourceMap, digestOf: DigestOf): boolean {
  return pinned.every((pin) => {
    const source = sources.get(sourceId(pin));
    const text = textOf(source);
    if (text === undefined) return true;
    if (text !== pin.heldBack) return false;
    return !source || pin.heldContents === undefined || digestOf(source) === pin.heldContents;
  });
}

/** Those of the pins that hold with these sources. */
export function pinsThatHold(pins: AppPins, sources: SourceMap, digestOf: DigestOf): AppPins {
  return Object.fromEntries(Object.entries(pins).filter(([, pin]) => holds(pin, sources, digestOf)));
}

export function withoutPins(pins: AppPins, apps: readonly string[]): AppPins {
  return Object.fromEntries(Object.entries(pins).filter(([app]) => !apps.includes(app)));
}

/** The sources with those of pinned apps replaced by what they were; what was not there then is left out. */
export function withPins(sources: SourceMap, pins: AppPins, generation: SourcesOfGeneration): SourceMap {
  const result = new Map(sources);
  for (const pin of Object.values(pins)) {
    const then = generation(pin.generation);
    for (const pinned of pin.sources) {
      const id = sourceId(pinned);
      const source = then.get(id);
      // Of a pin of the first versions the files count as they are: its upgrade changes nothing.
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
  /** Files, as written, that a source had otherwise then. */
  readonly filesOf: (id: string) => readonly string[];
  readonly digestOf: DigestOf;
}

/** Pins that bring manifests and their files back to what they were in a generation: those of `ids` that differ. */
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

/** Which image each declaration meant in a generation. */
type ImagesAsOf = (generation: number) => ReadonlyMap<ResourceKey, string>;

/**
 * The images that declarations are to mean again: those of apps that are pinned from now on, or after a rollback all.
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
 * Images that a generation brings back and that declarations do not mean yet: the generation after it brings them back too,
 * where it declares the same.
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

/** The manifests that pins hold back, as they are now. */
export function heldBackSources(pins: AppPins): Source[] {
  return Object.values(pins).flatMap(({ sources }) =>
    sources.flatMap(({ kind, origin, baseDir, heldBack }) =>
      heldBack === null ? [] : [{ kind, origin, baseDir, content: { ok: true, text: heldBack } }],
    ),
  );
}

/** Why a manifest does not count now, by the id of its source. */
export function pinReasons(pins: AppPins): ReadonlyMap<string, string> {
  return new Map(Object.values(pins).flatMap(({ reason, sources }) => sources.map((pin) => [sourceId(pin), reason])));
}
