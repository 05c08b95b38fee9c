/** From a generation to the declaration of each app, and back. Pure. */
import { canonicalJson } from '../../manifest/spec-hash.ts';
import type { Contents } from '../../model/contents.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Declaration } from '../../state/databases/declaration.ts';
import type { AppPin, GenerationPins } from '../../state/history/generation-store.ts';
import type { SourceText } from '../../state/history/source-store.ts';
import { sourceId } from '../sources/source.ts';

/** What a generation is stored as. */
export interface StoredGeneration {
  readonly texts: readonly SourceText[];
  readonly pins: GenerationPins;
  readonly contents: Contents;
}

/** By app. @param ownerOf the app of a source that the pins do not name */
export function declarationsOf(
  { texts, pins, contents }: StoredGeneration,
  state: Pick<DesiredState, 'resources'>,
  ownerOf: (id: string) => string,
): ReadonlyMap<string, Declaration> {
  const found = new Map<string, { sources: Declaration['sources'][number][]; specs: Record<ResourceKey, string> }>();
  const of = (app: string) => {
    const known = found.get(app) ?? { sources: [], specs: {} };
    found.set(app, known);
    return known;
  };
  for (const { kind, origin, baseDir, text } of texts) {
    const id = sourceId({ kind, origin });
    of(pins.owners?.[id] ?? ownerOf(id)).sources.push({
      kind,
      origin,
      baseDir,
      text,
      contentHashes: pins.content[id] ?? {},
      contents: contents[id] ?? null,
      pinned: pins.applied?.[id] !== undefined,
    });
  }
  for (const { key, app, specHash } of state.resources.values()) of(app).specs[key] = specHash;
  return new Map(
    [...found].map(([app, { sources, specs }]) => [app, { app, sources, pin: pins.apps[app] ?? null, specs }]),
  );
}

/** As copies keep it: the generation that a pin names is one of the store, and may be another one in a new store. */
export const encoded = (declaration: Declaration): string => canonicalJson(declaration);

/** A pin in a store that has no other generation to go back to: what is in force is what it holds. */
function pinIn(generation: number, pin: AppPin): AppPin | null {
  // Of an applied manifest the one in force becomes what is applied.
  const sources = pin.sources.filter(({ kind }) => kind === 'watched');
  return sources.length === 0 ? null : { ...pin, generation, sources };
}

/** A generation with these apps, and only what is known of them. */
export function generationOf(declarations: Iterable<Declaration>, generation: number): StoredGeneration {
  const texts: SourceText[] = [];
  const apps: Record<string, AppPin> = {};
  const content: Record<string, Readonly<Record<string, string>>> = {};
  const applied: Record<string, number> = {};
  const owners: Record<string, string> = {};
  const contents: Record<string, Contents[string]> = {};
  for (const { app, sources, pin } of declarations) {
    const held = pin && pinIn(generation, pin);
    if (held) apps[app] = held;
    for (const { kind, origin, baseDir, text, contentHashes, contents: held, pinned } of sources) {
      const id = sourceId({ kind, origin });
      texts.push({ kind, origin, baseDir, text });
      content[id] = contentHashes;
      owners[id] = app;
      if (pinned) applied[id] = generation;
      if (held !== null) contents[id] = held;
    }
  }
  return { texts, pins: { apps, images: {}, content, applied, owners }, contents };
}

/** One generation and more apps, for the one after it. */
export function merged(a: StoredGeneration, b: StoredGeneration): StoredGeneration {
  return {
    texts: [...a.texts, ...b.texts],
    pins: {
      apps: { ...a.pins.apps, ...b.pins.apps },
      images: { ...a.pins.images, ...b.pins.images },
      content: { ...a.pins.content, ...b.pins.content },
      applied: { ...a.pins.applied, ...b.pins.applied },
      owners: { ...a.pins.owners, ...b.pins.owners },
    },
    contents: { ...a.contents, ...b.contents },
  };
}
