/** A stage in the making, as the instructions that change files see it. */
import type { RootMount } from '../../drivers/contract/graph.ts';
import type { Beneath } from '../../ffi/files/beneath.ts';
import type { DockerfilePlace } from '../../model/dockerfile/place.ts';
import type { SourceTree } from './files/source-tree.ts';
import type { BuildHost, BuildReporter, BuildRequest, BuiltLayer } from './host.ts';
import type { StageScope } from './scope.ts';
import type { StageState } from './stage-state.ts';

/** The context of the instructions of a stage. */
export interface StageContext {
  readonly host: BuildHost;
  readonly request: BuildRequest;
  readonly report: BuildReporter;
  readonly signal: AbortSignal;
  /** The files that a --from means, for as long as `work` lasts. */
  readonly withSource: <T>(from: string, place: DockerfilePlace, work: (tree: SourceTree) => Promise<T>) => Promise<T>;
}

/** An instruction that changes files: what its outcome depends on, and how to carry it out. */
export interface LayerStep {
  readonly key: Readonly<Record<string, unknown>>;
  /** Null when no file changes after all. */
  readonly make: () => Promise<BuiltLayer | null>;
}

export interface BuildStage {
  readonly context: StageContext;
  readonly scope: StageScope;
  readonly state: StageState;
  /** `[builder 2/5]` */
  readonly label: string;
  /** The creation time for results, RFC 3339. */
  created(): string;
  /** Lends the stage's files as they are now. */
  withRoot<T>(work: (root: Beneath, id: string, mount: RootMount) => Promise<T>): Promise<T>;
  /** An absolute path of the image as an instruction writes it; a slash at the end stays. */
  pathIn(written: string): string;
}
