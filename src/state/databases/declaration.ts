/** One app as history.db declares it, and as its second copy does. */
import type { SourceContents } from '../../model/contents.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { AppPin } from '../history/generation-store.ts';
import type { NetworkRecord } from '../history/network-record.ts';
import type { ImageBinding } from '../history/resource-store.ts';
import type { SourceText } from '../history/source-store.ts';

/** A manifest in force. */
interface DeclaredSource extends SourceText {
  readonly contentHashes: Readonly<Record<string, string>>;
  /** What its files held; null where that is not known. */
  readonly contents: SourceContents | null;
  /** Its files count as they were when it was applied. */
  readonly pinned: boolean;
}

export interface Declaration {
  readonly app: string;
  readonly sources: readonly DeclaredSource[];
  /** Null unless the app is held at an earlier generation. */
  readonly pin: AppPin | null;
  /** Spec hashes of what it declares. */
  readonly specs: Readonly<Record<ResourceKey, string>>;
}

export interface DatedDeclaration {
  readonly declaration: Declaration;
  /** In which it became what it is. */
  readonly generation: number;
  /** Of its canonical JSON. */
  readonly sha256: string;
}

/** Objects created from a declaration that have no file of their own. */
export interface Made {
  readonly networks: readonly NetworkRecord[];
  readonly images: readonly ImageBinding[];
}

/** A possible declaration of an app. */
export interface Candidate {
  /** As `approve APP@NAME` takes it. */
  readonly name: 'store' | 'copy' | 'none';
  /** Null: not at all, or by files of the watched directory only. */
  readonly declaration: Declaration | null;
  /** Its position, in words. */
  readonly says: string;
}

/** An app of which nothing is touched until it is certain how it is declared. */
export interface HeldApp {
  readonly app: string;
  /** In words. */
  readonly reason: string;
  /** A file of the watched directory does not settle it: more is uncertain than its text. */
  readonly strict: boolean;
  readonly candidates: readonly Candidate[];
}
