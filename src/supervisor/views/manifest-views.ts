/** Manifests as clients see them. Pure. */
import type { IssueView, ManifestView } from '../../api/views/resource-views.ts';
import type { SourceOutcome } from '../../manifest/desired-state.ts';
import type { ManifestIssue } from '../../manifest/issue.ts';
import { ERROR_CATALOGUE } from '../../model/errors/error-catalogue.ts';
import type { Refusal } from '../../model/trust.ts';
import { uncertainHint } from '../../reconcile/plan/order/pass.ts';
import { applyHint, driftOf } from '../sources/file-notes.ts';
import { type Source, type SourceMap, sourceId } from '../sources/source.ts';
import { pinReasons } from '../sources/source-pins.ts';
import { allSources, type SourceSet } from '../sources/source-set.ts';
import { heldHint } from './hints.ts';

/** The watched manifests as they are now, which could not be taken over. */
export interface Unsaved {
  readonly watched: SourceMap;
  readonly message: string;
}

interface Manifests {
  readonly accepted: SourceSet;
  /** Those that count. */
  readonly effective: SourceMap;
  readonly outcomes: ReadonlyMap<string, SourceOutcome>;
  /** Files whose app waits until it is certain how it is declared, by id. */
  readonly waiting: ReadonlyMap<string, string>;
  readonly unsaved: Unsaved | null;
  readonly generation: number;
  /** The watched directory, where it is not obeyed. */
  readonly refused: RefusedDirectory | null;
  /** Why a file that manifests name was not read. */
  readonly refusedFile: (path: string) => Refusal | undefined;
}

interface RefusedDirectory extends Refusal {
  readonly directory: string;
}

/** Apps that wait and that no file which is there speaks of: by what they may have been declared with. */
function uncertainViews({ holds }: SourceSet, shown: SourceMap, generation: number): ManifestView[] {
  return [...holds.values()].flatMap(({ app, reason, candidates }) => {
    const sources = new Map(
      candidates.flatMap(({ declaration }) => declaration?.sources ?? []).map((one) => [sourceId(one), one]),
    );
    return [...sources].flatMap(([id, { origin, kind }]): ManifestView[] => {
      if (shown.has(id)) return [];
      const about = { file: origin, app, origin: kind, state: 'Held', generation, held: reason } as const;
      return [{ ...about, issues: [], warnings: [], changed: null, hint: uncertainHint(app) }];
    });
  });
}

export function issueView({ code, message, position, hint }: ManifestIssue): IssueView {
  return { code, message, ...position, hint: hint ?? ERROR_CATALOGUE[code].hint };
}

/** Watched manifests that differ from those in force because they could not be taken over. */
function unsavedSources(accepted: SourceSet, unsaved: Unsaved | null): SourceMap {
  const inForce = allSources(accepted);
  const differs = ([id, { content }]: readonly [string, Source]) =>
    JSON.stringify(content) !== JSON.stringify(inForce.get(id)?.content);
  return new Map([...(unsaved?.watched ?? [])].filter(differs));
}

/** Files that count as they did before, because others may write to them by now. */
function refusedInputs({ inputs }: SourceOutcome, file: string, refusedFile: Manifests['refusedFile']): IssueView[] {
  return inputs.flatMap((path): IssueView[] => {
    const refusal = refusedFile(path);
    return refusal === undefined ? [] : [{ code: 'TSD_UNTRUSTED', file, line: 1, column: 1, ...refusal }];
  });
}

/** A directory of which no manifest is known. */
function directoryView({ directory, message, hint }: RefusedDirectory, generation: number): ManifestView {
  return {
    file: directory,
    app: null,
    origin: 'watched',
    state: 'Held',
    generation,
    issues: [],
    warnings: [],
    held: message,
    changed: null,
    hint,
  };
}

export function manifestViews(manifests: Manifests): readonly ManifestView[] {
  const { accepted, effective, outcomes, waiting: uncertain, unsaved, generation, refused, refusedFile } = manifests;
  const { pins, held: removal, owners } = accepted;
  const pinned = pinReasons(pins);
  const waiting = unsavedSources(accepted, unsaved);
  const sources = new Map([...effective, ...allSources(accepted), ...waiting]);
  const views = [...sources].map(([id, source]): ManifestView => {
    const outcome = outcomes.get(id);
    const unread = waiting.has(id) ? unsaved?.message : undefined;
    const app = outcome?.app ?? uncertain.get(id) ?? owners.get(id) ?? null;
    const pin = pinned.get(id);
    const doubt = accepted.holds.get(uncertain.get(id) ?? '')?.reason;
    const ofDirectory = source.kind === 'watched' ? (refused ?? removal) : undefined;
    const held = unread ?? doubt ?? pin ?? ofDirectory?.message ?? null;
    const issues = outcome?.issues.map(issueView) ?? [];
    const { pinned: files } = source;
    // Of one that is held back it does not count what its files hold.
    const changed = outcome && files && pin === undefined ? driftOf(outcome, files.generation) : null;
    return {
      file: source.origin,
      app,
      origin: source.kind,
      state: held !== null ? 'Held' : outcome?.status === 'rejected' ? 'Rejected' : 'Active',
      generation,
      issues,
      warnings: outcome
        ? [...outcome.warnings.map(issueView), ...refusedInputs(outcome, source.origin, refusedFile)]
        : [],
      held,
      changed,
      hint:
        held === null
          ? (issues[0]?.hint ?? (changed ? applyHint(source.origin) : ''))
          : held === doubt
            ? uncertainHint(app ?? source.origin)
            : held === pin
              ? heldHint(source.origin, app ?? source.origin)
              : held === refused?.message
                ? refused.hint
                : '',
    };
  });
  const all = [...views, ...uncertainViews(accepted, sources, generation)];
  if (refused === null || all.some(({ origin }) => origin === 'watched')) return all;
  return [...all, directoryView(refused, generation)];
}
