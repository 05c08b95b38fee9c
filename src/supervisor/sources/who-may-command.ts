/** Everything that is not obeyed because others may write to it, in one place. */
import type { DoctorCheck } from '../../api/host-views.ts';
import type { ManifestView } from '../../api/resource-views.ts';
import type { Refusal } from '../../model/trust.ts';

const NAME = 'who may command';

function refusalsOf({ state, held, hint, issues, warnings }: ManifestView, directory: Refusal | null): Refusal[] {
  const found = [...issues, ...warnings].flatMap(({ code, message, hint: fix = '' }) =>
    code === 'TSD_UNTRUSTED' ? [{ message, hint: fix }] : [],
  );
  return directory !== null && state === 'Held' && held === directory.message
    ? [{ message: held, hint }, ...found]
    : found;
}

/** Of what is no manifest. */
interface OtherFiles {
  readonly refused: readonly Refusal[];
  /** What counts although others may write to it. */
  readonly doubted: readonly Refusal[];
}

/** @param directory why the watched directory is not obeyed; null where it is */
export function commandChecks(
  manifests: readonly ManifestView[],
  directory: Refusal | null,
  { refused, doubted }: OtherFiles,
): readonly DoctorCheck[] {
  const all = [...manifests.flatMap((view) => refusalsOf(view, directory)), ...refused];
  const unique = new Map(all.map((refusal) => [refusal.message, refusal]));
  const found = [
    ...[...unique.values()].map((refusal) => ({ refusal, status: 'failed' as const })),
    ...doubted.map((refusal) => ({ refusal, status: 'warning' as const })),
  ];
  if (found.length === 0) {
    const message = 'only root and the group of the socket may write to what is obeyed';
    return [{ name: NAME, status: 'ok', message, fix: null }];
  }
  return found.map(({ refusal: { message, hint }, status }) => ({ name: NAME, status, message, fix: hint }));
}
