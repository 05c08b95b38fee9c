/** Stores an accepted change as a generation, with the second copies of its declarations and the contents of its files. */
import type { Resolution } from '../../manifest/desired-state.ts';
import { canonicalJson } from '../../manifest/spec-hash.ts';
import type { Actor } from '../../model/actor.ts';
import type { Contents } from '../../model/contents.ts';
import type { DesiredState } from '../../model/desired.ts';
import { toTsdError } from '../../model/errors/errors.ts';
import type { DeclarationCopies, StagedCopies } from '../../state/databases/declaration-copies.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { History } from '../../state/history/history.ts';
import { declarationsOf, encoded, type StoredGeneration } from '../declarations/declarations.ts';
import { ownerOfChanged } from '../requests/actors.ts';
import { saveGeneration } from './generation-record.ts';
import type { KeptContents } from './kept-contents.ts';
import { originOf, type SourceMap, sourceId } from './source.ts';
import { describeFiles, fileChanges, onlyRemoves, withoutCopies } from './source-changes.ts';
import { newlyPinnedImages, stillDue } from './source-pins.ts';
import { appliedGenerations, ownerIn, type SourceSet, textsInUse } from './source-set.ts';

export interface GenerationWriterOptions {
  readonly history: History;
  /** Second copy of each app's declaration. */
  readonly declarations: Pick<DeclarationCopies, 'stage'>;
  readonly reserve: Reserve;
  /** Contents of the files of each generation. */
  readonly kept: KeptContents;
  /** Returns the names of the copies that containers use. */
  readonly copiesInUse: () => ReadonlySet<string>;
}

/** The cause of a change, as the new generation records it. */
export interface Reason {
  /** Text of the cause. Absent: the changed files, or else `otherwise`. */
  readonly cause?: string;
  readonly otherwise?: string;
  /** Generation whose images the declarations pin. Absent: images are resolved as usual. */
  readonly imagesOf?: number;
  /** Who requested the change. Absent: the owner of the changed files, if any. */
  readonly by?: Actor | null;
  /** Ids of the manifests applied with this change: they are pinned to the current contents of their files. */
  readonly applied?: ReadonlySet<string>;
}

/** A change of the manifests as it is stored. */
export interface AcceptedChange {
  readonly accepted: SourceSet;
  readonly effective: SourceMap;
  readonly contents: Contents;
  readonly before: DesiredState;
  readonly after: DesiredState;
  /** The requested set, before its revisions were checked. */
  readonly staged: SourceSet;
}

/** Returns the generations whose file contents pinned apps need. */
function generationsInUse({ pins, applied }: SourceSet): number[] {
  const held = Object.values(pins);
  const own = held.flatMap(({ sources }) =>
    sources.flatMap((pin) => applied.get(sourceId(pin))?.pinned?.generation ?? []),
  );
  return [...held.map(({ generation }) => generation), ...own];
}

export class GenerationWriter {
  readonly #options: GenerationWriterOptions;
  /** Stored file contents of the current generation; null when none are stored. */
  #contents: Contents | null;

  constructor(options: GenerationWriterOptions) {
    this.#options = options;
    this.#contents = options.kept.of(this.generation);
  }

  get generation(): number {
    return this.#options.history.generations.currentNumber();
  }

  /**
   * Writes missing copies of files in force: one may be deleted, or an earlier version made none. Returns the state without
   * the copies that cannot be written; their files are used directly until the next look.
   * @param accepted null at the start, before the set in force is known
   */
  keepPresent(accepted: SourceSet | null, { state, copies }: Resolution, contents: Contents): DesiredState {
    const { kept, history, copiesInUse } = this.#options;
    try {
      kept.keepCopies(contents, copies);
      if (accepted === null || this.#contents !== null || this.generation === 0) return state;
      // An earlier version made the generation without storing contents, and the files are unchanged.
      history.durable(() => kept.save(this.generation, contents, generationsInUse(accepted), copiesInUse()));
      this.#contents = contents;
      return state;
    } catch (error) {
      if (toTsdError(error).class === 'bug') throw error;
      return withoutCopies(state, (name) => kept.isThere(name));
    }
  }

  /** Reports whether pins, applied generations or file contents differ from those stored with the current generation. */
  isNews(accepted: SourceSet, effective: SourceMap, contents: Contents): boolean {
    const current = this.#options.history.generations.current();
    const pins = current?.pins.apps ?? {};
    if (JSON.stringify(accepted.pins) !== JSON.stringify(pins)) return true;
    if (current === null) return false;
    if (canonicalJson(appliedGenerations(accepted)) !== canonicalJson(current.pins.applied ?? {})) return true;
    if (this.#contents !== null) return canonicalJson(contents) !== canonicalJson(this.#contents);
    const { content } = textsInUse(accepted, effective);
    return canonicalJson(content) !== canonicalJson(current.pins.content);
  }

  /**
   * Makes the change the current generation. All or nothing.
   * @throws TsdError when it cannot be stored; then nothing has changed
   */
  save(
    atMs: number,
    { accepted, effective, contents, before, after, staged }: AcceptedChange,
    { cause, otherwise = '', imagesOf, by = null }: Reason,
  ): void {
    const { history, reserve, kept, copiesInUse } = this.#options;
    const current = history.generations.current();
    const files = fileChanges(staged.good, accepted.good, originOf);
    const { texts, content } = textsInUse(accepted, effective);
    const { pins } = accepted;
    const asOf = (n: number) => history.images.asOf(n);
    const images = {
      ...stillDue(current?.pins.images ?? {}, history.resources.images(), before, after),
      ...newlyPinnedImages(pins, current?.pins.apps ?? {}, imagesOf ?? null, asOf),
    };
    const generation = {
      texts,
      cause: cause ?? (describeFiles(files) || otherwise),
      pins: {
        apps: pins,
        images,
        content,
        owners: Object.fromEntries(accepted.owners),
        applied: appliedGenerations(accepted),
      },
      files,
      by: by ?? (cause === undefined ? ownerOfChanged(files) : null),
      before,
      after,
    };
    const copies = this.#stageCopies({ texts, pins: generation.pins, contents }, { accepted, before, after });
    const save = () =>
      history.durable(() => {
        saveGeneration(history, atMs, generation);
        history.holds.keep(new Set(accepted.holds.keys()));
        kept.save(this.generation, contents, generationsInUse(accepted), copiesInUse());
        history.resources.pin(images);
      });
    try {
      if (onlyRemoves(before, after)) reserve.spendOn(save);
      else save();
    } catch (error) {
      copies.abandon();
      throw error;
    }
    // Published after the store: the next start recreates an older copy, but refuses a copy newer than the store.
    copies.publish();
    this.#contents = contents;
  }

  /** Stages the second copies of changed declarations. A change that only removes may spend the disk reserve. */
  #stageCopies(
    stored: StoredGeneration,
    { accepted, before, after }: Pick<AcceptedChange, 'accepted' | 'before' | 'after'>,
  ): StagedCopies {
    const { declarations, reserve } = this.#options;
    const apps = [...declarationsOf(stored, after, ownerIn(accepted))];
    const json = new Map(apps.map(([app, declaration]) => [app, encoded(declaration)]));
    const stage = () => declarations.stage(json, this.generation + 1, new Set(accepted.holds.keys()));
    return onlyRemoves(before, after) ? reserve.spendOn(stage) : stage();
  }

  /** Deletes the copies of files that neither the state nor a container uses. */
  sweep(state: DesiredState): void {
    const { kept, copiesInUse } = this.#options;
    const declared = [...state.resources.values()].flatMap(({ files = {} }) => Object.values(files));
    try {
      kept.remove(kept.unused(new Set([...copiesInUse(), ...declared])));
    } catch (error) {
      // The next generation or `system prune` retries it.
      if (toTsdError(error).class === 'bug') throw error;
    }
  }
}
