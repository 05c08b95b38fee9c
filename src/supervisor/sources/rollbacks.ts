/** Goes back to the manifests of an earlier generation: all of them on request, or an app whose update failed. */
import type { FileNote } from '../../api/views/plan-views.ts';
import type { IssueView } from '../../api/views/resource-views.ts';
import type { Resolution, SourceOutcome } from '../../manifest/desired-state.ts';
import type { Actor } from '../../model/actor.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { parseKey } from '../../model/resource.ts';
import type { FailedUpdate } from '../../reconcile/ops/containers/update-outcome.ts';
import type { History } from '../../state/history/history.ts';
import type { ImperativeResources } from '../imperative/imperative-resources.ts';
import type { AcceptedSources } from './accepted-sources.ts';
import { changedFiles } from './changed-files.ts';
import { goneImages, rollbackNotes } from './file-notes.ts';
import type { KeptContents } from './kept-contents.ts';
import { lastGenerationWith } from './last-good.ts';
import type { Source } from './source.ts';
import { type AppPins, type Compared, pinsTo } from './source-pins.ts';
import { allSources, ownerIn } from './source-set.ts';

export interface RollbackParts {
  readonly accepted: AcceptedSources;
  readonly history: History;
  readonly kept: KeptContents;
  /** Reports whether an image is on this host. */
  readonly hasImage: (imageId: string) => boolean;
  /** What is wanted beside the manifests: it stays. */
  readonly beside: Pick<ImperativeResources, 'with'>;
}

interface RolledBack {
  readonly applied: Map<string, Source>;
  readonly pins: AppPins;
}

/** `a, b` and `a, b and 3 more`. */
const NAMED = 5;
function listed(names: readonly string[]): string {
  const more = names.length - NAMED;
  return `${names.slice(0, NAMED).join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/**
 * Restores applied manifests and their pinned files. Never writes files of the watched directory or files that an app
 * follows: apps whose files differ are pinned instead.
 * @param compared `filesOf`: an applied manifest contributes only the files it follows
 * @throws TsdError TSD_OWNED_BY_MANIFEST naming the manifests and files that differ, unless `hold`
 */
function rollBack(n: number, compared: Compared, hold: boolean): RolledBack {
  const { now, then, filesOf } = compared;
  const applied = new Map([...then].filter(([, { kind }]) => kind !== 'watched'));
  const all = new Map([...then, ...now]);
  const ids = [...all].flatMap(([id, { kind }]) => (kind === 'watched' || applied.has(id) ? [id] : []));
  const next = new Map([...[...now].filter(([, { kind }]) => kind === 'watched'), ...applied]);
  const pins = pinsTo(n, `rolled back to generation ${n}`, ids, { ...compared, now: next });
  const files = Object.values(pins).flatMap(({ sources }) =>
    sources.flatMap(({ kind, origin, heldBack }) => {
      const id = `${kind} ${origin}`;
      const text = then.get(id)?.content;
      return heldBack === (text?.ok === true ? text.text : null) ? filesOf(id) : [origin];
    }),
  );
  if (files.length > 0 && !hold) {
    const differ = files.length === 1 ? 'differs' : 'differ';
    throw new TsdError('TSD_OWNED_BY_MANIFEST', `${listed(files)} ${differ} from generation ${n}`, {
      hint: 'Put the files back, or add --hold: their apps stay as they were then until a file changes.',
    });
  }
  return { applied, pins };
}

export class Rollbacks {
  readonly #accepted: AcceptedSources;
  readonly #history: History;
  readonly #kept: KeptContents;
  readonly #hasImage: RollbackParts['hasImage'];
  readonly #beside: RollbackParts['beside'];

  constructor({ accepted, history, kept, hasImage, beside }: RollbackParts) {
    this.#accepted = accepted;
    this.#history = history;
    this.#kept = kept;
    this.#hasImage = hasImage;
    this.#beside = beside;
  }

  /**
   * Reads the build contexts of the manifests of a rollback, in small steps, for the next resolution.
   * @throws TsdError as {@link make} does
   */
  async look(n: number, hold: boolean): Promise<void> {
    await this.#accepted.resolver.look({ ...this.#accepted.set, ...this.#rolledBack(n, hold) });
  }

  /**
   * Returns the resolution after {@link make}, without a change.
   * @throws TsdError as {@link make} does
   */
  preview(n: number, hold: boolean): Resolution {
    const resolution = this.#accepted.preview(this.#rolledBack(n, hold));
    return { ...resolution, state: this.#beside.with(resolution.state) };
  }

  /**
   * Makes a new generation from the manifests of an earlier one; all or none. Files of the watched directory are never
   * written: with `hold` the apps of files that differ are pinned to that generation until such a file changes. Returns the
   * issues of the manifests; empty when the rollback was made.
   * @throws TsdError TSD_NO_SUCH_RESOURCE for an unknown generation, TSD_OWNED_BY_MANIFEST naming the files without `hold`.
   */
  make(n: number, hold: boolean, by: Actor | null): readonly IssueView[] {
    const issues = this.#accepted.newIssues(this.preview(n, hold));
    if (issues.length > 0) return issues;
    this.#accepted.adopt(this.#rolledBack(n, hold), { cause: `rolled back to generation ${n}`, imagesOf: n, by });
    return [];
  }

  /**
   * Rolls back the app of a container whose update failed to the last generation that declares the container as `from`, and
   * pins it there until one of its manifests changes. Returns that generation. Returns null when there is none, when the
   * manifests are the same, or when they conflict with the other apps of today.
   */
  ofUpdate({ key, from, reason, hint }: FailedUpdate): number | null {
    const { app } = parseKey(key);
    const n = lastGenerationWith(key, from, this.#accepted.state, {
      stateOf: (past) => this.#accepted.resolver.stateOf(past),
      changedIn: (past) => this.#history.generations.get(past)?.changes.resources.map((one) => one.key) ?? null,
    });
    if (n === null) return null;
    const [now, then] = [allSources(this.#accepted.set), this.#accepted.resolver.ofGeneration(n)];
    const ownerOf = ownerIn(this.#accepted.set, this.#history.generations.get(n)?.pins.owners);
    const own = [...new Map([...then, ...now]).keys()].filter((id) => ownerOf(id) === app);
    const text = `update of ${app}/${parseKey(key).name} failed: ${reason}; held at generation ${n}`;
    const compared = { now, then, ownerOf, filesOf: this.#filesOf(n), digestOf: this.#digestOf };
    const pin = pinsTo(n, text, own, compared)[app];
    if (!pin) return null;
    const pins = { ...this.#accepted.set.pins, [app]: { ...pin, failed: true, container: key, hint } };
    if (this.#accepted.newIssues(this.#accepted.preview({ pins })).length > 0) return null;
    const cause = `update of ${app}/${parseKey(key).name} failed, ${app} is back at generation ${n}`;
    this.#accepted.adopt({ pins }, { cause });
    return n;
  }

  /**
   * Returns notes on what a rollback to generation `n` cannot restore.
   * @param after the resolution of the rollback
   */
  notes(n: number, after: Resolution): readonly FileNote[] {
    const hashes = this.#history.generations.get(n)?.pins.content ?? {};
    const contents = this.#kept.of(n);
    const files = [...after.sources].flatMap(([id, outcome]) =>
      rollbackNotes({ generation: n, hashes: hashes[id] ?? {}, kept: contents?.[id] !== undefined }, outcome),
    );
    return [...goneImages(n, this.#history.images.asOf(n), after.state, this.#hasImage), ...files];
  }

  #rolledBack(n: number, hold: boolean): RolledBack {
    const generation = this.#history.generations.get(n);
    if (!generation) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no generation ${n}`, {
        hint: '`tsdocker history` lists those that are kept.',
      });
    }
    const { pins } = generation;
    const now = allSources(this.#accepted.set);
    const ownerOf = ownerIn(this.#accepted.set, pins.owners);
    const kept = this.#kept.of(n) ?? {};
    /** A manifest that was not pinned then, and whose contents are not stored, keeps following its files. */
    const follows = (id: string): boolean => kept[id] === undefined && pins.applied?.[id] === undefined;
    const then = new Map(
      [...this.#accepted.resolver.ofGeneration(n)].map(([id, source]): [string, Source] => {
        if (source.kind === 'watched' || source.pinned === undefined || kept[id] !== undefined) return [id, source];
        // The contents to pin are read now.
        const pinned = { ...source.pinned, generation: this.#accepted.generation + 1 };
        return [id, { ...source, pinned: follows(id) ? undefined : pinned }];
      }),
    );
    const all = this.#filesOf(n);
    const followed = this.#filesOf(n, (id) => this.#accepted.resolution.sources.get(id)?.followed ?? {});
    const filesOf = (id: string) => (id.startsWith('watched ') || follows(id) ? all(id) : followed(id));
    return rollBack(n, { now, then, ownerOf, filesOf, digestOf: this.#digestOf }, hold);
  }

  readonly #digestOf = (source: Source): string => this.#accepted.resolver.digestOf(source);

  /** Returns the files of a source that differ from generation `n`. @param among the files to compare; absent: all */
  #filesOf(n: number, among?: (id: string) => SourceOutcome['followed']): (id: string) => readonly string[] {
    const contents = this.#kept.of(n);
    const hashes = this.#history.generations.get(n)?.pins.content ?? {};
    return (id) => {
      const now = this.#accepted.set.good.get(id)?.contents;
      return now === undefined ? [] : changedFiles(contents?.[id], now, hashes[id] ?? {}, among?.(id));
    };
  }
}
