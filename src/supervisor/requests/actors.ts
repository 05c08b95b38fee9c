/** Who changed what is declared, as far as the host knows. */
import { readFileSync, statSync } from 'node:fs';
import type { Actor } from '../../model/actor.ts';
import type { GenerationChanges } from '../../state/history/generation-store.ts';

/** Longest name that is kept; passwd(5) of today has 32. */
const MAX_NAME = 64;
/** Changed files whose owners are looked up: more than that were not changed by hand. */
const MAX_FILES = 20;

function userName(uid: number): string | null {
  try {
    const entry = readFileSync('/etc/passwd', 'utf8')
      .split('\n')
      .map((line) => line.split(':'))
      .find(([, , id]) => id === String(uid));
    return entry?.[0]?.slice(0, MAX_NAME) ?? null;
  } catch {
    return null;
  }
}

/** @param uid of the process that asked; null or left out where it is not known */
export function asker(uid: number | null | undefined): Actor | null {
  return uid === null || uid === undefined ? null : { uid, user: userName(uid), via: 'api' };
}

/** Owner of all manifests that were added or changed; null where there are none, or several owners. */
export function ownerOfChanged(files: GenerationChanges['files']): Actor | null {
  const written = files.filter(({ change }) => change === 'added' || change === 'changed');
  if (written.length === 0 || written.length > MAX_FILES) return null;
  const owners = new Set(written.map(({ file }) => statSync(file, { throwIfNoEntry: false })?.uid));
  const [uid] = owners;
  return uid === undefined || owners.size > 1 ? null : { uid, user: userName(uid), via: 'file' };
}
