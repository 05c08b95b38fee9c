/** The desired state as numbered generations, from the watched directory and from applied manifests. */
import type { FileNote, IssueView, ManifestInput, ManifestView } from '../../api/supervisor.ts';
import type { Resolution, SourceOutcome } from '../../manifest/desired-state.ts';
import type { DirectorySnapshot } from '../../manifest/source/watch.ts';
import { canonicalJson } from '../../manifest/spec-hash.ts';
import type { Actor } from '../../model/actor.ts';
import type { Clock } from '../../model/clock.ts';
import type { Contents } from '../../model/contents.ts';
import type { DesiredState } from '../../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import { parseKey } from '../../model/resource.ts';
import type { Refusal } from '../../model/trust.ts';
import type { FailedUpdate } from '../../reconcile/ops/world.ts';
import type { DeclarationCopies, StagedCopies } from '../../state/databases/declaration-copies.ts';
import type { Reserve } from '../../state/files/reserve.ts';
import type { History } from '../../state/history/history.ts';
import type { SourceKind } from '../../state/history/source-store.ts';
import { declarationsOf, encoded, generationOf, merged, type StoredGeneration } from '../declarations/declarations.ts';
import { afterLook, type Choice, choicesOf, endedBy, withChoice, withoutHolds } from '../declarations/held-apps.ts';
import { appendGeneration, storedGeneration } from '../declarations/start.ts';
import { ownerOfChanged } from '../requests/actors.ts';
import { issueView, manifestViews, type Unsaved } from '../views/manifest-views.ts';
import { changedFiles } from './changed-files.ts';
import { EditNotes, type OnIssue } from './edit-notes.ts';
import { driftNotes, driftOf, goneImages, liveNotes, rollbackNotes } from './file-notes.ts';
import { saveGeneration } from './generation-record.ts';
import type { KeptContents } from './kept-contents.ts';
import { lastGenerationWith } from './last-good.ts';
import { type RolledBack, rollBack } from './rollback.ts';
import { bySourceId, originOf, type Source, type SourceMap, sourceId, standsIn } from './source.ts';
import { describeFiles, fileChanges, onlyRemoves, sameState, withoutCopies } from './source-changes.ts';
import { newlyPinnedImages, pinsTo, stillDue, withoutPins } from './source-pins.ts';
import { SourceResolver, type SourceResolverOptions } from './source-resolver.ts';
import {
  accept,
  allSources,
  appliedGenerations,
  contentsInUse,
  type HeldRemoval,
  type Inputs,
  ownerIn,
  pinnedApplied,
  restoreSources,
  type SourceSet,
  textsInUse,
  withInputs,
  withTried,
} from './source-set.ts';

export interface SourcesOptions {
  readonly history: History;
  /** Second copy of each app's declaration. */
  readonly declarations: Pick<DeclarationCopies, 'stage'>;
  readonly reserve: Reserve;
  readonly clock: Clock;
  readonly directory: string;
  readonly resolve: Omit<SourceResolverOptions, 'contentsOf' | 'readCopy'>;
  /** Contents of the files of each generation. */
  readonly kept: KeptContents;
  /** Reports whether an image is on this host. */
  readonly hasImage: (imageId: string) => boolean;
  /** Returns the names of the copies that containers use. */
  readonly copiesInUse: () => ReadonlySet<string>;
  /** Called after every change of the desired state. */
  readonly onChange: (state: DesiredState, before: DesiredState) => void;
  /** Called once for each edit that was not accepted. */
  readonly onIssue?: OnIssue;
  /** Returns why a file named by a manifest was not read. */
  readonly refusedFile?: (path: string) => Refusal | undefined;
}

/** The change that removes the whole watched directory. */
const WITHOUT_DIRECTORY: Partial<SourceSet> = { held: null, watched: new Map(), remembered: new Map() };

const INPUT_CHANGED = 'a referenced file changed';

/** The cause of a change, as the new generation records it. */
interface Reason {
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

const NONE: ReadonlySet<string> = new Set();
const NO_COPIES: ReadonlyMap<string, Buffer> = new Map();

/** The outcome of one change of the manifests. */
interface Adopted {
  readonly accepted: SourceSet;
  readonly effective: SourceMap;
  readonly contents: Contents;
  readonly after: DesiredState;
  /** The requested set, before its revisions were checked. */
  readonly staged: SourceSet;
}

const baseOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

export class Sources {
  readonly #options: SourcesOptions;
  readonly #resolver: SourceResolver;
  /** The last queued {@link watch}. */
  #watching: Promise<void> = Promise.resolve();
  #accepted: SourceSet;
  #unsaved: Unsaved | null = null;
  #closed = false;
  /** True once the watched directory was read and accepted. */
  #looked = false;
  readonly #notes: EditNotes;
  /** Why the watched directory is refused, or null. */
  #refused: Refusal | null = null;
  #resolution: Resolution;
  /** Stored file contents of the current generation; null when none are stored. */
  #contents: Contents | null;

  constructor(options: SourcesOptions) {
    this.#options = options;
    const { history, kept } = options;
    this.#resolver = new SourceResolver(history, {
      ...options.resolve,
      contentsOf: (n) => kept.of(n),
      readCopy: (name) => kept.readCopy(name),
    });
    this.#notes = new EditNotes(history, options.onIssue ?? (() => {}));
    this.#accepted = restoreSources(history, (n) => kept.of(n));
    this.#contents = kept.of(this.generation);
    this.#resolution = this.#resolver.resolve(this.#accepted, this.generation);
    const effective = this.#resolver.effective(this.#accepted);
    const contents = contentsInUse(accept(this.#accepted, effective, this.#resolution.sources).set, effective);
    const state = this.#keepPresent(null, this.#resolution, contents);
    this.#resolution = { ...this.#resolution, copies: NO_COPIES, state };
  }

  /**
   * Writes missing copies of files in force: one may be deleted, or an earlier version made none. Returns the state without
   * the copies that cannot be written; their files are used directly until the next look.
   * @param accepted null at the start, before the set in force is known
   */
  #keepPresent(accepted: SourceSet | null, { state, copies }: Resolution, contents: Contents): DesiredState {
    const { kept, history, copiesInUse } = this.#options;
    try {
      kept.keepCopies(contents, copies);
      if (accepted === null || this.#contents !== null || this.generation === 0) return state;
      // An earlier version made the generation without storing contents, and the files are unchanged.
      history.durable(() => kept.save(this.generation, contents, this.#heldAt(accepted), copiesInUse()));
      this.#contents = contents;
      return state;
    } catch (error) {
      if (toTsdError(error).class === 'bug') throw error;
      return withoutCopies(state, (name) => kept.isThere(name));
    }
  }

  get state(): DesiredState {
    return this.#resolution.state;
  }

  get generation(): number {
    return this.#options.history.generations.currentNumber();
  }

  get held(): HeldRemoval | null {
    return this.#accepted.held;
  }

  /** Apps whose declaration is not certain, with the reason. */
  get uncertain(): ReadonlyMap<string, string> {
    return this.state.uncertain ?? new Map();
  }

  get isUncertain(): boolean {
    return this.#accepted.holds.size > 0;
  }

  get refused(): Refusal | null {
    return this.#refused;
  }

  /** Returns the files outside the manifests whose contents are part of the desired state. */
  inputs(): string[] {
    const inputs = [...this.#resolution.sources.values()].flatMap((outcome) => outcome.inputs);
    return [...inputs, ...this.#resolver.heldInputs(this.#accepted)];
  }

  /**
   * Accepts a snapshot of the watched directory after reading its build contexts. Calls run one after the other. Resolves
   * with false when {@link close} came first; then nothing was accepted.
   * @throws TSD_DISK_FULL; then nothing was accepted, and the waiting manifests are shown as held
   */
  watch(snapshot: DirectorySnapshot): Promise<boolean> {
    const watching = this.#watching.then(async () => {
      const { files, refused = null, inputsChanged } = snapshot;
      const found = files.map(({ path, content }): Source => {
        return { kind: 'watched', origin: path, baseDir: baseOf(path), content };
      });
      const watched = refused === null ? bySourceId(found) : this.#accepted.watched;
      await this.#resolver.look({ ...this.#accepted, watched });
      if (this.#closed) return false;
      this.#refused = refused;
      if (refused === null) this.#takeOver(snapshot, watched);
      else if (inputsChanged) this.#adopt({}, { otherwise: INPUT_CHANGED });
      return true;
    });
    this.#watching = watching.then(
      () => {},
      () => {},
    );
    return watching;
  }

  /** Reads the build contexts of the manifests with `inputs` applied, in small steps, for the next resolution. */
  look(inputs: readonly ManifestInput[] = []): Promise<void> {
    return this.#resolver.look(withTried(this.#accepted, { inputs }));
  }

  /** Like {@link look}, for a rollback. @throws TsdError as {@link rollback} does */
  async lookBack(n: number, hold: boolean): Promise<void> {
    await this.#resolver.look({ ...this.#accepted, ...this.#rolledBack(n, hold) });
  }

  /** Accepts no further snapshot and resolves when the current {@link watch} has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#resolver.close();
    await this.#watching;
  }

  #takeOver({ files, loss, inputsChanged }: DirectorySnapshot, watched: SourceMap): void {
    const { directory } = this.#options;
    const before = this.#accepted.watched.size > 0 ? this.#accepted.watched : this.#accepted.remembered;
    const emptied = files.length === 0 && before.size > 1;
    if ((loss !== 'none' && before.size > 0) || emptied) {
      const what = loss === 'vanished' ? 'is gone' : 'was emptied';
      const message = `${directory} ${what}; its ${before.size} manifests stay until \`tsdocker approve\``;
      this.#accepted = { ...this.#accepted, watched: before, held: { directory, message } };
      return;
    }
    const why = inputsChanged ? INPUT_CHANGED : `${directory} changed`;
    try {
      const holds = afterLook(this.#accepted.holds, watched);
      this.#adopt({ held: null, remembered: new Map(), watched, holds }, { otherwise: why });
      this.#looked = true;
      this.#unsaved = null;
    } catch (error) {
      this.#unsaved = { watched, message: `it waits to be taken over: ${describeError(toTsdError(error))}` };
      throw error;
    }
  }

  /** Carries out a held removal. Returns its directory, or null when none is held. */
  approveRemoval(by: Actor | null): string | null {
    const { held } = this.#accepted;
    if (!held) return null;
    this.#adopt(WITHOUT_DIRECTORY, { cause: `removal of ${held.directory} approved`, by });
    return held.directory;
  }

  /** Returns the desired state after {@link approveRemoval}, without a change. */
  previewRemoval(): DesiredState {
    return this.#resolver.resolve({ ...this.#accepted, ...WITHOUT_DIRECTORY }, this.generation + 1).state;
  }

  /**
   * Releases the pins of apps given by app or file name (none: all) and accepts their current manifests. Returns the apps.
   */
  approvePins(names: readonly string[], by: Actor | null): readonly string[] {
    const released = Object.entries(this.#accepted.pins)
      .filter(
        ([app, { sources }]) =>
          names.length === 0 || [app, ...sources.map(({ origin }) => origin)].some((name) => names.includes(name)),
      )
      .map(([app]) => app);
    if (released.length === 0) return [];
    const pins = withoutPins(this.#accepted.pins, released);
    this.#adopt({ pins }, { cause: `${released.join(', ')} approved`, by });
    return released;
  }

  /** Returns the pinned apps with the reason and the desired state after {@link approvePins} of each. */
  previewPins(): { readonly app: string; readonly reason: string; readonly state: DesiredState }[] {
    const { pins } = this.#accepted;
    return Object.entries(pins).map(([app, { reason }]) => {
      const released = { ...this.#accepted, pins: withoutPins(pins, [app]) };
      return { app, reason, state: this.#resolver.resolve(released, this.generation + 1).state };
    });
  }

  /** Returns each candidate declaration of the uncertain apps with the desired state it would lead to. */
  previewChoices(): { readonly choice: Choice; readonly state: DesiredState }[] {
    return choicesOf(this.#accepted.holds).map((choice) => {
      const chosen = withChoice(this.#accepted, choice, { generation: this.generation, looked: this.#looked });
      return { choice, state: this.#resolver.resolve(chosen, this.generation + 1).state };
    });
  }

  /**
   * Accepts a candidate declaration for each app, named `APP@NAME`. Returns the names.
   * @throws TsdError TSD_BAD_REQUEST for an app without a candidate, or for two candidates of one app
   */
  approveChoices(names: readonly string[], by: Actor | null): readonly string[] {
    const { holds } = this.#accepted;
    const chosen = choicesOf(holds).filter(({ name }) => names.includes(name));
    const apps = chosen.map(({ held }) => held.app);
    const vague = names.find((name) => holds.has(name)) ?? apps.find((app, index) => apps.indexOf(app) !== index);
    if (vague !== undefined) {
      const each = choicesOf(holds).filter(({ held }) => held.app === vague);
      throw new TsdError('TSD_BAD_REQUEST', `${vague} waits because ${holds.get(vague)?.reason}`, {
        hint: `Say which declaration holds: ${each.map(({ name }) => `\`tsdocker approve ${name}\``).join(' or ')}; \`tsdocker plan\` shows them.`,
      });
    }
    for (const choice of chosen) this.#choose(choice, by);
    return chosen.map(({ name }) => name);
  }

  /** Stores the chosen declaration as a generation, then restores the sources from the store as a start does. */
  #choose({ held, candidate, name }: Choice, by: Actor | null): void {
    const { history, kept, clock } = this.#options;
    const cause = `${name} approved: ${held.app} ${candidate.says}`;
    const { declaration } = candidate;
    if (declaration !== null) {
      const n = this.generation + 1;
      const current = storedGeneration(history, this.generation) ?? generationOf([], n);
      history.durable(() => {
        const next = merged(current, generationOf([declaration], n));
        appendGeneration(history, next, { n, cause, nowMs: clock.now().wallMs });
        history.holds.keep(new Set([...this.#accepted.holds.keys()].filter((app) => app !== held.app)));
      });
      const { remembered: known, ...restored } = restoreSources(history, (of) => kept.of(of));
      const { watched, held: removal, holds: before } = this.#accepted;
      const holds = withoutHolds(before, new Set([held.app]));
      const remembered = this.#looked ? this.#accepted.remembered : known;
      this.#adopt({ ...restored, watched, held: removal, remembered, holds }, { cause, by });
      return;
    }
    this.#adopt({ holds: withoutHolds(this.#accepted.holds, new Set([held.app])) }, { cause, by });
  }

  /** Returns the resolution with `inputs` applied, or in place of watched files, and without `tried.gone`. */
  preview(inputs: readonly ManifestInput[], tried: Omit<Inputs, 'inputs'> = {}): Resolution {
    return this.#resolver.resolve(withTried(this.#accepted, { ...tried, inputs }), this.generation + 1);
  }

  /**
   * Returns the resolution after {@link rollback}, without a change.
   * @throws TsdError as {@link rollback} does
   */
  previewRollback(n: number, hold: boolean): Resolution {
    return this.#resolver.resolve({ ...this.#accepted, ...this.#rolledBack(n, hold) }, this.generation + 1);
  }

  /**
   * Makes a new generation from the manifests of an earlier one; all or none. Files of the watched directory are never
   * written: with `hold` the apps of files that differ are pinned to that generation until such a file changes. Returns the
   * issues of the manifests; empty when the rollback was made.
   * @throws TsdError TSD_NO_SUCH_RESOURCE for an unknown generation, TSD_OWNED_BY_MANIFEST naming the files without `hold`.
   */
  rollback(n: number, hold: boolean, by: Actor | null): readonly IssueView[] {
    const issues = this.newIssues(this.previewRollback(n, hold));
    if (issues.length > 0) return issues;
    this.#adopt(this.#rolledBack(n, hold), { cause: `rolled back to generation ${n}`, imagesOf: n, by });
    return [];
  }

  /**
   * Rolls back the app of a container whose update failed to the last generation that declares the container as `from`, and
   * pins it there until one of its manifests changes. Returns that generation. Returns null when there is none, when the
   * manifests are the same, or when they conflict with the other apps of today.
   */
  rollBackUpdate({ key, from, reason, hint }: FailedUpdate): number | null {
    const { app } = parseKey(key);
    const n = lastGenerationWith(key, from, this.state, {
      stateOf: (past) => this.stateOf(past),
      changedIn: (past) => this.#options.history.generations.get(past)?.changes.resources.map((one) => one.key) ?? null,
    });
    if (n === null) return null;
    const [now, then] = [allSources(this.#accepted), this.#resolver.ofGeneration(n)];
    const ownerOf = ownerIn(this.#accepted, this.#options.history.generations.get(n)?.pins.owners);
    const own = [...new Map([...then, ...now]).keys()].filter((id) => ownerOf(id) === app);
    const text = `update of ${app}/${parseKey(key).name} failed: ${reason}; held at generation ${n}`;
    const compared = { now, then, ownerOf, filesOf: this.#filesOf(n), digestOf: this.#digestOf };
    const pin = pinsTo(n, text, own, compared)[app];
    if (!pin) return null;
    const pins = { ...this.#accepted.pins, [app]: { ...pin, failed: true, container: key, hint } };
    if (this.newIssues(this.#resolver.resolve({ ...this.#accepted, pins }, this.generation + 1)).length > 0)
      return null;
    const cause = `update of ${app}/${parseKey(key).name} failed, ${app} is back at generation ${n}`;
    this.#adopt({ pins }, { cause });
    return n;
  }

  /** Returns the issues of manifests that a resolution newly rejects. */
  newIssues(resolution: Resolution): readonly IssueView[] {
    return [...resolution.sources].flatMap(([id, { status, issues }]) =>
      status === 'rejected' && this.#resolution.sources.get(id)?.status !== 'rejected' ? issues.map(issueView) : [],
    );
  }

  /** Returns the desired state of a stored generation; null when it is not kept. */
  stateOf(n: number): DesiredState | null {
    return this.#resolver.stateOf(n);
  }

  /** Applies manifests; all or none. Returns their issues; empty when they are applied. */
  apply(inputs: readonly ManifestInput[], by: Actor | null): readonly IssueView[] {
    const issues = this.inputIssues(inputs, this.preview(inputs));
    if (issues.length > 0) return issues;
    const applied = withInputs(this.#accepted, { inputs });
    const fresh = new Set(inputs.map(({ file }) => sourceId({ kind: 'applied', origin: file })));
    this.#adopt({ applied }, { cause: `applied ${inputs.map(({ file }) => file).join(', ')}`, by, applied: fresh });
    return [];
  }

  /** Returns the issues of the inputs in a resolution that includes them. */
  inputIssues(inputs: readonly ManifestInput[], resolution: Resolution): readonly IssueView[] {
    return inputs.flatMap(({ file }) => resolution.sources.get(this.#inputId(file))?.issues.map(issueView) ?? []);
  }

  /** Returns the apps of the inputs in a resolution that includes them. */
  inputApps(inputs: readonly ManifestInput[], resolution: Resolution): ReadonlySet<string> {
    const apps = inputs.map(({ file }) => resolution.sources.get(this.#inputId(file))?.app ?? null);
    return new Set(apps.filter((app) => app !== null));
  }

  /** Returns the applied manifests by origin. */
  applied(): ReadonlyMap<string, Source> {
    return new Map([...this.#accepted.applied.values()].map((source) => [source.origin, source]));
  }

  /** Reports whether a file is in the watched directory, by any path, or was there at the last look. */
  isWatched(origin: string): boolean {
    if (standsIn(this.#options.directory, origin)) return true;
    return allSources(this.#accepted).has(sourceId({ kind: 'watched', origin }));
  }

  /** Returns origin and kind of the manifest that declares an app, or null. */
  sourceOfApp(app: string): { kind: SourceKind; origin: string } | null {
    for (const [id, outcome] of this.#resolution.sources) {
      if (outcome.app !== app || outcome.using === 'none') continue;
      const source = this.#resolver.effective(this.#accepted).get(id);
      if (source) return { kind: source.kind, origin: source.origin };
    }
    return null;
  }

  /** Removes applied manifests, and replaces by `inputs` those of which only a part goes. */
  remove(origins: readonly string[], inputs: readonly ManifestInput[], why: { cause: string; by: Actor | null }): void {
    const applied = withInputs(this.#accepted, { inputs, gone: origins, sameFiles: true });
    this.#adopt({ applied }, why);
  }

  views(): readonly ManifestView[] {
    const { generation } = this;
    const effective = this.#resolver.effective(this.#accepted);
    const unsaved = this.#unsaved;
    return manifestViews({
      accepted: this.#accepted,
      effective,
      outcomes: this.#resolution.sources,
      waiting: this.#resolver.waiting(this.#accepted),
      unsaved,
      generation,
      refused: this.#refused && { ...this.#refused, directory: this.#options.directory },
      refusedFile: this.#options.refusedFile ?? (() => undefined),
    });
  }

  /** Returns notes on files whose current content is not what is in force. Reads the files. */
  fileNotes(): readonly FileNote[] {
    // Network filesystems report no changes, so files may have changed since the last look.
    const { sources } = this.#resolver.resolve(this.#accepted, this.generation);
    const drifted = [...this.#resolver.effective(this.#accepted)].flatMap(([id, { origin, pinned }]) => {
      const outcome = sources.get(id);
      const drift = outcome && pinned ? driftOf(outcome, pinned.generation) : null;
      return drift ? driftNotes(origin, pinned?.held ? { ...drift, files: [] } : drift) : [];
    });
    return [...drifted, ...liveNotes(this.state, null)];
  }

  /**
   * Returns notes on what a rollback to generation `n` cannot restore.
   * @param after the resolution of the rollback
   */
  rollbackNotes(n: number, after: Resolution): readonly FileNote[] {
    const { history, kept, hasImage } = this.#options;
    const hashes = history.generations.get(n)?.pins.content ?? {};
    const contents = kept.of(n);
    const files = [...after.sources].flatMap(([id, outcome]) =>
      rollbackNotes({ generation: n, hashes: hashes[id] ?? {}, kept: contents?.[id] !== undefined }, outcome),
    );
    return [...goneImages(n, history.images.asOf(n), after.state, hasImage), ...files];
  }

  #inputId(file: string): string {
    const watched = sourceId({ kind: 'watched', origin: file });
    return this.#accepted.watched.has(watched) ? watched : sourceId({ kind: 'applied', origin: file });
  }

  #rolledBack(n: number, hold: boolean): RolledBack {
    const generation = this.#options.history.generations.get(n);
    if (!generation) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no generation ${n}`, {
        hint: '`tsdocker history` lists those that are kept.',
      });
    }
    const { pins } = generation;
    const now = allSources(this.#accepted);
    const ownerOf = ownerIn(this.#accepted, pins.owners);
    const kept = this.#options.kept.of(n) ?? {};
    /** A manifest that was not pinned then, and whose contents are not stored, keeps following its files. */
    const follows = (id: string): boolean => kept[id] === undefined && pins.applied?.[id] === undefined;
    const then = new Map(
      [...this.#resolver.ofGeneration(n)].map(([id, source]): [string, Source] => {
        if (source.kind === 'watched' || source.pinned === undefined || kept[id] !== undefined) return [id, source];
        // The contents to pin are read now.
        const pinned = { ...source.pinned, generation: this.generation + 1 };
        return [id, { ...source, pinned: follows(id) ? undefined : pinned }];
      }),
    );
    const all = this.#filesOf(n);
    const followed = this.#filesOf(n, (id) => this.#resolution.sources.get(id)?.followed ?? {});
    const filesOf = (id: string) => (id.startsWith('watched ') || follows(id) ? all(id) : followed(id));
    return rollBack(n, { now, then, ownerOf, filesOf, digestOf: this.#digestOf }, hold);
  }

  readonly #digestOf = (source: Source): string => this.#resolver.digestOf(source);

  /** Returns the files of a source that differ from generation `n`. @param among the files to compare; absent: all */
  #filesOf(n: number, among?: (id: string) => SourceOutcome['followed']): (id: string) => readonly string[] {
    const contents = this.#options.kept.of(n);
    const hashes = this.#options.history.generations.get(n)?.pins.content ?? {};
    return (id) => {
      const now = this.#accepted.good.get(id)?.contents;
      return now === undefined ? [] : changedFiles(contents?.[id], now, hashes[id] ?? {}, among?.(id));
    };
  }

  /**
   * Accepts a change of the manifests: resolves it, makes a new generation when something differs, and then replaces the
   * accepted set. All or nothing.
   * @throws TsdError when the generation cannot be stored; then nothing has changed
   */
  #adopt(change: Partial<SourceSet>, reason: Reason): void {
    const { clock, kept } = this.#options;
    const before = this.#resolution.state;
    const asked = { ...this.#accepted, ...change };
    const staged = { ...asked, pins: this.#resolver.pinsThatHold(asked) };
    const next = this.#resolver.resolve(staged, this.generation + 1);
    const effective = this.#resolver.effective(staged);
    const { set: revised, changed: isRevised } = accept(staged, effective, next.sources);
    const contents = contentsInUse(revised, effective);
    const applied = pinnedApplied(revised, effective, {
      generation: this.generation + 1,
      fresh: reason.applied ?? NONE,
      before: this.#accepted.applied,
    });
    const owners = [...next.sources.values()].flatMap(({ app, using }) => (using === 'none' ? [] : [app]));
    const accepted = { ...revised, applied, holds: endedBy(staged.holds, owners) };
    const changed = !sameState(before, next.state);
    const atMs = clock.now().wallMs;
    let after = next.state;
    if (changed || isRevised || this.#isNews(accepted, effective, contents)) {
      kept.keepCopies(contents, next.copies);
      this.#save(atMs, { accepted, effective, contents, after: next.state, staged }, reason);
    } else after = this.#keepPresent(accepted, next, contents);
    const edited = { sources: effective, outcomes: next.sources, before: staged.good, good: accepted.good };
    this.#notes.report({ ...edited, generation: this.generation, atMs });
    this.#accepted = accepted;
    const state = Object.freeze({ ...after, generation: this.generation });
    this.#resolution = { ...next, copies: NO_COPIES, state };
    if (changed) this.#options.onChange(this.#resolution.state, before);
  }

  /** Reports whether pins, applied generations or file contents differ from those stored with the current generation. */
  #isNews(accepted: SourceSet, effective: SourceMap, contents: Contents): boolean {
    const current = this.#options.history.generations.current();
    const pins = current?.pins.apps ?? {};
    if (JSON.stringify(accepted.pins) !== JSON.stringify(pins)) return true;
    if (current === null) return false;
    if (canonicalJson(appliedGenerations(accepted)) !== canonicalJson(current.pins.applied ?? {})) return true;
    if (this.#contents !== null) return canonicalJson(contents) !== canonicalJson(this.#contents);
    const { content } = textsInUse(accepted, effective);
    return canonicalJson(content) !== canonicalJson(current.pins.content);
  }

  /** Returns the generations whose file contents pinned apps need. */
  #heldAt({ pins, applied }: SourceSet): number[] {
    const held = Object.values(pins);
    const own = held.flatMap(({ sources }) =>
      sources.flatMap((pin) => applied.get(sourceId(pin))?.pinned?.generation ?? []),
    );
    return [...held.map(({ generation }) => generation), ...own];
  }

  #save(
    atMs: number,
    { accepted, effective, contents, after, staged }: Adopted,
    { cause, otherwise = '', imagesOf, by = null }: Reason,
  ): void {
    const { history, reserve, kept } = this.#options;
    const before = this.#resolution.state;
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
    const copies = this.#stageCopies({ texts, pins: generation.pins, contents }, accepted, after);
    const save = () =>
      history.durable(() => {
        saveGeneration(history, atMs, generation);
        history.holds.keep(new Set(accepted.holds.keys()));
        kept.save(this.generation, contents, this.#heldAt(accepted), this.#options.copiesInUse());
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
    this.#sweep(after);
  }

  /** Stages the second copies of changed declarations. A change that only removes may spend the disk reserve. */
  #stageCopies(stored: StoredGeneration, accepted: SourceSet, after: DesiredState): StagedCopies {
    const { declarations, reserve } = this.#options;
    const apps = [...declarationsOf(stored, after, ownerIn(accepted))];
    const json = new Map(apps.map(([app, declaration]) => [app, encoded(declaration)]));
    const stage = () => declarations.stage(json, this.generation + 1, new Set(accepted.holds.keys()));
    return onlyRemoves(this.#resolution.state, after) ? reserve.spendOn(stage) : stage();
  }

  /** Deletes unused copies. */
  #sweep(state: DesiredState): void {
    const { kept, copiesInUse } = this.#options;
    if (this.isUncertain) return;
    const declared = [...state.resources.values()].flatMap(({ files = {} }) => Object.values(files));
    try {
      kept.remove(kept.unused(new Set([...copiesInUse(), ...declared])));
    } catch (error) {
      // The next generation or `system prune` retries it.
      if (toTsdError(error).class === 'bug') throw error;
    }
  }
}
