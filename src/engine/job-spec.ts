/** What a job is, for people and for the tables that jobs are registered from. */

/** A variable of a job's environment. */
interface EnvSpec {
  /** What it says, in words for people. */
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
  /** What it reads; left out, nothing. */
  readonly stdin?: string;
  /** What it writes; left out, nothing. */
  readonly stdout?: string;
  /** So many arguments are shown to who lists jobs, others may be secret; left out, all. */
  readonly shownArgs?: number;
  /** Only the supervisor runs it. Says what people do instead. */
  readonly instead?: string;
  /** Its end is written onto the timeline. */
  readonly recorded?: true;
  /** Lasts as long as the engine: a shutdown does not wait for it. */
  readonly endless?: true;
  /** A shutdown calls it off at once: nothing is lost that cannot be made again. Left out, when its time is over. */
  readonly cancelledAtShutdown?: true;
}
