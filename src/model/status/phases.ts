/** What a container is doing, from the user's side. */
export type Phase = 'Pending' | 'Creating' | 'Running' | 'Paused' | 'Stopping' | 'Exited' | 'BackingOff' | 'Failed';

/** A fact about a resource with the reason for it, after the Kubernetes convention. */
export interface Condition {
  readonly type:
    | 'Ready'
    | 'Healthy'
    | 'Progressing'
    | 'Updating'
    | 'Parked'
    | 'Held'
    | 'Drifted'
    | 'Stopped'
    | 'Overridden'
    | 'StaleLinks'
    | 'NamesUnanswered'
    | 'NamesLeftOut'
    | 'LogDelayed'
    | 'SharedGroups'
    | 'Unfiltered'
    | 'RemovalHeld'
    | 'Unreachable'
    | 'ExitUnrecorded'
    | 'DiskFailing';
  readonly status: boolean;
  /** CamelCase word for programs. */
  readonly reason: string;
  /** Sentence for people. */
  readonly message: string;
  /** RFC 3339, since when it is so; left out where that is not known. */
  readonly since?: string;
}
