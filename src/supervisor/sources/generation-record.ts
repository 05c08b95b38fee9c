/** Writes generations and their changes to history.db, and reads them. */
import { desiredState, type ResolveOptions } from '../../manifest/desired-state.ts';
import type { Actor } from '../../model/actor.ts';
import type { DesiredState } from '../../model/desired.ts';
import type { GenerationChanges, GenerationPins } from '../../state/history/generation-store.ts';
import type { History } from '../../state/history/history.ts';
import type { SourceText } from '../../state/history/source-store.ts';
import { diffStates } from '../views/plan-views.ts';
import { sourceId } from './source.ts';
import { editEntries, resourceChanges } from './source-changes.ts';

export interface NewGeneration {
  readonly texts: readonly SourceText[];
  readonly cause: string;
  readonly pins: GenerationPins;
  readonly files: GenerationChanges['files'];
  /** The author; null when unknown. */
  readonly by: Actor | null;
  readonly before: DesiredState;
  readonly after: DesiredState;
}

/** Apps that this generation rolls back after a failed update, with the generation each returns to. */
function newlyFailed(pins: GenerationPins, before: GenerationPins | undefined): ReadonlyMap<string, number> {
  const failed = Object.entries(pins.apps).filter(
    ([app, pin]) => pin.failed === true && before?.apps[app]?.generation !== pin.generation,
  );
  return new Map(failed.map(([app, { generation }]) => [app, generation]));
}

/** Saves a generation and its changes, on the timeline too; durable when it returns. */
export function saveGeneration(history: History, atMs: number, generation: NewGeneration): void {
  const { texts, cause, pins, files, by, before, after } = generation;
  const differences = diffStates(before, after);
  history.durable(() => {
    const revisions = texts.map((text) => history.sources.record(text, atMs).id);
    const changes = { files, resources: resourceChanges(differences), by };
    const rolledBack = newlyFailed(pins, history.generations.current()?.pins);
    const { n } = history.generations.append({ createdAtMs: atMs, cause, pins, changes }, revisions);
    history.approvals.withdrawDeclared(after.resources);
    for (const entry of editEntries(differences, { before, after }, { generation: n, cause, atMs, rolledBack })) {
      history.timeline.append(entry);
    }
  });
}

/** Returns the desired state of a generation as it was; null when it is not kept. */
export function stateOfGeneration(
  history: History,
  options: Omit<ResolveOptions, 'generation'>,
  n: number,
): DesiredState | null {
  const generation = history.generations.get(n);
  if (!generation) return null;
  const revisions = history.sources.ofGeneration(n).map((source) => {
    const id = sourceId(source);
    const contentHashes = generation.pins.content[id] ?? {};
    return {
      sourceId: id,
      file: source.origin,
      baseDir: source.baseDir,
      // Its files may have changed since: the last good text keeps the hashes of that time.
      content: { ok: false, message: 'a revision of the past' } as const,
      lastGood: { text: source.text, contentHashes },
    };
  });
  return desiredState(revisions, { ...options, generation: n }).state;
}
