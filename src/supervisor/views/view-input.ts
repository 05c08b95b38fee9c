/** What views are made from. */
import type { DesiredState } from '../../model/desired.ts';
import type { ObservedState } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { Reading } from '../../reconcile/observe.ts';
import type { Hold, Op } from '../../reconcile/op.ts';
import type { LogTroubles } from '../logs/forwarding/log-troubles.ts';
import type { Unread } from './unread.ts';

/** What the loop knows beside the observation. */
export interface LoopState {
  hold(key: ResourceKey): Hold | undefined;
  inFlight(key: ResourceKey): Op | undefined;
  /** Why nothing is done any more, in words; null while the loop runs. */
  ended(): string | null;
  /** Containers of other drivers, with the reason. */
  unavailable(id: string): string | undefined;
}

export interface ViewInput {
  readonly desired: DesiredState;
  readonly observed: ObservedState;
  readonly loop: LoopState;
  readonly past: Past;
  readonly logTroubles: Pick<LogTroubles, 'of'>;
  readonly reading: Reading;
  readonly unread: Pick<Unread, 'conditions'>;
}

/** When something began, Unix time in ms; null where it is not known. */
interface Past {
  heldSince(key: ResourceKey): number | null;
  opSince(key: ResourceKey): number | null;
}
