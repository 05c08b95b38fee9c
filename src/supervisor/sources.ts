/** Where the desired state comes from: the watched directory and applied manifests, as generations. */
import type { IssueView, ManifestInput, ManifestView } from '../api/supervisor.ts';
import { BuildContexts } from '../manifest/build-contexts.ts';
import {
  declaredBuilds,
  desiredState,
  type GoodRevision,
  ParseCache,
  type Resolution,
  type ResolveOptions,
  type SourceOutcome,
  type SourceRevision,
} from '../manifest/desired-state.ts';
import type { ManifestIssue } from '../manifest/issue.ts';
import { appNameOf } from '../manifest/parse.ts';
import type { DirectorySnapshot } from '../manifest/source/watch.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { ERROR_CATALOGUE } from '../model/error-catalogue.ts';
import { describeError, TsdError, toTsdError } from '../model/errors.ts';
import { parseKey } from '../model/resource.ts';
import type { FailedUpdate } from '../reconcile/ops/world.ts';
import type { GenerationPins } from '../state/history/generation-store.ts';
import type { History } from '../state/history/history.ts';
import type { SourceKind, SourceText } from '../state/history/source-store.ts';
import { Rejections, saveGeneration, stateOfGeneration } from './generation-record.ts';
import { lastGenerationWith } from './last-good.ts';
import { type RolledBack, rollBack } from './rollback.ts';
import { bySourceId, originOf, type Source, type SourceMap, sourceId, storedSource } from './source.ts';
import { describeFiles, fileChanges, sameState } from './source-changes.ts';
import {
  type AppPins,
  heldBackSources,
  newlyPinnedImages,
  pinReasons,
  pinsThatHold,
  pinsTo,
  withPins,
} from './source-pins.ts';

/** A change that takes several manifests away at once and looks like an accident (DESIGN §13.10). */
interface HeldRemoval {
  readonly directory: string;
  readonly message: string;
}

/** The watched manifests as they are now, which could not be taken over. */
interface Unsaved {
  readonly watched: SourceMap;
  readonly message: string;
}

export interface SourcesOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly directory: string;
  readonly resolve: Omit<ResolveOptions, 'generation' | 'contexts'>;
  /** Called after every change of the desired state. */
  readonly onChange: (state: DesiredState, before: DesiredState) => void;
}

const baseOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

/** For a source that never said which app it is. */
function ownerByName(id: string): string {
  const origin = originOf(id);
  return appNameOf(origin) ?? origin;
}

export function issueView({ code, message, position, hint }: ManifestIssue): IssueView {
  return { code, message, ...position, hint: hint ?? ERROR_CATALOGUE[code].hint };
}

export class Sources {
  readonly #options: SourcesOptions;
  readonly #cache = new ParseCache();
  readonly #contexts = new BuildContexts();
  /** The latest look at the watched directory. */
  #watching: Promise<void> = Promise.resolve();
  #applied = new Map<string, Source>();
  #watched = new Map<string, Source>();
  #good = new Map<string, GoodRevision>();
  /** The app that a source declared when it was last good. */
  #owners = new Map<string, string>();
  /** Watched manifests of the last generation, until the directory has been looked at. */
  #remembered = new Map<string, Source>();
  #held: HeldRemoval | null = null;
  #unsaved: Unsaved | null = null;
  #closed = false;
  #pins: AppPins = {};
  readonly #rejections: Rejections;
  #resolution: Resolution;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#rejections = new Rejections(options.history);
    this.#restore();
    this.#resolution = this.#resolve(this.#all(), this.#pins, this.generation);
  }

  get state(): DesiredState {
    return this.#resolution.state;
  }

  get generation(): number {
    return this.#options.history.generations.currentNumber();
  }

  get held(): HeldRemoval | null {
    return this.#held;
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
      await this.#lookAt(new Map([...this.#all(), ...bySourceId(watched)]), this.#pins);
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
    return this.#lookAt(this.#all(this.#withInputs(inputs)), this.#pins);
  }

  /** Like {@link look}, for a rollback. @throws TsdError as that does. */
  async lookBack(n: number, hold: boolean): Promise<void> {
    const { applied, pins } = this.#rolledBack(n, hold);
    await this.#lookAt(this.#all(applied), pins);
  }

  /** Takes over nothing more, and resolves when the look that goes on has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#contexts.close();
    await this.#watching;
  }

  #takeOver({ files, loss, inputsChanged }: DirectorySnapshot, watched: Map<string, Source>): void {
    const before = this.#watched.size > 0 ? this.#watched : this.#remembered;
    const emptied = files.length === 0 && before.size > 1;
    if ((loss !== 'none' && before.size > 0) || emptied) {
      this.#watched = before;
      const what = loss === 'vanished' ? 'is gone' : 'was emptied';
      this.#held = {
        directory: this.#options.directory,
        message: `${this.#options.directory} ${what}; its ${before.size} manifests stay until \`tsdocker approve\``,
      };
      return;
    }
    try {
      this.#change(() => {
        this.#held = null;
        this.#remembered = new Map();
        this.#watched = watched;
        this.#adopt(null, inputsChanged ? 'a referenced file changed' : `${this.#options.directory} changed`);
      });
      this.#unsaved = null;
    } catch (error) {
      this.#unsaved = { watched, message: `it waits to be taken over: ${describeError(toTsdError(error))}` };
      throw error;
    }
  }

  /** All or nothing: what could not be written down has not happened. */
  #change(change: () => void): void {
    const [applied, watched, remembered, held] = [this.#applied, this.#watched, this.#remembered, this.#held];
    const [good, owners, pins] = [this.#good, new Map(this.#owners), this.#pins];
    try {
      change();
    } catch (error) {
      [this.#applied, this.#watched, this.#remembered, this.#held] = [applied, watched, remembered, held];
      [this.#good, this.#owners, this.#pins] = [good, owners, pins];
      throw error;
    }
  }

  /** Lets a held removal happen. Returns its directory, or null when nothing is held. */
  approveRemoval(): string | null {
    const held = this.#held;
    if (!held) return null;
    this.#change(() => {
      this.#held = null;
      this.#watched = new Map();
      this.#remembered = new Map();
      this.#adopt(`removal of ${held.directory} approved`);
    });
    return held.directory;
  }

  /**
   * Lets pinned apps go, by app or file; all without names. Their manifests are taken over as they are now. Returns the
   * apps.
   */
  approvePins(names: readonly string[]): readonly string[] {
    const released = Object.entries(this.#pins)
      .filter(
        ([app, { sources }]) =>
          names.length === 0 || [app, ...sources.map(({ origin }) => origin)].some((name) => names.includes(name)),
      )
      .map(([app]) => app);
    if (released.length === 0) return [];
    this.#change(() => {
      this.#pins = Object.fromEntries(Object.entries(this.#pins).filter(([app]) => !released.includes(app)));
      this.#adopt(`${released.join(', ')} approved`);
    });
    return released;
  }

  /** What the desired state would be with these manifests applied, and those of some origins taken back. */
  preview(inputs: readonly ManifestInput[], gone: readonly string[] = []): Resolution {
    return this.#resolve(this.#all(this.#withInputs(inputs, gone)), this.#pins, this.generation + 1);
  }

  /**
   * What the desired state would be after {@link rollback}.
   * @throws TsdError as that does.
   */
  previewRollback(n: number, hold: boolean): Resolution {
    const { applied, pins } = this.#rolledBack(n, hold);
    return this.#resolve(this.#all(applied), pins, this.generation + 1);
  }

  /**
   * Goes back to the manifests of an earlier generation, as a new one; all or nothing. Files of the watched directory
   * that differ from it stay as they are: with `hold` their apps are pinned to that generation until such a file changes.
   * Returns the issues that manifests would have.
   * @throws TsdError TSD_NO_SUCH_RESOURCE for an unknown generation, TSD_OWNED_BY_MANIFEST naming the files without `hold`.
   */
  rollback(n: number, hold: boolean): readonly IssueView[] {
    const issues = this.newIssues(this.previewRollback(n, hold));
    if (issues.length > 0) return issues;
    const { applied, pins } = this.#rolledBack(n, hold);
    this.#change(() => {
      this.#applied = applied;
      this.#pins = pins;
      this.#adopt(`rolled back to generation ${n}`, '', n);
    });
    return [];
  }

  /**
   * Brings the app of a container whose update failed back to the last generation in which the container was made from
   * `from`, and holds it there until one of its manifests is another one. Returns that generation, or null where there is
   * none, the manifests are the same, or they do not go with those of other apps any more.
   */
  rollBackUpdate({ key, from, reason }: FailedUpdate): number | null {
    const { app } = parseKey(key);
    const n = lastGenerationWith(key, from, this.state, (past) => this.stateOf(past));
    if (n === null) return null;
    const [now, then] = [this.#all(), this.#ofGeneration(n)];
    const owners = this.#options.history.generations.get(n)?.pins.owners ?? {};
    const ownerOf = (id: string): string => this.#owners.get(id) ?? owners[id] ?? ownerByName(id);
    const own = [...new Map([...then, ...now]).keys()].filter((id) => ownerOf(id) === app);
    const text = `update of ${app}/${parseKey(key).name} failed: ${reason}; held at generation ${n}`;
    const pin = pinsTo(n, text, own, now, then, ownerOf)[app];
    if (!pin) return null;
    const pins = { ...this.#pins, [app]: { ...pin, failed: true } };
    if (this.newIssues(this.#resolve(now, pins, this.generation + 1)).length > 0) return null;
    this.#change(() => {
      this.#pins = pins;
      this.#adopt(`update of ${app}/${parseKey(key).name} failed, ${app} is back at generation ${n}`);
    });
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
    return stateOfGeneration(this.#options.history, { ...this.#options.resolve, contexts: this.#contexts }, n);
  }

  /** Applies manifests; all or none. Returns their issues. */
  apply(inputs: readonly ManifestInput[]): readonly IssueView[] {
    const issues = this.inputIssues(inputs, this.preview(inputs));
    if (issues.length > 0) return issues;
    this.#change(() => {
      this.#applied = this.#withInputs(inputs);
      this.#adopt(`applied ${inputs.map(({ file }) => file).join(', ')}`);
    });
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
    return new Map([...this.#applied.values()].map((source) => [source.origin, source]));
  }

  isWatched(origin: string): boolean {
    return this.#all().has(sourceId({ kind: 'watched', origin }));
  }

  /** Origin and kind of the manifest that declares an app. */
  sourceOfApp(app: string): { kind: SourceKind; origin: string } | null {
    for (const [id, outcome] of this.#resolution.sources) {
      if (outcome.app !== app || outcome.using === 'none') continue;
      const source = this.#effective(this.#all(), this.#pins).get(id);
      if (source) return { kind: source.kind, origin: source.origin };
    }
    return null;
  }

  /** Takes applied manifests away, and puts others in the place of those from which only a part goes. */
  remove(origins: readonly string[], inputs: readonly ManifestInput[], cause: string): void {
    this.#change(() => {
      this.#applied = this.#withInputs(inputs, origins);
      this.#adopt(cause);
    });
  }

  views(): readonly ManifestView[] {
    const pinned = pinReasons(this.#pins);
    const waiting = this.#unsavedSources();
    const sources = new Map([...this.#effective(this.#all(), this.#pins), ...this.#all(), ...waiting]);
    return [...sources].map(([id, source]) => {
      const outcome = this.#resolution.sources.get(id);
      const unsaved = waiting.has(id) ? this.#unsaved?.message : undefined;
      const held = unsaved ?? pinned.get(id) ?? (source.kind === 'watched' ? this.#held?.message : undefined) ?? null;
      return {
        file: source.origin,
        app: outcome?.app ?? this.#owners.get(id) ?? null,
        origin: source.kind,
        state: held !== null ? 'Held' : outcome?.status === 'rejected' ? 'Rejected' : 'Active',
        generation: this.generation,
        issues: outcome?.issues.map(issueView) ?? [],
        held,
      };
    });
  }

  /** Watched manifests that differ from those in force because they could not be taken over. */
  #unsavedSources(): SourceMap {
    const inForce = this.#all();
    const differs = ([id, { content }]: readonly [string, Source]) =>
      JSON.stringify(content) !== JSON.stringify(inForce.get(id)?.content);
    return new Map([...(this.#unsaved?.watched ?? [])].filter(differs));
  }

  #inputId(file: string): string {
    const watched = sourceId({ kind: 'watched', origin: file });
    return this.#watched.has(watched) ? watched : sourceId({ kind: 'applied', origin: file });
  }

  #withInputs(inputs: readonly ManifestInput[], gone: readonly string[] = []): Map<string, Source> {
    const applied = new Map([...this.#applied].filter(([, { origin }]) => !gone.includes(origin)));
    for (const { file, baseDir, text } of inputs) {
      const source: Source = { kind: 'applied', origin: file, baseDir, content: { ok: true, text } };
      applied.set(sourceId(source), source);
    }
    return applied;
  }

  /** The manifests as they are. */
  #all(applied: SourceMap = this.#applied): SourceMap {
    return new Map([...this.#remembered, ...this.#watched, ...applied]);
  }

  /** The manifests that count. */
  #effective(sources: SourceMap, pins: AppPins): SourceMap {
    return withPins(sources, pinsThatHold(pins, sources), (n) => this.#ofGeneration(n));
  }

  #ofGeneration(n: number): SourceMap {
    return bySourceId(this.#options.history.sources.ofGeneration(n).map(storedSource));
  }

  #rolledBack(n: number, hold: boolean): RolledBack {
    const generation = this.#options.history.generations.get(n);
    if (!generation) {
      throw new TsdError('TSD_NO_SUCH_RESOURCE', `there is no generation ${n}`, {
        hint: '`tsdocker history` lists those that are kept.',
      });
    }
    const { owners = {} } = generation.pins;
    const ownerOf = (id: string): string => this.#owners.get(id) ?? owners[id] ?? ownerByName(id);
    return rollBack(n, { now: this.#all(), past: this.#ofGeneration(n), ownerOf }, hold);
  }

  #revisions(effective: SourceMap): SourceRevision[] {
    return [...effective].map(([id, { origin, baseDir, content }]) => ({
      sourceId: id,
      file: origin,
      baseDir,
      content,
      lastGood: this.#good.get(id) ?? null,
    }));
  }

  async #lookAt(sources: SourceMap, pins: AppPins): Promise<void> {
    const revisions = this.#revisions(this.#effective(sources, pins));
    await this.#contexts.look(declaredBuilds(revisions, this.#options.resolve, this.#cache));
  }

  #resolve(sources: SourceMap, pins: AppPins, generation: number): Resolution {
    const effective = this.#effective(sources, pins);
    const options = { ...this.#options.resolve, contexts: this.#contexts, generation };
    const resolution = desiredState(this.#revisions(effective), options, this.#cache);
    const untouched = this.#untouched(effective, resolution);
    const held = Object.entries(pinsThatHold(pins, sources)).map(
      ([app, { reason, failed = false }]) => [app, { reason, failed }] as const,
    );
    const state = {
      ...resolution.state,
      ...(untouched.size > 0 && { untouched }),
      ...(held.length > 0 && { heldBack: new Map(held) }),
    };
    return { ...resolution, state };
  }

  /** Apps that were accepted once and of which nothing can be used now: what runs of them is left alone. */
  #untouched(effective: SourceMap, { sources }: Resolution): ReadonlySet<string> {
    const apps = [...sources].flatMap(([id, { using }]) => {
      if (using !== 'none' || !effective.has(id) || !this.#good.has(id)) return [];
      return [this.#owners.get(id) ?? ownerByName(id)];
    });
    return new Set(apps.sort());
  }

  /**
   * Makes the present sources the desired state; a new generation when it differs.
   * @param cause in words; null names the files that changed, or says `otherwise`
   * @param imagesOf a generation whose images declarations are to mean again; null where they are resolved as usual
   */
  #adopt(cause: string | null, otherwise = '', imagesOf: number | null = null): void {
    const before = this.#resolution.state;
    const good = this.#good;
    const sources = this.#all();
    const pins = pinsThatHold(this.#pins, sources);
    const next = this.#resolve(sources, pins, this.generation + 1);
    const pinsChanged = JSON.stringify(pins) !== JSON.stringify(this.#pinsOfGeneration());
    this.#pins = pins;
    const effective = this.#effective(sources, pins);
    const changed = !sameState(before, next.state);
    const accepted = this.#accept(effective, next.sources);
    const { history, clock } = this.#options;
    const atMs = clock.now().wallMs;
    if (changed || accepted || pinsChanged) {
      const files = fileChanges(good, this.#good, originOf);
      const { texts, content } = this.#accepted(effective);
      const images = newlyPinnedImages(pins, this.#pinsOfGeneration(), imagesOf, (n) => history.images.asOf(n));
      saveGeneration(history, atMs, {
        texts,
        cause: cause ?? (describeFiles(files) || otherwise),
        pins: { apps: pins, images, content, owners: Object.fromEntries(this.#owners) },
        files,
        before,
        after: next.state,
      });
      history.resources.pin(images);
    }
    this.#rejections.tell(effective, next.sources, { generation: this.generation, atMs });
    this.#resolution = { ...next, state: Object.freeze({ ...next.state, generation: this.generation }) };
    if (changed) this.#options.onChange(this.#resolution.state, before);
  }

  #pinsOfGeneration(): AppPins {
    return this.#options.history.generations.current()?.pins.apps ?? {};
  }

  /** Remembers the revisions that are now in use. Returns whether any of them is new. */
  #accept(sources: SourceMap, outcomes: ReadonlyMap<string, SourceOutcome>): boolean {
    const good = new Map<string, GoodRevision>();
    let changed = this.#good.size !== sources.size;
    for (const [id, outcome] of outcomes) {
      const content = sources.get(id)?.content;
      const previous = this.#good.get(id);
      const current =
        outcome.using === 'current' && content?.ok
          ? { text: content.text, contentHashes: outcome.contentHashes }
          : previous;
      if (current) good.set(id, current);
      if (current && outcome.app !== null) this.#owners.set(id, outcome.app);
      if (current?.text !== previous?.text) changed = true;
    }
    this.#good = good;
    return changed;
  }

  /** The accepted texts, with the hashes of what they referred to. */
  #accepted(sources: SourceMap): { readonly texts: SourceText[]; readonly content: GenerationPins['content'] } {
    const content: Record<string, Readonly<Record<string, string>>> = {};
    const texts = [...sources].flatMap(([id, { kind, origin, baseDir }]) => {
      const good = this.#good.get(id);
      if (!good) return [];
      content[id] = good.contentHashes;
      return [{ kind, origin, baseDir, text: good.text }];
    });
    return { texts, content };
  }

  #restore(): void {
    const { generations, sources } = this.#options.history;
    const current = generations.current();
    if (!current) return;
    this.#pins = Object.fromEntries(
      Object.entries(current.pins.apps).filter(([, pin]) => generations.get(pin.generation) !== null),
    );
    for (const [id, app] of Object.entries(current.pins.owners ?? {})) this.#owners.set(id, app);
    const pinned = new Set(Object.values(this.#pins).flatMap((pin) => pin.sources.map(sourceId)));
    const present = heldBackSources(this.#pins);
    for (const text of sources.ofGeneration(current.n)) {
      const id = sourceId(text);
      this.#good.set(id, { text: text.text, contentHashes: current.pins.content[id] ?? {} });
      if (!pinned.has(id)) present.push(storedSource(text));
    }
    for (const source of present) {
      const known = source.kind === 'watched' ? this.#remembered : this.#applied;
      known.set(sourceId(source), source);
    }
  }
}
