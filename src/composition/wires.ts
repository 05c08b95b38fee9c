import { EventEmitter } from 'node:events';
import type { Job } from '../engine/job.ts';
import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';

interface WireEvents {
  /** The reconcile loop is to look at these resources. */
  look: [keys: Iterable<ResourceKey>];
  /** Probes of these containers may begin or end; null for those of all. */
  probe: [keys: Iterable<ResourceKey> | null];
  /** The desired state is another one. */
  desired: [next: DesiredState, before: DesiredState];
  /** Something else is known of a file on a filesystem that may not answer. */
  file: [path: string];
  jobEnded: [job: Job];
}

/**
 * Ties parts that need each other: one that is made early emits, one that is made later listens. What is emitted before
 * anything listens is lost, which does no harm: the loop begins with a look at everything.
 */
export class Wires extends EventEmitter<WireEvents> {}
