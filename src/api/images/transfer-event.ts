import type { TsdErrorJson } from '../../model/errors/errors.ts';
import type { ProgressPart } from '../../model/progress.ts';

interface ReadyEvent {
  readonly type: 'ready';
  /** 0 for a job that belongs to none. */
  readonly generation: number;
  /** Containers of the apps that have settled. */
  readonly running?: number;
  /** Containers of the apps that are as declared and do not run. */
  readonly atRest?: readonly {
    readonly resource: string;
    readonly state: 'completed' | 'stopped';
    readonly message: string;
  }[];
}

/** Events of a long job on one resource: progress and results, then its end. */
export type TransferEvent =
  | {
      readonly type: 'progress';
      readonly resource: string;
      readonly message: string;
      readonly current: number;
      readonly total: number | null;
      readonly part?: ProgressPart;
    }
  | { readonly type: 'result'; readonly resource: string; readonly message: string }
  | ReadyEvent
  | { readonly type: 'failed'; readonly error: TsdErrorJson };
