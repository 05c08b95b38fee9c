/** The desired state: numbered generations of manifests, watched and applied, and what clients made one by one beside them. */

import type { ManifestInput } from '../../api/requests.ts';
import type { FileNote } from '../../api/views/plan-views.ts';
import type { IssueView, ManifestView } from '../../api/views/resource-views.ts';
import type { Resolution } from '../../manifest/desired-state.ts';
import type { Actor } from '../../model/actor.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { Refusal } from '../../model/trust.ts';
import type { SourceKind } from '../../state/history/source-store.ts';
import type { ImperativeResources } from '../imperative/imperative-resources.ts';
import { issueView, manifestViews } from '../views/manifest-views.ts';
import { AcceptedSources, type AcceptedSourcesOptions } from './accepted-sources.ts';
import { Decisions } from './decisions.ts';
import { driftNotes, driftOf, liveNotes } from './file-notes.ts';
import { type RollbackParts, Rollbacks } from './rollbacks.ts';
import { type Source, sourceId, standsIn } from './source.ts';
import { allSources, type Inputs, withInputs, withTried } from './source-set.ts';
import { WatchedDirectory } from './watched-directory.ts';

export interface SourcesOptions extends AcceptedSourcesOptions, Pick<RollbackParts, 'hasImage'> {
  readonly directory: string;
  /** Returns why a file named by a manifest was not read. */
  readonly refusedFile?: (path: string) => Refusal | undefined;
  /** What is wanted beside the manifests; left out, nothing. */
  readonly beside?: Pick<ImperativeResources, 'with'>;
}

export class Sources {
  readonly directory: WatchedDirectory;
  readonly decisions: Decisions;
  readonly rollbacks: Rollbacks;
  readonly #accepted: AcceptedSources;
  readonly #beside: Pick<ImperativeResources, 'with'>;
  readonly #refusedFile: (path: string) => Refusal | undefined;

  constructor(options: SourcesOptions) {
    const { history, kept, clock, hasImage, beside = { with: (state) => state } } = options;
    this.#beside = beside;
    const accepted = new AcceptedSources(options);
    this.#accepted = accepted;
    this.#refusedFile = options.refusedFile ?? (() => undefined);
    this.directory = new WatchedDirectory(options.directory, accepted);
    this.decisions = new Decisions({ accepted, directory: this.directory, history, kept, clock });
    this.rollbacks = new Rollbacks({ accepted, history, kept, hasImage, beside });
  }

  get state(): DesiredState {
    return this.#beside.with(this.#accepted.state);
  }

  get generation(): number {
    return this.#accepted.generation;
  }

  /** Apps whose declaration is not certain, with the reason. */
  get uncertain(): ReadonlyMap<string, string> {
    return this.state.uncertain ?? new Map();
  }

  get isUncertain(): boolean {
    return this.#accepted.set.holds.size > 0;
  }

  /** Returns the files outside the manifests whose contents are part of the desired state. */
  inputs(): string[] {
    const inputs = [...this.#accepted.resolution.sources.values()].flatMap((outcome) => outcome.inputs);
    return [...inputs, ...this.#accepted.resolver.heldInputs(this.#accepted.set)];
  }

  /** Reads the build contexts of the manifests with `inputs` applied, in small steps, for the next resolution. */
  look(inputs: readonly ManifestInput[] = []): Promise<void> {
    return this.#accepted.resolver.look(withTried(this.#accepted.set, { inputs }));
  }

  /** Returns the resolution with `inputs` applied, or in place of watched files, and without `tried.gone`. */
  preview(inputs: readonly ManifestInput[], tried: Omit<Inputs, 'inputs'> = {}): Resolution {
    const resolution = this.#accepted.preview(withTried(this.#accepted.set, { ...tried, inputs }));
    return { ...resolution, state: this.#beside.with(resolution.state) };
  }

  /** Returns the issues of manifests that a resolution newly rejects. */
  newIssues(resolution: Resolution): readonly IssueView[] {
    return this.#accepted.newIssues(resolution);
  }

  /** Returns the desired state of a stored generation; null when it is not kept. */
  stateOf(n: number): DesiredState | null {
    return this.#accepted.resolver.stateOf(n);
  }

  /** Applies manifests; all or none. Returns their issues; empty when they are applied. */
  apply(inputs: readonly ManifestInput[], by: Actor | null): readonly IssueView[] {
    const issues = this.inputIssues(inputs, this.preview(inputs));
    if (issues.length > 0) return issues;
    const applied = withInputs(this.#accepted.set, { inputs });
    const fresh = new Set(inputs.map(({ file }) => sourceId({ kind: 'applied', origin: file })));
    this.#accepted.adopt(
      { applied },
      { cause: `applied ${inputs.map(({ file }) => file).join(', ')}`, by, applied: fresh },
    );
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
    return new Map([...this.#accepted.set.applied.values()].map((source) => [source.origin, source]));
  }

  /** Reports whether a file is in the watched directory, by any path, or was there at the last look. */
  isWatched(origin: string): boolean {
    if (standsIn(this.directory.path, origin)) return true;
    return allSources(this.#accepted.set).has(sourceId({ kind: 'watched', origin }));
  }

  /** Returns origin and kind of the manifest that declares an app, or null. */
  sourceOfApp(app: string): { kind: SourceKind; origin: string } | null {
    for (const [id, outcome] of this.#accepted.resolution.sources) {
      if (outcome.app !== app || outcome.using === 'none') continue;
      const source = this.#accepted.effective.get(id);
      if (source) return { kind: source.kind, origin: source.origin };
    }
    return null;
  }

  /** Removes applied manifests, and replaces by `inputs` those of which only a part goes. */
  remove(origins: readonly string[], inputs: readonly ManifestInput[], why: { cause: string; by: Actor | null }): void {
    const applied = withInputs(this.#accepted.set, { inputs, gone: origins, sameFiles: true });
    this.#accepted.adopt({ applied }, why);
  }

  views(): readonly ManifestView[] {
    const { set, effective, resolution, resolver } = this.#accepted;
    const { refused, unsaved, path } = this.directory;
    return manifestViews({
      accepted: set,
      effective,
      outcomes: resolution.sources,
      waiting: resolver.waiting(set),
      unsaved,
      generation: this.generation,
      refused: refused && { ...refused, directory: path },
      refusedFile: this.#refusedFile,
    });
  }

  /** Returns notes on files whose current content is not what is in force. Reads the files. */
  fileNotes(): readonly FileNote[] {
    // Network filesystems report no changes, so files may have changed since the last look.
    const { sources } = this.#accepted.resolver.resolve(this.#accepted.set, this.generation);
    const drifted = [...this.#accepted.effective].flatMap(([id, { origin, pinned }]) => {
      const outcome = sources.get(id);
      const drift = outcome && pinned ? driftOf(outcome, pinned.generation) : null;
      return drift ? driftNotes(origin, pinned?.held ? { ...drift, files: [] } : drift) : [];
    });
    return [...drifted, ...liveNotes(this.state, null)];
  }

  #inputId(file: string): string {
    const watched = sourceId({ kind: 'watched', origin: file });
    return this.#accepted.set.watched.has(watched) ? watched : sourceId({ kind: 'applied', origin: file });
  }
}
