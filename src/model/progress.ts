/** What a report of progress counts, for those who show it: the message is for people only. */
export type ProgressPart = (
  | { readonly step: 'download' }
  | { readonly step: 'layer'; readonly state: 'exists' | 'unpacking' | 'done' }
  | {
      readonly step: 'upload';
      readonly state: 'exists' | 'mounted' | 'sending' | 'sent';
      /** Repository of the registry that it was taken from; null where it was not. */
      readonly from: string | null;
    }
  /** What a registry has under a name; the item is its digest, `sha256:…`. */
  | { readonly step: 'manifest'; readonly size: number; readonly layers: readonly ManifestLayer[] }
) & {
  /** Reports of the same item replace each other, also those of different steps. */
  readonly item: string;
};

/** A layer by the items of its download and of its unpacking. */
interface ManifestLayer {
  readonly download: string;
  readonly layer: string;
}

/** Called with the work done so far; `total` is null where it is unknown. Costs little enough to be called for each block. */
export type ProgressSink = (message: string, current: number, total: number | null, part?: ProgressPart) => void;
