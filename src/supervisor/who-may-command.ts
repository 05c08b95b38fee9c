/** Everything that is not obeyed because others may write to it, in one place. */
import type { DoctorCheck, ManifestView } from '../api/supervisor.ts';
import type { Refusal } from '../model/trust.ts';

const NAME = 'who may command';

function refusalsOf({ state, held, hint, issues, warnings }: ManifestView, directory: Refusal | null): Refusal[] {
  const found = [...issues, ...warnings].flatMap(({ code, message, hint: fix = '' }) =>
    code === 'TSD_UNTRUSTED' ? [{ message, hint: fix }] : [],
  );
  return directory !== null && state === 'Held' && held === directory.message
    ? [{ message: held, hint }, ...found]
    : found;
}

/**
 * @param directory why the watched directory is not obeyed; null where it is
 * @param others refusals of what is no manifest
 */
export function commandChecks(
  manifests: readonly ManifestView[],
  directory: Refusal | null,
  others: readonly Refusal[],
): readonly DoctorCheck[] {
  const all = [...manifests.flatMap((view) => refusalsOf(view, directory)), ...others];
  const unique = new Map(all.map((refusal) => [refusal.message, refusal]));
  if (unique.size === 0) {
    const message = 'only root and the group of the socket may write to what is obeyed';
    return [{ name: NAME, status: 'ok', message, fix: null }];
  }
  return [...unique.values()].map(({ message, hint }) => ({ name: NAME, status: 'failed', message, fix: hint }));
}
