/** Where the desired state comes from: the watched directory and applied manifests, as generations. */
import type { IssueView, ManifestInput, ManifestView } from '../api/supervisor.ts';
import {
  desiredState,
  type GoodRevision,
  ParseCache,
  type Resolution,
  type ResolveOptions,
  type SourceOutcome,
  type SourceRevision,
} from '../manifest/desired-state.ts';
import type { ManifestIssue } from '../manifest/issue.ts';
import type { WatchedFile } from '../manifest/source/settle.ts';
import type { DirectorySnapshot } from '../manifest/source/watch.ts';
import type { Clock } from '../model/clock.ts';
import type { DesiredState } from '../model/desired.ts';
import { ERROR_CATALOGUE } from '../model/error-catalogue.ts';
import type { History } from '../state/history/history.ts';
import type { SourceKind, SourceText } from '../state/history/source-store.ts';

interface Source {
  readonly kind: SourceKind;
  readonly origin: string;
  readonly baseDir: string;
  readonly content: WatchedFile['content'];
}

/** A change that takes several manifests away at once and looks like an accident (DESIGN §13.10). */
interface HeldRemoval {
  readonly directory: string;
  readonly message: string;
}

export interface SourcesOptions {
  readonly history: History;
  readonly clock: Clock;
  readonly directory: string;
  readonly resolve: Omit<ResolveOptions, 'generation'>;
  /** Called after every change of the desired state. */
  readonly onChange: (state: DesiredState, before: DesiredState) => void;
}

const sourceId = (kind: SourceKind, origin: string): string => `${kind} ${origin}`;

const baseOf = (path: string): string => path.slice(0, Math.max(1, path.lastIndexOf('/')));

export function issueView({ code, message, position, hint }: ManifestIssue): IssueView {
  return { code, message, ...position, hint: hint ?? ERROR_CATALOGUE[code].hint };
}

/** True when two resolutions hold the same resources with the same specifications. */
function sameState(a: DesiredState, b: DesiredState): boolean {
  if (a.resources.size !== b.resources.size) return false;
  for (const [key, desired] of a.resources) {
    const other = b.resources.get(key);
    if (other?.specHash !== desired.specHash || other.engineName !== desired.engineName) return false;
    if (JSON.stringify(other.contentHashes) !== JSON.stringify(desired.contentHashes)) return false;
  }
  return true;
}

export class Sources {
  readonly #options: SourcesOptions;
  readonly #cache = new ParseCache();
  #applied = new Map<string, Source>();
  #watched = new Map<string, Source>();
  #good = new Map<string, GoodRevision>();
  /** Watched manifests of the last generation, until the directory has been looked at. */
  #remembered = new Map<string, Source>();
  #held: HeldRemoval | null = null;
  #resolution: Resolution;

  constructor(options: SourcesOptions) {
    this.#options = options;
    this.#restore();
    this.#resolution = this.#resolve(this.#all(), this.generation);
  }

  get state(): DesiredState {
    return this.#resolution.state;
  }

  get generation(): number {
    return this.#options.history.generations.current()?.n ?? 0;
  }

  get held(): HeldRemoval | null {
    return this.#held;
  }

  /** Files outside the manifests whose content counts. */
  inputs(): string[] {
    return [...this.#resolution.sources.values()].flatMap(({ inputs }) => inputs);
  }

  /** Takes over what the watched directory holds now. */
  watch({ files, loss, inputsChanged }: DirectorySnapshot): void {
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
    this.#held = null;
    this.#remembered = new Map();
    this.#watched = new Map(
      files.map(({ path, content }) => {
        const source: Source = { kind: 'watched', origin: path, baseDir: baseOf(path), content };
        return [sourceId('watched', path), source];
      }),
    );
    this.#adopt(inputsChanged ? 'a referenced file changed' : `${this.#options.directory} changed`);
  }

  /** Lets a held removal happen. Returns its directory, or null when nothing is held. */
  approveRemoval(): string | null {
    const held = this.#held;
    if (!held) return null;
    this.#held = null;
    this.#watched = new Map();
    this.#remembered = new Map();
    this.#adopt(`removal of ${held.directory} approved`);
    return held.directory;
  }

  /** What the desired state would be with these manifests applied. */
  preview(inputs: readonly ManifestInput[]): Resolution {
    return this.#resolve(this.#all(this.#withInputs(inputs)), this.generation + 1);
  }

  /** Applies manifests; all or none. Returns their issues. */
  apply(inputs: readonly ManifestInput[]): readonly IssueView[] {
    const issues = this.inputIssues(inputs, this.preview(inputs));
    if (issues.length > 0) return issues;
    this.#applied = this.#withInputs(inputs);
    this.#adopt(`applied ${inputs.map(({ file }) => file).join(', ')}`);
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

  appliedOrigins(): readonly string[] {
    return [...this.#applied.values()].map(({ origin }) => origin);
  }

  /** Origin and kind of the manifest that declares an app. */
  sourceOfApp(app: string): { kind: SourceKind; origin: string } | null {
    for (const [id, outcome] of this.#resolution.sources) {
      if (outcome.app !== app || outcome.using === 'none') continue;
      const source = this.#watched.get(id) ?? this.#applied.get(id) ?? this.#remembered.get(id);
      if (source) return { kind: source.kind, origin: source.origin };
    }
    return null;
  }

  /** Takes applied manifests away. */
  remove(origins: readonly string[]): void {
    const gone = new Set(origins);
    this.#applied = new Map([...this.#applied].filter(([, { origin }]) => !gone.has(origin)));
    this.#adopt(`deleted ${origins.join(', ')}`);
  }

  views(): readonly ManifestView[] {
    return [...this.#all()].map(([id, source]) => {
      const outcome = this.#resolution.sources.get(id);
      const held = this.#held !== null && source.kind === 'watched';
      return {
        file: source.origin,
        app: outcome?.app ?? null,
        origin: source.kind,
        state: held ? 'Held' : outcome?.status === 'rejected' ? 'Rejected' : 'Active',
        generation: this.generation,
        issues: outcome?.issues.map(issueView) ?? [],
      };
    });
  }

  #inputId(file: string): string {
    const watched = sourceId('watched', file);
    return this.#watched.has(watched) ? watched : sourceId('applied', file);
  }

  #withInputs(inputs: readonly ManifestInput[]): Map<string, Source> {
    const applied = new Map(this.#applied);
    for (const { file, baseDir, text } of inputs) {
      applied.set(sourceId('applied', file), { kind: 'applied', origin: file, baseDir, content: { ok: true, text } });
    }
    return applied;
  }

  #all(applied: ReadonlyMap<string, Source> = this.#applied): Map<string, Source> {
    return new Map([...this.#remembered, ...this.#watched, ...applied]);
  }

  #resolve(sources: ReadonlyMap<string, Source>, generation: number): Resolution {
    const revisions = [...sources].map(
      ([id, { origin, baseDir, content }]): SourceRevision => ({
        sourceId: id,
        file: origin,
        baseDir,
        content,
        lastGood: this.#good.get(id) ?? null,
      }),
    );
    return desiredState(revisions, { ...this.#options.resolve, generation }, this.#cache);
  }

  /** Makes the present sources the desired state; a new generation when it differs. */
  #adopt(cause: string): void {
    const before = this.#resolution.state;
    const sources = this.#all();
    const next = this.#resolve(sources, this.generation + 1);
    const changed = !sameState(before, next.state);
    const accepted = this.#accept(sources, next.sources);
    if (changed || accepted) this.#save(sources, next.sources, cause);
    this.#resolution = { ...next, state: Object.freeze({ ...next.state, generation: this.generation }) };
    if (changed) this.#options.onChange(this.#resolution.state, before);
  }

  /** Remembers the revisions that are now in use. Returns whether any of them is new. */
  #accept(sources: ReadonlyMap<string, Source>, outcomes: ReadonlyMap<string, SourceOutcome>): boolean {
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
      if (current?.text !== previous?.text) changed = true;
    }
    this.#good = good;
    return changed;
  }

  #save(sources: ReadonlyMap<string, Source>, outcomes: ReadonlyMap<string, SourceOutcome>, cause: string): void {
    const { history, clock } = this.#options;
    const now = clock.now().wallMs;
    history.durable(() => {
      const content: Record<string, Readonly<Record<string, string>>> = {};
      const revisions = [...outcomes.keys()].flatMap((id) => {
        const source = sources.get(id);
        const good = this.#good.get(id);
        if (!source || !good) return [];
        content[id] = good.contentHashes;
        const text: SourceText = { kind: source.kind, origin: source.origin, baseDir: source.baseDir, text: good.text };
        return [history.sources.record(text, now).id];
      });
      history.generations.append({ createdAtMs: now, cause, pins: { apps: {}, images: {}, content } }, revisions);
    });
  }

  #restore(): void {
    const { generations, sources } = this.#options.history;
    const current = generations.current();
    if (!current) return;
    for (const { kind, origin, baseDir, text } of sources.ofGeneration(current.n)) {
      const id = sourceId(kind, origin);
      const source: Source = { kind, origin, baseDir, content: { ok: true, text } };
      this.#good.set(id, { text, contentHashes: current.pins.content[id] ?? {} });
      if (kind === 'watched') this.#remembered.set(id, source);
      else this.#applied.set(id, source);
    }
  }
}
