/** What lists and `describe` show of resources and manifests. */
import type { HealthState, ProbeName } from '../../model/health.ts';
import type { Kind, SourcePosition } from '../../model/resource.ts';
import type { Condition, Phase } from '../../model/status/phases.ts';

/** One problem of a manifest, at its place. */
export interface IssueView {
  readonly code: string;
  readonly message: string;
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly hint?: string;
}

/** What the probes of a container found in its present or last run. */
export interface HealthView {
  readonly state: HealthState;
  /** Why it is not healthy; empty when it is. */
  readonly message: string;
  /** The latest, oldest first. */
  readonly results: readonly {
    readonly at: string;
    readonly probe: ProbeName;
    readonly ok: boolean;
    readonly ms: number;
    readonly output: string;
  }[];
}

/** A network of a container. */
export interface EndpointView {
  /** `app/name`, or `bridge` for the default one. */
  readonly network: string;
  /** Name of the interface inside. */
  readonly interface: string;
  /** With prefix length. */
  readonly ipv4: string | null;
  readonly ipv6: string | null;
  readonly mac: string | null;
  /** Where its default route leads, if it is through this network. */
  readonly gateway4: string | null;
  readonly gateway6: string | null;
  readonly aliases: readonly string[];
}

export interface ContainerView {
  readonly name: string;
  readonly app: string;
  readonly engineName: string;
  readonly id: string;
  readonly phase: Phase;
  readonly ready: boolean;
  readonly pid: number | null;
  readonly exitCode: number | null;
  readonly restarts: number;
  /** Image as written in the manifest. */
  readonly image: string;
  readonly imageId: string | null;
  /** Of the network that leads out, or of the first one. */
  readonly address: string | null;
  /** Its networks, in the order of its interfaces. Left out by supervisors from before there were several. */
  readonly endpoints?: readonly EndpointView[];
  /** `0.0.0.0:8080->80/tcp`. */
  readonly ports: readonly string[];
  /** RFC 3339. */
  readonly startedAt: string | null;
  readonly finishedAt: string | null;
  /** Why it is in this phase, for people. */
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
  /** Null without probes. */
  readonly health: HealthView | null;
}

export interface ImageView {
  readonly name: string;
  readonly app: string;
  readonly id: string | null;
  readonly tags: readonly string[];
  readonly size: number | null;
  readonly created: string | null;
  readonly phase: 'Pending' | 'Ready' | 'Failed';
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface VolumeView {
  /** Of an anonymous one its container's and the beginning of its id, `web:3f2a90cd11e5`. */
  readonly name: string;
  readonly app: string;
  readonly id: string;
  readonly path: string;
  readonly phase: 'Pending' | 'Ready' | 'Released' | 'Failed';
  /** For one that an image asked for, or a mount without a name: where it is in which container (`app/name`). */
  readonly anonymous: { readonly container: string; readonly target: string } | null;
  /** When its container went, as far as the history reaches; null for what is not released. */
  readonly releasedAt: string | null;
  readonly usedBy: readonly string[];
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface NetworkView {
  readonly name: string;
  readonly app: string;
  /** Empty for one that is not made yet. */
  readonly driver: string;
  /** Its interface on the host; the name stands for the network also where its driver makes no such interface. */
  readonly bridge: string;
  /** Null without IPv4, and for one that is not made yet. */
  readonly subnet: string | null;
  readonly gateway: string | null;
  readonly subnet6: string | null;
  readonly gateway6: string | null;
  readonly phase: 'Pending' | 'Ready' | 'Failed';
  readonly containers: number;
  readonly message: string;
  /** What to do about the message; empty when nothing is known. */
  readonly hint: string;
  readonly source: SourcePosition | null;
  readonly conditions: readonly Condition[];
}

export interface ManifestView {
  readonly file: string;
  readonly app: string | null;
  readonly origin: 'watched' | 'applied' | 'api';
  /** `Held`: the edit is not taken over until `tsdocker approve`. */
  readonly state: 'Active' | 'Rejected' | 'Held';
  readonly generation: number;
  readonly issues: readonly IssueView[];
  /** What a file in a format of others says and its translation does not. */
  readonly warnings: readonly IssueView[];
  /** Why the manifest of now is not taken over; null when it is. */
  readonly held: string | null;
  /** Changed files of an applied manifest; null for none. */
  readonly changed: {
    readonly generation: number;
    readonly files: readonly string[];
    readonly secrets: readonly string[];
  } | null;
  /** What to do about the first problem or the wait; empty where there is neither. */
  readonly hint: string;
}

export interface ViewOfKind {
  readonly containers: ContainerView;
  readonly images: ImageView;
  readonly volumes: VolumeView;
  readonly networks: NetworkView;
  readonly manifests: ManifestView;
}

export type ListName = keyof ViewOfKind;

export interface DescribeView {
  readonly kind: Kind;
  readonly name: string;
  readonly app: string;
  readonly view: ContainerView | ImageView | VolumeView | NetworkView;
  /** What to do about the message of the view; empty when nothing is known. */
  readonly hint: string;
  /** Normalised spec; secrets shown as their reference. */
  readonly spec: unknown;
  readonly specHash: string;
  readonly generation: number;
  /** Latest ops on it, newest last. */
  readonly ops: readonly {
    readonly at: string;
    readonly op: string;
    readonly cause: string;
    readonly status: string;
    readonly message: string;
  }[];
}
