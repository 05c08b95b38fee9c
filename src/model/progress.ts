/** What a report of progress counts, for those who show it: the message is for people only. */
export interface ProgressPart {
  readonly step: 'download' | 'layer' | 'upload';
  /** Reports of the same item replace each other, also those of different steps. */
  readonly item: string;
}

/** Called with the work done so far; `total` is null where it is unknown. Costs little enough to be called for each block. */
export type ProgressSink = (message: string, current: number, total: number | null, part?: ProgressPart) => void;
