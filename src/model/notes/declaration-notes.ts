import type { Desired } from '../desired.ts';
import type { ResourceKey } from '../resource.ts';
import { seccompNotes } from './seccomp-notes.ts';
import { type DeclarationNote, updateNotes } from './update-notes.ts';

/** What there is to say about declarations that are right; warnings first. */
export function declarationNotes(resources: ReadonlyMap<ResourceKey, Desired>): DeclarationNote[] {
  return [...seccompNotes(resources), ...updateNotes(resources)];
}
