/**
 * What a driver promises. Three families: graph (storage), network, exec. A driver works on resolved data only: it never
 * sees a manifest, a name to look up or another driver.
 *
 * Rules for every driver, proved by one contract suite per family that runs on each of them:
 * the same key with the same hash is a no-op; another hash is a conflict; removing the absent succeeds;
 * `list()` names everything that is ours on this host, known or orphaned; `fingerprint()` says what this host allows
 * and, where it does not, why and what would mend it. Failures are thrown as TsdError with the step that failed.
 * Teardown collects errors and goes on.
 */
import type { Readable, Writable } from 'node:stream';
import type { MountCall } from '../ffi/mounts.ts';
import type { SeccompProfile } from '../model/seccomp/profile.ts';

/** What a driver found out about this host. `problems` is empty when it works. */
export interface Fingerprint {
  readonly works: boolean;
  readonly problems: readonly { readonly what: string; readonly fix: string }[];
  /** Facts for `tsdocker info` and `doctor`: `kernel`, `cgroup`, `backing filesystem`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Driver {
  /** As users type it: `overlay`, `bridge`, `native`. */
  readonly name: string;
  fingerprint(): Fingerprint;
}

/** Which supervisor this is; owner mark of every kernel object we make. */
export interface Instance {
  /** Six hex digits, minted once into `<root>/instance`. */
  readonly id: string;
  readonly root: string;
  readonly runDir: string;
}

/**
 * What settings of the host under /proc/sys/net were before we changed them, by path. What is set is on disk when the call
 * returns, and is forgotten when the host boots.
 */
export interface OriginalSettings {
  get(path: string): string | null;
  /** @param original null forgets it */
  set(path: string, original: string | null): void;
}

// ---------------------------------------------------------------------------------------------------------------- graph

/** A root filesystem as plain data; exec turns it into a mount. Paths are absolute. */
export type RootMount =
  | { readonly type: 'overlay'; readonly lowers: readonly string[]; readonly upper: string; readonly work: string }
  | { readonly type: 'bind'; readonly source: string }
  /** What only mount(2) can make: the calls in order at `place`, and of the result the subdirectory ('': the whole). */
  | {
      readonly type: 'calls';
      readonly place: string;
      readonly calls: readonly MountCall[];
      readonly subdirectory: string;
    };

/** Where an unpacker puts the files of one layer. `path` is empty and private until the layer is committed. */
export interface LayerTarget {
  readonly path: string;
  /** How deletions of lower files are written here: as whiteouts of that filesystem, or by deleting from a full copy. */
  readonly whiteouts: 'overlay' | 'aufs' | 'delete';
}

/** One difference of a layer or snapshot from what it stands on. */
export interface LayerChange {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Relative to the root filesystem, without a leading slash; empty for the root directory itself. File names are bytes. */
  readonly path: Buffer;
  /** Where the file can be read now; null for what was deleted. */
  readonly hostPath: Buffer | null;
}

/** The files of a layer, at least those that it brings itself, for reading. `path` is valid in any process until closed. */
export interface LayerFiles {
  readonly path: string;
  close(): void;
}

export interface GraphDriver extends Driver {
  /**
   * Makes the read-only layer `id` on top of `parent` (null: a base layer). `fill` writes the content; the layer exists
   * only after `fill` resolved and the result is durable. An existing layer is left as it is and `fill` is not called.
   */
  createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void>;
  /**
   * Makes the writable snapshot `id` of a container on top of layer `parent`. Idempotent; another parent is a conflict.
   * A crash of the host does not take from it what it had when this resolved, once something later is on the disk.
   */
  createSnapshot(id: string, parent: string | null): Promise<void>;
  /** @throws TSD_IMAGE_MISSING. */
  openLayer(id: string): LayerFiles;
  /** The mount of a snapshot, lowers nearest first. */
  rootMount(id: string): RootMount;
  /**
   * What a layer or snapshot changes of its parent, parents before their children; without a parent everything is added.
   * A deleted directory is one change; a directory in which something changed is `modified`. A file that was written and
   * has its old content may be reported as modified. What a running container does meanwhile may be missed.
   */
  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange>;
  /** Removes a layer or snapshot. A layer that others build on is refused with TSD_LAYER_CONFLICT. */
  remove(id: string): Promise<void>;
  exists(id: string): boolean;
  /** Ids of all layers and snapshots; costs one look at a directory. */
  ids(): readonly string[];
  list(): readonly { readonly id: string; readonly parent: string | null; readonly type: 'layer' | 'snapshot' }[];
  /** Bytes on disk of this layer or snapshot alone, hard links counted once; where copies share blocks, of what it changes. */
  size(id: string): Promise<number>;
  /** Lets go of what the driver keeps in the kernel for itself; what containers use stays. It can be used again after. */
  close(): void;
}

// -------------------------------------------------------------------------------------------------------------- network

/** A bridge network. `subnet` and `gateway` are resolved; allocation is not the driver's job. */
export interface NetworkConfig {
  /** Key of the network: `network/app/name`, or `network//bridge` for the default bridge. */
  readonly key: string;
  /** Interface name, at most 15 bytes. */
  readonly bridge: string;
  /** True when the bridge belongs to somebody else (`-b`): it is used, never created, changed or removed. */
  readonly foreign: boolean;
  /** CIDR of the network, e.g. 10.80.0.0/24. */
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number;
  /** Containers of this network may talk to each other without a link. */
  readonly icc: boolean;
  /** Rewrite the source of what leaves the network. */
  readonly masquerade: boolean;
  /** No way out and no published ports. */
  readonly internal: boolean;
}

export interface PublishedPort {
  /** 0.0.0.0 or :: publish on every address of that family. */
  readonly hostIp: string;
  readonly hostPort: number;
  readonly containerPort: number;
  readonly protocol: 'tcp' | 'udp';
}

/** One container's attachment to one bridge network. */
export interface EndpointConfig {
  /** Container id, 64 hex. */
  readonly containerId: string;
  /** Key of the network it is attached to. */
  readonly network: string;
  /** IPv4 address with prefix length: 10.80.0.2/24. */
  readonly address: string;
  readonly mac: string;
  readonly ports: readonly PublishedPort[];
  /** Ports of other containers this one may reach although icc is off (its links). */
  readonly reach: readonly { readonly address: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[];
}

/** A network namespace, held by fd so that it outlives nobody. `netnsFd` is close-on-exec and belongs to the driver. */
export interface Sandbox {
  readonly containerId: string;
  readonly netnsFd: number;
}

/** What is seen in the kernel of one of our endpoints; a missing part is drift. */
export interface ObservedEndpoint {
  readonly containerId: string;
  readonly hostInterface: string | null;
  readonly bridge: string | null;
  readonly up: boolean;
  /** IPv4 addresses in the sandbox, with prefix length; null when that is not held. */
  readonly addresses: readonly string[] | null;
  /** Destinations of routes that `attach` made and the sandbox lacks, as far as they were looked at. Left out, none. */
  readonly missingRoutes?: readonly string[];
  readonly ports: readonly PublishedPort[];
}

export interface ObservedNetworks {
  /** Bridges that carry our alias, by interface name. */
  readonly bridges: readonly {
    readonly bridge: string;
    readonly key: string;
    readonly up: boolean;
    readonly addresses: readonly string[];
  }[];
  readonly endpoints: ReadonlyMap<string, ObservedEndpoint>;
  /**
   * False when our nft table, one of its base chains or something of a network or link is gone, or packets are not
   * forwarded; ports are told apart.
   */
  readonly rules: boolean;
  /** Keys of the networks that were made, or made sure of, by this driver; only these can be attached to. */
  readonly known: ReadonlySet<string>;
}

export interface NetworkDriver extends Driver {
  /** Makes or mends bridge, address and rules. @throws TSD_SUBNET_CONFLICT, TSD_NETWORK. */
  ensureNetwork(config: NetworkConfig): void;
  removeNetwork(key: string): void;
  /** A new empty network namespace with loopback up; the one already held for this container when there is one. */
  createSandbox(containerId: string): Sandbox;
  /**
   * Takes back the namespace of a container that outlived a supervisor: the one that its shim holds; where that is one of
   * before shims did, the one that its payload is in.
   * @throws TSD_NETWORK when there is none, or when it is one that the payload made without rights on the host.
   */
  adoptSandbox(containerId: string, run: Pick<TaskHandle, 'shimPid' | 'pid'>): Sandbox;
  sandbox(containerId: string): Sandbox | null;
  /** The two ends of what connects an attached container: on this host, and as the container sees it. */
  interfaces(containerId: string): { readonly host: string; readonly container: string };
  /**
   * A socket inside the sandbox, not connected; non-blocking, close-on-exec, the caller closes it.
   * @throws TSD_NETWORK when there is no sandbox.
   */
  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number;
  /** Connects the sandbox: veth, address, route, published ports. Mends what is missing, changes ports in place. */
  attach(config: EndpointConfig): void;
  /**
   * Takes over an endpoint that an earlier supervisor attached: only what left with that one (listeners) is made again.
   * {@link observe} shows what else is missing. Without its pair it is attached again.
   */
  resume(config: EndpointConfig): void;
  /**
   * Attaches an endpoint with ports that container `from` has until then, if any: from one packet to the next they lead
   * to the new endpoint, and connections that are open stay with `from`.
   */
  handOver(from: string, to: EndpointConfig): void;
  /** Gives up published ports: the host ports are free for others. The endpoint stays; {@link attach} publishes again. */
  withdraw(containerId: string): void;
  /** Gives up ports, veth and namespace. Succeeds on what is already gone. */
  detach(containerId: string): void;
  /** Everything of ours in the kernel, in a fixed number of calls whatever the number of containers. */
  observe(): ObservedNetworks;
  /**
   * Whether a container could publish a port that it does not hold yet; null for a container that does not exist.
   * @throws TSD_PORT_IN_USE naming the other container, or the foreign listener, found by a real bind(2).
   */
  checkPort(port: PublishedPort, containerId: string | null): void;
  /** Subnets and addresses of the host that a new network must not overlap (routes, name servers). */
  occupiedSubnets(): readonly string[];
  /**
   * Takes everything of ours out of the host: changed settings go back first, then rules, interfaces and bridges. Only while
   * no container runs. Networks are made again by {@link ensureNetwork}. Returns what had to stay, in sentences.
   */
  giveBack(): readonly string[];
  /** Ends helpers of this process (forwarders, sockets). Kernel objects stay. */
  close(): void;
}

// ----------------------------------------------------------------------------------------------------------------- exec

export interface MountSpec {
  readonly type: 'bind' | 'tmpfs';
  /** Absolute host path; empty for tmpfs. */
  readonly source: string;
  /** Absolute path in the container; missing targets are created, symlinks resolve inside the root. */
  readonly target: string;
  readonly readOnly: boolean;
  /** Fill an empty source with what the image has at the target, once, then take over its owner and mode. */
  readonly copyUp: boolean;
  readonly sizeBytes: number | null;
}

/** A file of the host that is bound by itself. */
export type BoundFile = Pick<MountSpec, 'source' | 'target' | 'readOnly'>;

/** Limits; null leaves the kernel's default. */
export interface ResourceLimits {
  readonly memoryBytes: number | null;
  /** memory + swap in bytes; -1 unlimited. */
  readonly memorySwapBytes: number | null;
  /** CPUs as a fraction: 0.5. */
  readonly cpus: number | null;
  readonly cpuShares: number | null;
  readonly cpuset: string | null;
  readonly pids: number | null;
}

export interface DeviceNode {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly permissions: string;
}

export interface LogSpec {
  /** json-file log; rotated copies are `<path>.1` (newest) and up. */
  readonly path: string;
  readonly maxBytes: number;
  readonly maxFiles: number;
}

/** How a container reaches the network. */
export type RecordedNetwork =
  | { readonly type: 'host' }
  | { readonly type: 'none' }
  | {
      readonly type: 'bridge';
      readonly bridge: string;
      readonly hostInterface: string;
      readonly containerInterface: string;
      readonly mac: string;
      /** With prefix length. */
      readonly address: string;
      readonly gateway: string;
      readonly mtu: number;
    }
  /** It is in the namespace of another container. */
  | { readonly type: 'shared'; readonly nsPath: string };

/** What the record of a run says of it beside what the run is made from: for those who read Docker 1.4's files. */
interface RecordedTask {
  /** The environment with references in the place of secrets. */
  readonly env: readonly string[];
  readonly network: RecordedNetwork;
}

/** One run of one container. */
export interface TaskSpec {
  readonly containerId: string;
  /** Counts the runs of a container from 1. */
  readonly run: number;
  readonly root: RootMount;
  readonly readOnlyRoot: boolean;
  readonly argv: readonly string[];
  /** `K=V` in order, last one wins. HOME is added from the image's passwd when absent. */
  readonly env: readonly string[];
  readonly cwd: string;
  /** `user|uid[:group|gid]`, looked up in the image; empty is root. */
  readonly user: string;
  readonly hostname: string;
  readonly domainname: string;
  readonly mounts: readonly MountSpec[];
  /** Fd of the network namespace to enter, or null for the host's. */
  readonly netnsFd: number | null;
  /** Names without CAP_, upper case. */
  readonly capabilities: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** Filter of its system calls. Left out, the default one, and none when privileged. */
  readonly seccomp?: SeccompProfile | 'unconfined';
  readonly devices: readonly DeviceNode[];
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly resources: ResourceLimits;
  readonly tty: boolean;
  /** Keep stdin open for attach; otherwise /dev/null. */
  readonly stdin: boolean;
  /** Run the payload under a minimal init that reaps and forwards signals. */
  readonly init: boolean;
  readonly log: LogSpec;
  readonly recorded?: RecordedTask;
}

/** Enough to find the run again after a crash of the supervisor or a reboot; stored as execdriver/native/<id>/state.json. */
export interface TaskHandle {
  readonly containerId: string;
  readonly run: number;
  readonly bootId: string;
  readonly shimPid: number;
  /** Field 22 of /proc/<pid>/stat, as text: guards against a reused pid. */
  readonly shimStartTime: string;
  readonly pid: number;
  readonly startTime: string;
  readonly startedAtMs: number;
}

/** What the processes of a container use now; null where this host does not count it. */
export interface ResourceUsage {
  /** CPU time of the present run. */
  readonly cpuSeconds: number | null;
  readonly memoryBytes: number | null;
  /** Processes and threads. */
  readonly pids: number | null;
}

/** How a run ended. */
export interface TaskExit {
  readonly containerId: string;
  readonly run: number;
  /** 0–255, 128 + signal when killed, or null when nobody saw it (killed shim, lost host). */
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
}

export type AdoptResult =
  | { readonly state: 'running'; readonly handle: TaskHandle }
  | { readonly state: 'exited'; readonly exit: TaskExit }
  /** Its payload was never begun: the start was interrupted, or failed. */
  | { readonly state: 'unstarted' };

export interface ExecSpec {
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly cwd: string | null;
  readonly user: string;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly privileged: boolean;
}

/** A live connection to a payload's stdio. With a tty everything arrives on stdout. */
export interface StdioSession {
  readonly pid: number;
  readonly stdin: Writable | null;
  readonly stdout: Readable;
  readonly stderr: Readable;
  resize(rows: number, columns: number): void;
  signal(signal: number): void;
  /** Resolves with the exit code (128 + signal when killed) after stdout and stderr ended. */
  readonly exited: Promise<number>;
  /** Lets go without ending the payload. */
  close(): void;
}

/** A session with the payload of a container itself. */
export interface AttachedSession extends StdioSession {
  /** The payload has a terminal: output is one stream, and sizes have a meaning. */
  readonly tty: boolean;
}

export interface ExecDriver extends Driver {
  /** What this driver can do; asked instead of its name. */
  readonly capabilities: {
    readonly exec: boolean;
    readonly attach: boolean;
    readonly pause: boolean;
    readonly limits: boolean;
  };
  /**
   * Starts a run and resolves when the payload's execve succeeded. On failure nothing is left behind and the error
   * names the step (`mount /data`, `execve /bin/app`).
   */
  start(spec: TaskSpec): Promise<TaskHandle>;
  /**
   * Finds a run again. A run whose shim is gone without an exit record is `exited` with exitCode null; asked with nothing
   * but its number, it may turn out never to have begun.
   */
  adopt(handle: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult>;
  /** The run that is alive now, or null. */
  running(containerId: string): TaskHandle | null;
  /**
   * Why a run that counts as alive is not over although its payload has ended: how it ended cannot be written down. Null
   * for all others. Says what to do.
   */
  unrecorded(containerId: string): string | null;
  /**
   * Hierarchies of control groups, by name, in which a running container is in a group of the host, as the kernel has it.
   * None for a container that is not running.
   */
  sharedGroups(containerId: string): readonly string[];
  /** Whether a run has no filter of system calls; null for what does not run, or could not be looked at. */
  unfiltered(containerId: string): boolean | null;
  /**
   * Whether the payload of a run that counts as alive has ended, or is on its way out, as the kernel has it now: the end is
   * told next. What asks the payload meanwhile learns nothing about it. True also where that could not be looked at.
   */
  ending(containerId: string): boolean;
  /** Called once for each run started or adopted here, after its log and exit record are complete. */
  onExit(listener: (exit: TaskExit) => void): void;
  signal(containerId: string, signal: number): Promise<void>;
  /** Kills everything in the container, also what ignores signals of its pid 1, and waits for the exit record. */
  kill(containerId: string): Promise<void>;
  /** Which limits of memory this host's kernel enforces. */
  memoryLimits(): { readonly memory: boolean; readonly swap: boolean };
  /** Whether a run goes on, or any process is in a control group of this instance, known to this process or not. */
  alive(): boolean;
  /** Removes what this host holds for runs to come (control groups); with processes it stays. The next run makes it again. */
  giveBack(): void;
  pause(containerId: string): Promise<void>;
  unpause(containerId: string): Promise<void>;
  updateResources(containerId: string, resources: ResourceLimits): void;
  /** Null for a container that is not running. */
  usage(containerId: string): ResourceUsage | null;
  /**
   * Lets the running container see the files that are at these sources now, where others have taken the place of those
   * that were bound. Returns the targets that were bound again.
   */
  renewFiles(containerId: string, files: readonly BoundFile[]): Promise<readonly string[]>;
  /**
   * Looks at a path of the host, links followed, in a process of its own: a filesystem that does not answer keeps that
   * process and nobody else. Resolves with 0 or the errno once there is an answer, which may be never.
   * @throws TsdError when there could be no process, or it ended without an answer.
   */
  reach(path: string): Promise<number>;
  exec(containerId: string, spec: ExecSpec): Promise<StdioSession>;
  /**
   * Output from now on, beside the log. The payload never waits for it: a reader that falls too far behind is cut off.
   * @throws TSD_CONTAINER_NOT_RUNNING
   */
  attach(containerId: string): Promise<AttachedSession>;
  /** Removes cgroups, sockets and run records of a container that is not running. */
  remove(containerId: string): Promise<void>;
  /** Ids that have a process, cgroup or run record of ours. */
  list(): readonly string[];
  /** Lets go of all runs; they go on. */
  close(): void;
}
