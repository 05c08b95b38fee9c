/** Returns notes for containers with another system call filter than the default. Pure. */
import type { Desired } from '../desired.ts';
import { profileText } from '../kinds/seccomp-forms.ts';
import type { ResourceKey } from '../resource.ts';
import type { DeclarationNote } from './update-notes.ts';

export function seccompNotes(resources: ReadonlyMap<ResourceKey, Desired>): DeclarationNote[] {
  return [...resources.values()].flatMap((resource): DeclarationNote[] => {
    if (resource.kind !== 'container') return [];
    const { key, name, spec, positions, source } = resource as Desired<'container'>;
    const { seccomp, privileged } = spec;
    if (seccomp === null || (seccomp === 'unconfined' && privileged)) return [];
    const what =
      seccomp === 'unconfined'
        ? 'without a filter of system calls: it reaches the whole kernel'
        : `under ${profileText(spec) === null ? `the filter of ${seccomp}` : 'a filter of its own'}, not under the default one`;
    const hint = 'Leave `seccomp` out where the default filter does.';
    const note = { key, message: `${name} runs ${what}`, hint, source: positions.seccomp ?? source };
    return [{ ...note, warning: true }];
  });
}
