/** What the routes call: the supervisor's facade for one who asks, with the engine's jobs. */
import type { JobsApi } from './jobs.ts';
import type { SupervisorApi } from './supervisor.ts';
import type { VersionView } from './version.ts';

/** Who asks, as far as the connection tells. */
export interface Caller {
  /** Uid of the process; null where it is not known. */
  readonly uid: number | null;
  /** Aborts when it is gone. */
  readonly signal: AbortSignal;
}

/** A call that may take its time, whatever it calls. */
type ServedCall<F> = F extends (...args: infer A) => infer R
  ? (...args: A) => R extends AsyncIterable<unknown> ? R : R | Promise<Awaited<R>>
  : ServedCalls<F>;

export type ServedCalls<Api> = { readonly [K in keyof Api]: ServedCall<Api[K]> };

export interface ServedApi extends ServedCalls<SupervisorApi> {
  readonly jobs: JobsApi;
  version(): Promise<VersionView> | VersionView;
}
