/** Describes a job: for help texts and for the tables from which jobs are registered. */

/** A variable of a job's environment. */
interface EnvSpec {
  /** Its meaning, for help texts. */
  readonly text: string;
  /** Its value is never shown. */
  readonly secret?: true;
}

export interface JobSpec {
  readonly name: string;
  /** What it does, as a clause without a subject: `stops a container`. */
  readonly summary: string;
  /** Its arguments as a usage line has them: `CONTAINER [COMMAND…]`; left out, none. */
  readonly args?: string;
  readonly env?: Readonly<Record<string, EnvSpec>>;
  /** What it reads from stdin; absent: nothing. */
  readonly stdin?: string;
  /** What it writes to stdout; absent: nothing. */
  readonly stdout?: string;
  /** Number of leading arguments that lists of jobs show; the others may be secret. Absent: all. */
  readonly shownArgs?: number;
  /** Set when only the supervisor may run it: says what a person does instead. */
  readonly instead?: string;
  /** Set when a person who runs it by name has to say `yes=1`: what there is in its place. */
  readonly confirm?: string;
  /** It may destroy what somebody needs: no correction of a typing error names it. */
  readonly dangerous?: true;
  /** Its end is written onto the timeline. */
  readonly recorded?: true;
  /** Lasts as long as the engine: a shutdown does not wait for it. */
  readonly endless?: true;
  /** A shutdown cancels it at once, since all its work can be repeated. Absent: cancelled at the time limit. */
  readonly cancelledAtShutdown?: true;
  /** It runs to its end once begun: nothing cancels it. */
  readonly uncancellable?: true;
}
