/** Collects everything that is refused because other users may write to it. */
import type { DoctorCheck } from '../../api/views/host-views.ts';
import type { ManifestView } from '../../api/views/resource-views.ts';
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

/** Refusals of files that are not manifests. */
interface OtherFiles {
  readonly refused: readonly Refusal[];
  /** Files that are used although other users may write to them. */
  readonly doubted: readonly Refusal[];
}

/** @param directory why the watched directory is refused; null when it is not */
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
