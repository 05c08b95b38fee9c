/** Everything that is declared at one moment, by key, and how names are looked up in it. */

import type { SourceContents } from '../../model/contents.ts';
import { append } from '../../model/lists.ts';
import { type Kind, type ResourceKey, resourceKey, type SourcePosition } from '../../model/resource.ts';
import { closest } from '../../model/text/suggest.ts';
import type { ManifestIssue } from '../issue.ts';
import type { ManifestApp, ParsedResource } from '../parse.ts';

/** What the files of a source held at an earlier time, and hold for it now. */
export interface PinnedContents {
  readonly contents: SourceContents;
  /**
   * The app is brought back to that time: also where its manifest wants changes of files to count they do not. What of
   * that time has no copy counts as it is now.
   */
  readonly held: boolean;
  /** Hashes of a time of which no copies are kept, by path as written. */
  readonly hashes?: Readonly<Record<string, string>>;
}

/** One source's revision under examination. */
export interface Candidate {
  readonly sourceId: string;
  /** Relative paths start here. Absolute. */
  readonly baseDir: string;
  readonly app: ManifestApp;
  /**
   * Hashes of referenced content as they were when the revision was accepted, by path as written; null for a revision
   * whose files are read now.
   */
  readonly frozenHashes: Readonly<Record<string, string>> | null;
  /** Those of an earlier look, for what was not looked at since. */
  readonly earlierHashes: Readonly<Record<string, string>>;
  /** Of the revision that was accepted last, whatever it said. */
  readonly lastHashes: Readonly<Record<string, string>>;
  readonly lastContents: SourceContents | null;
  /** Null where files count as they are now. */
  readonly pinned: PinnedContents | null;
}

export interface Declared<K extends Kind = Kind> {
  readonly key: ResourceKey;
  readonly candidate: Candidate;
  readonly resource: ParsedResource<K>;
}

/** An issue, the source it is in, and the other sources that have a part in it. */
export interface Finding {
  readonly source: string;
  readonly others: readonly string[];
  readonly issue: ManifestIssue;
}

export function finding(
  at: Declared,
  what: ManifestIssue['code'] | Pick<ManifestIssue, 'code' | 'hint'>,
  message: string,
  position: SourcePosition,
  others: readonly Candidate[] = [],
): Finding {
  const source = at.candidate.sourceId;
  const involved = new Set(others.map((other) => other.sourceId).filter((id) => id !== source));
  return {
    source,
    others: [...involved],
    issue: { ...(typeof what === 'string' ? { code: what } : what), message, position },
  };
}

/** Position of a field, or of one of its items as long as items were not expanded; else of the resource. */
export function positionOf({ resource }: Declared, field: string, index?: number): SourcePosition {
  const { positions, position } = resource;
  return (index === undefined ? undefined : positions[`${field}.${index}`]) ?? positions[field] ?? position;
}

/** Missing names that a sentence says more of: what helps with the first costs too much for thousands of them. */
const MAX_ADVISED = 200;

export class Universe {
  readonly candidates: readonly Candidate[];
  readonly #declared = new Map<ResourceKey, Declared>();
  readonly #apps = new Map<string, Candidate[]>();
  readonly #names = new Map<string, string[]>();
  #missing = 0;

  constructor(candidates: readonly Candidate[]) {
    this.candidates = candidates;
    for (const candidate of candidates) {
      const { app, resources } = candidate.app;
      this.#apps.set(app, [...(this.#apps.get(app) ?? []), candidate]);
      for (const resource of resources) {
        const key = resourceKey(resource.kind, app, resource.name);
        if (this.#declared.has(key)) continue;
        this.#declared.set(key, { key, candidate, resource });
        const group = `${resource.kind}/${app}`;
        const names = this.#names.get(group) ?? [];
        this.#names.set(group, names);
        names.push(resource.name);
      }
    }
  }

  *all(): Generator<Declared> {
    yield* this.#declared.values();
  }

  *ofKind<K extends Kind>(kind: K): Generator<Declared<K>> {
    for (const declared of this.#declared.values()) if (declared.resource.kind === kind) yield declared as Declared<K>;
  }

  get<K extends Kind>(key: ResourceKey): Declared<K> | undefined {
    return this.#declared.get(key) as Declared<K> | undefined;
  }

  /** Sources that declare an app; more than one is a conflict. */
  sourcesOf(app: string): readonly Candidate[] {
    return this.#apps.get(app) ?? [];
  }

  apps(): Iterable<string> {
    return this.#apps.keys();
  }

  /** Names of a kind in an app. */
  namesIn(kind: Kind, app: string): readonly string[] {
    return this.#names.get(`${kind}/${app}`) ?? [];
  }

  /** What `name` or `app/name` stands for when written in an app: first the own app's, then the other app's. */
  lookup(kind: Kind, reference: string, app: string): ResourceKey | null {
    const [first = '', second] = reference.split('/');
    const key = second === undefined ? resourceKey(kind, app, first) : resourceKey(kind, first, second);
    return this.#declared.has(key) ? key : null;
  }

  /** The message for an unresolved reference. */
  describeMissing(kind: Kind, reference: string, app: string): string {
    const [inApp, inside] = reference.split('/');
    const text = `there is no ${kind} ${JSON.stringify(reference.slice(0, 130))}`;
    this.#missing++;
    if (this.#missing > MAX_ADVISED) return text;
    if (inside !== undefined && inApp !== undefined && this.sourcesOf(inApp).length === 0)
      return `${text}: there is no app ${inApp}`;
    const where = inside === undefined ? app : (inApp ?? app);
    const own = this.namesIn(kind, where);
    const others: string[] = [];
    for (const other of this.#apps.keys()) {
      if (other !== app)
        append(
          others,
          this.namesIn(kind, other).map((name) => `${other}/${name}`),
        );
    }
    const sameName = others.find((name) => name.endsWith(`/${reference}`));
    const meant = sameName ?? closest(reference, [...own, ...others]);
    if (meant && kind === 'image')
      return `${text}; did you mean ${meant}? A tag on this host is written with its colon`;
    if (meant) return `${text}; did you mean ${meant}?`;
    return own.length > 0 && own.length <= 12
      ? `${text}; ${where === app ? 'this app' : where} has ${own.join(', ')}`
      : text;
  }
}
