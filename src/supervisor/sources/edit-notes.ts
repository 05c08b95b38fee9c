/** Reports each edit that was not accepted once: on the timeline and in the supervisor's log. */
import type { IssueView } from '../../api/views/resource-views.ts';
import type { GoodRevision, SourceOutcome } from '../../manifest/desired-state.ts';
import type { ManifestIssue } from '../../manifest/issue.ts';
import type { TimelineDraft } from '../../model/status/timeline.ts';
import type { History } from '../../state/history/history.ts';
import { issueView } from '../views/manifest-views.ts';
import type { SourceMap } from './source.ts';

/** A problem that keeps a manifest out of force, or a part of a foreign file that was not translated. */
export type OnIssue = (issue: IssueView, severity: 'error' | 'warning') => void;

/** The manifests after a change. */
interface Edited {
  readonly sources: SourceMap;
  readonly outcomes: ReadonlyMap<string, SourceOutcome>;
  /** The revisions in use before. */
  readonly before: ReadonlyMap<string, GoodRevision>;
  /** The revisions in use now. */
  readonly good: ReadonlyMap<string, GoodRevision>;
  readonly generation: number;
  readonly atMs: number;
}

export class EditNotes {
  readonly #history: History;
  readonly #onIssue: OnIssue;
  readonly #said = new Map<string, string>();

  constructor(history: History, onIssue: OnIssue) {
    this.#history = history;
    this.#onIssue = onIssue;
  }

  report(edited: Edited): void {
    for (const [id, { status, issues, warnings }] of edited.outcomes) {
      const [first] = issues;
      const rejected = status === 'rejected' && first !== undefined;
      if (this.#isNew(`error ${id}`, rejected ? issues : [])) {
        for (const issue of issues) this.#onIssue(issueView(issue), 'error');
        if (first) this.#note(edited, id, 'rejected', first);
      }
      if (!this.#isNew(`warning ${id}`, warnings)) continue;
      // An earlier supervisor has put this revision on the timeline.
      const fresh = edited.good.get(id)?.text !== edited.before.get(id)?.text;
      for (const warning of warnings) {
        this.#onIssue(issueView(warning), 'warning');
        if (fresh) this.#note(edited, id, 'left-out', warning);
      }
    }
  }

  /** Reports whether the issues differ from those reported last. Without issues the last report is forgotten. */
  #isNew(about: string, issues: readonly ManifestIssue[]): boolean {
    const text = JSON.stringify(issues);
    if (issues.length === 0) this.#said.delete(about);
    if (issues.length === 0 || this.#said.get(about) === text) return false;
    this.#said.set(about, text);
    return true;
  }

  #note({ sources, generation, atMs }: Edited, id: string, what: string, issue: ManifestIssue): void {
    const entry: TimelineDraft = {
      atMs,
      generation,
      kind: 'edit',
      key: null,
      what,
      ok: false,
      cause: `edited ${sources.get(id)?.origin ?? issue.position.file}`,
      message: issue.message,
      source: issue.position,
      run: null,
      log: [],
    };
    this.#history.timeline.note(entry);
  }
}
