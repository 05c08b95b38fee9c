/** The manifests in force, and the desired state that they lead to. A change is accepted as a new generation. */
import type { IssueView } from '../../api/views/resource-views.ts';
import type { Resolution } from '../../manifest/desired-state.ts';
import type { Clock } from '../../model/clock.ts';
import type { DesiredState } from '../../model/desired.ts';
import { endedBy } from '../declarations/held-apps.ts';
import { issueView } from '../views/manifest-views.ts';
import { EditNotes, type OnIssue } from './edit-notes.ts';
import { GenerationWriter, type GenerationWriterOptions, type Reason } from './generation-writer.ts';
import type { SourceMap } from './source.ts';
import { sameState } from './source-changes.ts';
import { SourceResolver, type SourceResolverOptions } from './source-resolver.ts';
import { accept, contentsInUse, pinnedApplied, restoreSources, type SourceSet } from './source-set.ts';

export interface AcceptedSourcesOptions extends GenerationWriterOptions {
  readonly clock: Clock;
  readonly resolve: Omit<SourceResolverOptions, 'contentsOf' | 'readCopy'>;
  /** Called after every change of the desired state. */
  readonly onChange: (state: DesiredState, before: DesiredState) => void;
  /** Called once for each edit that was not accepted. */
  readonly onIssue?: OnIssue;
}

const NONE: ReadonlySet<string> = new Set();
const NO_COPIES: ReadonlyMap<string, Buffer> = new Map();

export class AcceptedSources {
  readonly resolver: SourceResolver;
  readonly #clock: Clock;
  readonly #onChange: AcceptedSourcesOptions['onChange'];
  readonly #notes: EditNotes;
  readonly #writer: GenerationWriter;
  readonly #kept: GenerationWriterOptions['kept'];
  #set: SourceSet;
  #resolution: Resolution;

  constructor(options: AcceptedSourcesOptions) {
    const { history, kept } = options;
    this.#clock = options.clock;
    this.#onChange = options.onChange;
    this.#kept = kept;
    this.resolver = new SourceResolver(history, {
      ...options.resolve,
      contentsOf: (n) => kept.of(n),
      readCopy: (name) => kept.readCopy(name),
    });
    this.#notes = new EditNotes(history, options.onIssue ?? (() => {}));
    this.#writer = new GenerationWriter(options);
    this.#set = restoreSources(history, (n) => kept.of(n));
    this.#resolution = this.resolver.resolve(this.#set, this.generation);
    const effective = this.effective;
    const contents = contentsInUse(accept(this.#set, effective, this.#resolution.sources).set, effective);
    const state = this.#writer.keepPresent(null, this.#resolution, contents);
    this.#resolution = { ...this.#resolution, copies: NO_COPIES, state };
  }

  get generation(): number {
    return this.#writer.generation;
  }

  get set(): SourceSet {
    return this.#set;
  }

  get resolution(): Resolution {
    return this.#resolution;
  }

  get state(): DesiredState {
    return this.#resolution.state;
  }

  /** Returns the manifests that count: without those held back, and with what those are held at. */
  get effective(): SourceMap {
    return this.resolver.effective(this.#set);
  }

  /** Returns what a change leads to, without the change. */
  preview(change: Partial<SourceSet>): Resolution {
    return this.resolver.resolve({ ...this.#set, ...change }, this.generation + 1);
  }

  /** Returns the issues of manifests that a resolution newly rejects. */
  newIssues(resolution: Resolution): readonly IssueView[] {
    return [...resolution.sources].flatMap(([id, { status, issues }]) =>
      status === 'rejected' && this.#resolution.sources.get(id)?.status !== 'rejected' ? issues.map(issueView) : [],
    );
  }

  /** Holds a removal of the watched directory until it is approved: what was remembered or watched stays in force. */
  holdRemoval(held: NonNullable<SourceSet['held']>, watched: SourceMap): void {
    this.#set = { ...this.#set, watched, held };
  }

  /**
   * Accepts a change of the manifests: resolves it, makes a new generation when something differs, and then replaces the
   * accepted set. All or nothing.
   * @throws TsdError when the generation cannot be stored; then nothing has changed
   */
  adopt(change: Partial<SourceSet>, reason: Reason): void {
    const before = this.#resolution.state;
    const asked = { ...this.#set, ...change };
    const staged = { ...asked, pins: this.resolver.pinsThatHold(asked) };
    const next = this.resolver.resolve(staged, this.generation + 1);
    const effective = this.resolver.effective(staged);
    const { set: revised, changed: isRevised } = accept(staged, effective, next.sources);
    const contents = contentsInUse(revised, effective);
    const applied = pinnedApplied(revised, effective, {
      generation: this.generation + 1,
      fresh: reason.applied ?? NONE,
      before: this.#set.applied,
    });
    const owners = [...next.sources.values()].flatMap(({ app, using }) => (using === 'none' ? [] : [app]));
    const accepted = { ...revised, applied, holds: endedBy(staged.holds, owners) };
    const changed = !sameState(before, next.state);
    const atMs = this.#clock.now().wallMs;
    let after = next.state;
    if (changed || isRevised || this.#writer.isNews(accepted, effective, contents)) {
      this.#kept.keepCopies(contents, next.copies);
      this.#writer.save(atMs, { accepted, effective, contents, before, after: next.state, staged }, reason);
      // A declaration that waits for a choice may need copies that nothing in force names.
      if (this.#set.holds.size === 0) this.#writer.sweep(next.state);
    } else after = this.#writer.keepPresent(accepted, next, contents);
    const edited = { sources: effective, outcomes: next.sources, before: staged.good, good: accepted.good };
    this.#notes.report({ ...edited, generation: this.generation, atMs });
    this.#set = accepted;
    const state = Object.freeze({ ...after, generation: this.generation });
    this.#resolution = { ...next, copies: NO_COPIES, state };
    if (changed) this.#onChange(this.#resolution.state, before);
  }
}
