/** Apps that stay as they were in an earlier generation, whatever their manifests say now (DESIGN §13.4). */
import { parseKey, type ResourceKey } from '../model/resource.ts';
import type { AppPin, GenerationPins } from '../state/history/generation-store.ts';
import { type Source, type SourceMap, sourceId } from './source.ts';

export type AppPins = GenerationPins['apps'];

/** The manifests of a generation. */
export type SourcesOfGeneration = (generation: number) => SourceMap;

/** The text of a source; undefined where it cannot be read, null where there is no source. */
function textOf(source: Source | undefined): string | null | undefined {
  if (!source) return null;
  return source.content.ok ? source.content.text : undefined;
}

/** A pin ends when one of its manifests is another one. What cannot be read is no change. */
function holds({ sources: pinned }: AppPin, sources: SourceMap): boolean {
  return pinned.every((pin) => {
    const text = textOf(sources.get(sourceId(pin)));
    return text === undefined || text === pin.heldBack;
  });
}

/** Those of the pins that hold with these sources. */
export function pinsThatHold(pins: AppPins, sources: SourceMap): AppPins {
  return Object.fromEntries(Object.entries(pins).filter(([, pin]) => holds(pin, sources)));
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
      if (source) result.set(id, source);
      else result.delete(id);
    }
  }
  return result;
}

/** Pins that bring manifests back to what they were in a generation: those of `ids` that differ. @param ownerOf their apps */
export function pinsTo(
  generation: number,
  reason: string,
  ids: Iterable<string>,
  now: SourceMap,
  then: SourceMap,
  ownerOf: (id: string) => string,
): AppPins {
  const pins: Record<string, AppPin> = {};
  for (const id of ids) {
    const [present, past] = [now.get(id), then.get(id)];
    const source = past ?? present;
    if (!source || textOf(present) === textOf(past)) continue;
    const heldBack = textOf(present) ?? null;
    const { kind, origin, baseDir } = source;
    const app = ownerOf(id);
    const others = pins[app]?.sources ?? [];
    pins[app] = { generation, reason, sources: [...others, { kind, origin, baseDir, heldBack }] };
  }
  return pins;
}

/**
 * The images that declarations are to mean again: those of apps that are pinned from now on, or after a rollback all.
 * @param before pins of the generation before
 * @param imagesAsOf those of a generation
 */
export function newlyPinnedImages(
  pins: AppPins,
  before: AppPins,
  rolledBackTo: number | null,
  imagesAsOf: (generation: number) => ReadonlyMap<ResourceKey, string>,
): GenerationPins['images'] {
  const all = rolledBackTo === null ? [] : [...imagesAsOf(rolledBackTo)];
  const held = Object.entries(pins)
    .filter(([app, { generation }]) => before[app]?.generation !== generation)
    .flatMap(([app, { generation }]) => [...imagesAsOf(generation)].filter(([key]) => parseKey(key).app === app));
  return Object.fromEntries([...all, ...held]);
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
