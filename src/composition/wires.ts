import { EventEmitter } from 'node:events';
import type { Job } from '../engine/job.ts';
import type { DesiredState } from '../model/desired.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ResolverEvent } from '../supervisor/resolver/resolver-event.ts';

interface WireEvents {
  /** Asks the reconcile loop to look at these resources. */
  look: [keys: Iterable<ResourceKey>];
  /** Probes of these containers may begin or end; null for those of all. */
  probe: [keys: Iterable<ResourceKey> | null];
  /** The desired state has changed. */
  desired: [next: DesiredState, before: DesiredState];
  /** The known state of a file on a filesystem that may not answer has changed. */
  file: [path: string];
  jobEnded: [job: Job];
  /** The resolver began, ended, or was replaced. */
  resolver: [event: ResolverEvent];
}

/**
 * Connects parts that need each other: an early part emits, a later one listens. Events without a listener are lost, which
 * does no harm: the loop begins with a full pass.
 */
export class Wires extends EventEmitter<WireEvents> {}
