import type { TsdErrorJson } from '../model/errors.ts';

/** What a long job on one thing streams: progress and what it has done, then how it ended. */
export type TransferEvent =
  | {
      readonly type: 'progress';
      readonly resource: string;
      readonly message: string;
      readonly current: number;
      readonly total: number | null;
    }
  /** The generation is 0 for a job that belongs to none. */
  | { readonly type: 'result'; readonly resource: string; readonly message: string }
  | { readonly type: 'ready'; readonly generation: number }
  | { readonly type: 'failed'; readonly error: TsdErrorJson };
