import type { StoredLayer } from './layer-tar.ts';

/** An image of the graph, as archives and registries get it. */
export interface StoredImage {
  /** Digest of `configJson` in hex. */
  readonly id: string;
  readonly configJson: string;
  /** Bottom first. */
  readonly layers: readonly StoredLayer[];
  /** `repository:tag` under which it is to be known; may be empty. */
  readonly names: readonly string[];
}
