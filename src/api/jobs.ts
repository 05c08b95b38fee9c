/** The engine's jobs, seen from outside: what can be run by name, and what runs. */
import type { StdioSession } from '../drivers/contract/exec.ts';
import type { Actor } from '../model/actor.ts';

/** A job that is registered. */
export interface JobView {
  readonly name: string;
  /** What it does: `stops a container`. */
  readonly summary: string;
  /** `CONTAINER [COMMAND…]`; empty for none. */
  readonly args: string;
  readonly env: readonly { readonly name: string; readonly text: string; readonly secret: boolean }[];
  /** What it reads and writes; empty for nothing. */
  readonly stdin: string;
  readonly stdout: string;
  /** What people do in place of it, where only the supervisor runs it; else null. */
  readonly instead: string | null;
}

/** A job that has not ended. */
export interface RunningJobView {
  readonly name: string;
  /** Without those that may be secret: `…` stands for them. */
  readonly args: readonly string[];
  readonly env: readonly string[];
  /** RFC 3339. */
  readonly since: string;
  readonly ms: number;
  /** Who asked for it; null for the supervisor itself. */
  readonly by: Actor | null;
  /** It was cancelled and ends when it has noticed. */
  readonly calledOff: boolean;
}

export interface JobsView {
  readonly jobs: readonly JobView[];
  readonly running: readonly RunningJobView[];
}

export interface JobRequest {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Input is sent. */
  readonly stdin: boolean;
}

export interface JobsApi {
  list(): JobsView;
  /**
   * Runs a job by name. The exit code of the session is the job's status; a signal cancels the job.
   * @throws TsdError TSD_BAD_REQUEST for a job that only the supervisor runs
   */
  run(name: string, request: JobRequest): StdioSession;
}
