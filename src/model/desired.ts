import type { LiveFile } from './contents.ts';
import type { ContainerOverride } from './imperative/override.ts';
import type { ImperativeRequest } from './imperative/request.ts';
import type { ContainerSpec } from './kinds/container.ts';
import type { ImageSpec } from './kinds/image.ts';
import type { NetworkSpec } from './kinds/network.ts';
import type { ContentReaction } from './kinds/short-forms.ts';
import type { VolumeSpec } from './kinds/volume.ts';
import type { Kind, ResourceKey, SourcePosition } from './resource.ts';

export interface SpecOfKind {
  readonly image: ImageSpec;
  readonly volume: VolumeSpec;
  readonly network: NetworkSpec;
  readonly container: ContainerSpec;
}

/** One declared resource: what was written, what it means, and where. */
export interface Desired<K extends Kind = Kind> {
  readonly key: ResourceKey;
  readonly kind: K;
  readonly app: string;
  readonly name: string;
  /** Name seen in linkgraph, `docker ps` and across apps: `<app>-<name>` unless the manifest says otherwise. */
  readonly engineName: string;
  /** Normalised, defaults filled in. References to other resources are resolved to keys in `references`. */
  readonly spec: SpecOfKind[K];
  /** As written, without defaults; what is stored. */
  readonly written: unknown;
  /** sha256 hex over the normalised spec without values equal to their default, and over referenced content. */
  readonly specHash: string;
  /** sha256 of files whose content is part of the spec (env files, secrets), by path as written. */
  readonly contentHashes: Readonly<Record<string, string>>;
  /** What another content of these files leads to, by path as written. Left out, a restart. */
  readonly reactions?: Readonly<Record<string, ContentReaction>>;
  /** Names of the copies that stand for files of the host, by absolute path. Left out, there are none. */
  readonly files?: Readonly<Record<string, string>>;
  /** Files of the host that it uses as they are at the moment. Left out, there are none. */
  readonly live?: readonly LiveFile[];
  readonly references: References;
  readonly source: SourcePosition;
  /** Position of each written field, by dotted path: `ports.0`, `resources.memory`. */
  readonly positions: Readonly<Record<string, SourcePosition>>;
  /** Of what no manifest declares: what was asked for through the Docker API. */
  readonly request?: ImperativeRequest;
  /** What a client changed of what the manifest says; the specification is the changed one. */
  readonly override?: ContainerOverride;
}

/** Names of a container's spec, resolved, and of a build's Dockerfile. Empty for the other kinds. */
export interface References {
  readonly image: ResourceKey | null;
  /** Volume key by mount target; anonymous volumes have none. */
  readonly volumes: Readonly<Record<string, ResourceKey>>;
  /** Every network of the container, the default one among them, in the order of its interfaces. */
  readonly networks: readonly ResourceKey[];
  /** For network mode container:NAME. */
  readonly networkContainer: ResourceKey | null;
  /** Those whose PID or IPC namespace it shares. Left out, there are none. */
  readonly namespaceContainers?: readonly ResourceKey[];
  /** In the order of spec.links. */
  readonly links: readonly ResourceKey[];
  readonly volumesFrom: readonly ResourceKey[];
  /** In the order of spec.dependsOn. */
  readonly dependsOn: readonly ResourceKey[];
  /** Images of the same app that the Dockerfile of a build uses. */
  readonly bases: readonly ResourceKey[];
}

/** Everything people want, at one generation. Frozen. */
export interface DesiredState {
  readonly generation: number;
  readonly resources: ReadonlyMap<ResourceKey, Desired>;
  /** Apps whose manifests cannot be used now although they once could: what there is of them is left as it is. */
  readonly untouched?: ReadonlySet<string>;
  /** Those of them whose declaration is not certain, with why. */
  readonly uncertain?: ReadonlyMap<string, string>;
  /** Apps that are held back at an earlier generation. */
  readonly heldBack?: ReadonlyMap<string, HeldBack>;
}

interface HeldBack {
  readonly reason: string;
  /** An update failed; otherwise a person wanted it. */
  readonly failed: boolean;
  /** The container whose update failed. Left out, not known. */
  readonly container?: ResourceKey | undefined;
  /** What to do about the op that failed. Left out, none did. */
  readonly hint?: string | undefined;
  /** The generation at which it is held. Left out, not known. */
  readonly generation?: number;
}
