/** Where the desired state comes from: the watched directory and applied manifests, as generations. */
import type { IssueView, ManifestInput, ManifestView } from '../api/supervisor.ts';
import type { Resolution } from '../manifest/desired-state.ts';
import type { DirectorySnapshot } from '../manifest/source/watch.ts';
import type { Actor } from '../model/actor.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../model/errors.ts';
import { parseKey } from '../model/resource.ts';
import type { FailedUpdate } from '../reconcile/ops/world.ts';
import type { History } from '../state/history/history.ts';
import type { SourceKind } from '../state/history/source-store.ts';
import type { Reserve } from '../state/reserve.ts';
import { ownerOfChanged } from './actors.ts';
import { EditNotes, type OnIssue } from './edit-notes.ts';
import { saveGeneration } from './generation-record.ts';
import { lastGenerationWith } from './last-good.ts';
import { issueView, manifestViews, type Unsaved } from './manifest-views.ts';
import { type RolledBack, rollBack } from './rollback.ts';
import { bySourceId, originOf, type Source, type SourceMap, sourceId, standsIn } from './source.ts';
import { describeFiles, fileChanges, onlyRemoves, sameState } from './source-changes.ts';
import { type AppPins, newlyPinnedImages, pinsThatHold, pinsTo, withoutPins } from './source-pins.ts';
import { SourceResolver, type SourceResolverOptions } from './source-resolver.ts';
import {
  accept,
  allSources,
  type HeldRemoval,
  ownerIn,
  restoreSources,
  type StandingSources,
  textsInUse,
  withInputs,
  withTried,
} from './standing-sources.ts';

export interface SourcesOptions {
  readonly history: History;
  readonly reserve: Reserve;
  readonly clock: Clock;
  readonly directory: string;
  readonly resolve: SourceResolverOptions;
  /** Called after every change of the desired state. */
  readonly onChange: (state: DesiredState, before: DesiredState) => void;
  /** Told once of what was not taken over. */
  readonly onIssue?: OnIssue;
}

/** After the removal of the whole watched directory. */
const WITHOUT_DIRECTORY: Partial<StandingSources> = { held: null, watched: new Map(), remembered: new Map() };

/** Why a change is taken over. */
interface Reason {
  /** In words. Left out, the files that changed are named, or `otherwise` is said. */
  readonly cause?: string;
  readonly otherwise?: string;
  /** A generation whose images declarations are to mean again. Left out, they are resolved as usual. */
  readonly imagesOf?: number;
  /** Who asked for it. Left out, nobody did, or whose files changed. */
  readonly by?: Actor | null;
}

const baseOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

export class Sources {
  readonly #options: SourcesOptions;
  readonly #resolver: SourceResolver;
  /** The latest look at the watched directory. */
  #watching: Promise<void> = Promise.resolve();
  #standing: StandingSources;
  #unsaved: Unsaved | null = null;
  #closed = false;
  readonly #notes: EditNotes;
  #resolution: Resolution;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#resolver = new SourceResolver(options.history, options.resolve);
    this.#notes = new EditNotes(options.history, options.onIssue ?? (() => {}));
    this.#standing = restoreSources(options.history);
    this.#resolution = this.#resolver.resolve(this.#standing, this.generation);
  }

  get state(): DesiredState {
    return this.#resolution.state;
  }

  get generation(): number {
    return this.#options.history.generations.currentNumber();
  }

  get held(): HeldRemoval | null {
    return this.#standing.held;
  }

  /** Files outside the manifests whose content counts. */
  inputs(): string[] {
    return [...this.#resolution.sources.values()].flatMap(({ inputs }) => inputs);
  }

  /**
   * Takes over what the watched directory holds now, once its build contexts have been read; one look after the other.
   * Returns whether it did: a look that {@link close} cut short took over nothing.
   * @throws TSD_DISK_FULL; then nothing was taken over, and the manifests that wait are shown as held.
   */
  watch(snapshot: DirectorySnapshot): Promise<boolean> {
    const watching = this.#watching.then(async () => {
      const watched = snapshot.files.map(({ path, content }): Source => {
        return { kind: 'watched', origin: path, baseDir: baseOf(path), content };
      });
      await this.#resolver.look({ ...this.#standing, watched: bySourceId(watched) });
      if (this.#closed) return false;
      this.#takeOver(snapshot, bySourceId(watched));
      return true;
    });
    this.#watching = watching.then(
      () => {},
      () => {},
    );
    return watching;
  }

  /** Reads the build contexts of the manifests with these applied, in small steps. What is resolved next is as of now. */
  look(inputs: readonly ManifestInput[] = []): Promise<void> {
    return this.#resolver.look(withTried(this.#standing, inputs));
  }

  /** Like {@link look}, for a rollback. @throws TsdError as that does. */
  async lookBack(n: number, hold: boolean): Promise<void> {
    await this.#resolver.look({ ...this.#standing, ...this.#rolledBack(n, hold) });
  }

  /** Takes over nothing more, and resolves when the look that goes on has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#resolver.close();
    await this.#watching;
  }

  #takeOver({ files, loss, inputsChanged }: DirectorySnapshot, watched: SourceMap): void {
    const { directory } = this.#options;
    const before = this.#standing.watched.size > 0 ? this.#standing.watched : this.#standing.remembered;
    const emptied = files.length === 0 && before.size > 1;
    if ((loss !== 'none' && before.size > 0) || emptied) {
      const what = loss === 'vanished' ? 'is gone' : 'was emptied';
      const message = `${directory} ${what}; its ${before.size} manifests stay until \`tsdocker approve\``;
      this.#standing = { ...this.#standing, watched: before, held: { directory, message } };
      return;
    }
    const why = inputsChanged ? 'a referenced file changed' : `${directory} changed`;
    try {
      this.#adopt({ held: null, remembered: new Map(), watched }, { otherwise: why });
      this.#unsaved = null;
    } catch (error) {
      this.#unsaved = { watched, message: `it waits to be taken over: ${describeError(toTsdError(error))}` };
      throw error;
    }
  }

  /** Lets a held removal happen. Returns its directory, or null when nothing is held. */
  approveRemoval(by: Actor | null): string | null {
    const { held } = this.#standing;
    if (!held) return null;
    this.#adopt(WITHOUT_DIRECTORY, { cause: `removal of ${held.directory} approved`, by });
    return held.directory;
  }

  /** What the desired state would be after {@link approveRemoval}. */
  previewRemoval(): DesiredState {
    return this.#resolver.resolve({ ...this.#standing, ...WITHOUT_DIRECTORY }, this.generation + 1).state;
  }

  /**
   * Lets pinned apps go, by app or file; all without names. Their manifests are taken over as they are now. Returns the
   * apps.
   */
  approvePins(names: readonly string[], by: Actor | null): readonly string[] {
    const released = Object.entries(this.#standing.pins)
      .filter(
        ([app, { sources }]) =>
          names.length === 0 || [app, ...sources.map(({ origin }) => origin)].some((name) => names.includes(name)),
      )
      .map(([app]) => app);
    if (released.length === 0) return [];
    const pins = withoutPins(this.#standing.pins, released);
    this.#adopt({ pins }, { cause: `${released.join(', ')} approved`, by });
    return released;
  }

  /** Pinned apps, with why and what the desired state would be after {@link approvePins} of each. */
  previewPins(): { readonly app: string; readonly reason: string; readonly state: DesiredState }[] {
    const { pins } = this.#standing;
    return Object.entries(pins).map(([app, { reason }]) => {
      const standing = { ...this.#standing, pins: withoutPins(pins, [app]) };
      return { app, reason, state: this.#resolver.resolve(standing, this.generation + 1).state };
    });
  }

  /** What the desired state would be with these manifests applied, or as files of the watched directory, and those of some origins taken back. */
  preview(inputs: readonly ManifestInput[], gone: readonly string[] = []): Resolution {
    return this.#resolver.resolve(withTried(this.#standing, inputs, gone), this.generation + 1);
  }

  /**
   * What the desired state would be after {@link rollback}.
   * @throws TsdError as that does.
   */
  previewRollback(n: number, hold: boolean): Resolution {
    return this.#resolver.resolve({ ...this.#standing, ...this.#rolledBack(n, hold) }, this.generation + 1);
  }

  /**
   * Goes back to the manifests of an earlier generation, as a new one; all or nothing. Files of the watched directory
   * that differ from it stay as they are: with `hold` their apps are pinned to that generation until such a file changes.
   * Returns the issues that manifests would have.
   * @throws TsdError TSD_NO_SUCH_RESOURCE for an unknown generation, TSD_OWNED_BY_MANIFEST naming the files without `hold`.
   */
  rollback(n: number, hold: boolean, by: Actor | null): readonly IssueView[] {
    const issues = this.newIssues(this.previewRollback(n, hold));
    if (issues.length > 0) return issues;
    this.#adopt(this.#rolledBack(n, hold), { cause: `rolled back to generation ${n}`, imagesOf: n, by });
    return [];
  }

  /**
   * Brings the app of a container whose update failed back to the last generation in which the container was made from
   * `from`, and holds it there until one of its manifests is another one. Returns that generation, or null where there is
   * none, the manifests are the same, or they do not go with those of other apps any more.
   */
  rollBackUpdate({ key, from, reason, hint }: FailedUpdate): number | null {
    const { app } = parseKey(key);
    const n = lastGenerationWith(key, from, this.state, {
      stateOf: (past) => this.stateOf(past),
      changedIn: (past) => this.#options.history.generations.get(past)?.changes.resources.map((one) => one.key) ?? null,
    });
    if (n === null) return null;
    const [now, then] = [allSources(this.#standing), this.#resolver.ofGeneration(n)];
    const ownerOf = ownerIn(this.#standing, this.#options.history.generations.get(n)?.pins.owners);
    const own = [...new Map([...then, ...now]).keys()].filter((id) => ownerOf(id) === app);
    const text = `update of ${app}/${parseKey(key).name} failed: ${reason}; held at generation ${n}`;
    const pin = pinsTo(n, text, own, now, then, ownerOf)[app];
    if (!pin) return null;
    const pins = { ...this.#standing.pins, [app]: { ...pin, failed: true, container: key, hint } };
    if (this.newIssues(this.#resolver.resolve({ ...this.#standing, pins }, this.generation + 1)).length > 0)
      return null;
    const cause = `update of ${app}/${parseKey(key).name} failed, ${app} is back at generation ${n}`;
    this.#adopt({ pins }, { cause });
    return n;
  }

  /** Problems of manifests that have none now. */
  newIssues(resolution: Resolution): readonly IssueView[] {
    return [...resolution.sources].flatMap(([id, { status, issues }]) =>
      status === 'rejected' && this.#resolution.sources.get(id)?.status !== 'rejected' ? issues.map(issueView) : [],
    );
  }

  /** The desired state of a generation, from what is stored of it. Null when it is not kept. */
  stateOf(n: number): DesiredState | null {
    return this.#resolver.stateOf(n);
  }

  /** Applies manifests; all or none. Returns their issues. */
  apply(inputs: readonly ManifestInput[], by: Actor | null): readonly IssueView[] {
    const issues = this.inputIssues(inputs, this.preview(inputs));
    if (issues.length > 0) return issues;
    const applied = withInputs(this.#standing, inputs);
    this.#adopt({ applied }, { cause: `applied ${inputs.map(({ file }) => file).join(', ')}`, by });
    return [];
  }

  /** Problems of given inputs in a resolution that holds them. */
  inputIssues(inputs: readonly ManifestInput[], resolution: Resolution): readonly IssueView[] {
    return inputs.flatMap(({ file }) => resolution.sources.get(this.#inputId(file))?.issues.map(issueView) ?? []);
  }

  /** Apps of given inputs in a resolution that holds them. */
  inputApps(inputs: readonly ManifestInput[], resolution: Resolution): ReadonlySet<string> {
    const apps = inputs.map(({ file }) => resolution.sources.get(this.#inputId(file))?.app ?? null);
    return new Set(apps.filter((app) => app !== null));
  }

  /** The applied manifests, by origin. */
  applied(): ReadonlyMap<string, Source> {
    return new Map([...this.#standing.applied.values()].map((source) => [source.origin, source]));
  }

  /** True for a file that stands in the watched directory, whatever path leads there, and for one that stood there. */
  isWatched(origin: string): boolean {
    if (standsIn(this.#options.directory, origin)) return true;
    return allSources(this.#standing).has(sourceId({ kind: 'watched', origin }));
  }

  /** Origin and kind of the manifest that declares an app. */
  sourceOfApp(app: string): { kind: SourceKind; origin: string } | null {
    for (const [id, outcome] of this.#resolution.sources) {
      if (outcome.app !== app || outcome.using === 'none') continue;
      const source = this.#resolver.effective(this.#standing).get(id);
      if (source) return { kind: source.kind, origin: source.origin };
    }
    return null;
  }

  /** Takes applied manifests away, and puts others in the place of those from which only a part goes. */
  remove(origins: readonly string[], inputs: readonly ManifestInput[], why: { cause: string; by: Actor | null }): void {
    this.#adopt({ applied: withInputs(this.#standing, inputs, origins) }, why);
  }

  views(): readonly ManifestView[] {
    const { generation } = this;
    const effective = this.#resolver.effective(this.#standing);
    const unsaved = this.#unsaved;
    return manifestViews({
      standing: this.#standing,
      effective,
      outcomes: this.#resolution.sources,
      unsaved,
      generation,
    });
  }

  #inputId(file: string): string {
    const watched = sourceId({ kind: 'watched', origin: file });
    return this.#standing.watched.has(watched) ? watched : sourceId({ kind: 'applied', origin: file });
  }

  #rolledBack(n: number, hold: boolean): RolledBack {
    const generation = this.#options.history.generations.get(n);
    if (!generation) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no generation ${n}`, {
        hint: '`tsdocker history` lists those that are kept.',
      });
    }
    const ownerOf = ownerIn(this.#standing, generation.pins.owners);
    return rollBack(n, { now: allSources(this.#standing), past: this.#resolver.ofGeneration(n), ownerOf }, hold);
  }

  /**
   * Makes changed sources the desired state; a new generation when it differs. All or nothing: what cannot be written down
   * has not happened.
   */
  #adopt(change: Partial<StandingSources>, { cause, otherwise = '', imagesOf, by = null }: Reason): void {
    const { history, reserve, clock } = this.#options;
    const before = this.#resolution.state;
    const wanted = { ...this.#standing, ...change };
    const pins = pinsThatHold(wanted.pins, allSources(wanted));
    const pinsBefore = this.#pinsOfGeneration();
    const next = this.#resolver.resolve({ ...wanted, pins }, this.generation + 1);
    const effective = this.#resolver.effective({ ...wanted, pins });
    const accepted = accept({ ...wanted, pins }, effective, next.sources);
    const { good, owners } = accepted.standing;
    const changed = !sameState(before, next.state);
    const atMs = clock.now().wallMs;
    if (changed || accepted.changed || JSON.stringify(pins) !== JSON.stringify(pinsBefore)) {
      const files = fileChanges(wanted.good, good, originOf);
      const { texts, content } = textsInUse(accepted.standing, effective);
      const images = newlyPinnedImages(pins, pinsBefore, imagesOf ?? null, (n) => history.images.asOf(n));
      const generation = {
        texts,
        cause: cause ?? (describeFiles(files) || otherwise),
        pins: { apps: pins, images, content, owners: Object.fromEntries(owners) },
        files,
        by: by ?? (cause === undefined ? ownerOfChanged(files) : null),
        before,
        after: next.state,
      };
      const save = () => saveGeneration(history, atMs, generation);
      if (onlyRemoves(before, next.state)) reserve.spendOn(save);
      else save();
      history.resources.pin(images);
    }
    const edited = { sources: effective, outcomes: next.sources, before: wanted.good, good };
    this.#notes.tell({ ...edited, generation: this.generation, atMs });
    this.#standing = accepted.standing;
    this.#resolution = { ...next, state: Object.freeze({ ...next.state, generation: this.generation }) };
    if (changed) this.#options.onChange(this.#resolution.state, before);
  }

  #pinsOfGeneration(): AppPins {
    return this.#options.history.generations.current()?.pins.apps ?? {};
  }
}
