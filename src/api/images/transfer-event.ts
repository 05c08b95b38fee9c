import type { TsdErrorJson } from '../../model/errors/errors.ts';
import type { ProgressPart } from '../../model/progress.ts';

interface ReadyEvent {
  readonly type: 'ready';
  /** 0 for a job that belongs to none. */
  readonly generation: number;
  /** Containers of the apps that have shown that they go on. */
  readonly running?: number;
  /** Containers of the apps that are as they should be and do not run. */
  readonly atRest?: readonly {
    readonly resource: string;
    readonly state: 'completed' | 'stopped';
    readonly message: string;
  }[];
}

/** What a long job on one thing streams: progress and what it has done, then how it ended. */
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
