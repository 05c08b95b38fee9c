/**
 * The driver interfaces. There are three families: graph (storage), network and exec. A driver works on resolved data: it
 * sees no manifest, resolves no name and knows no other driver.
 *
 * One contract suite per family runs on each driver and checks these rules. Creating the same key with the same hash is a
 * no-op; another hash is a conflict. Removing what is absent succeeds. `list()` returns everything of this instance on the
 * host, known or orphaned. `fingerprint()` returns what the host supports and, for what it does not, the reason and the fix.
 * A failure is thrown as a TsdError that names the step. Teardown collects errors and continues.
 */
import type { Readable, Writable } from 'node:stream';
import type { MountCall } from '../ffi/storage/mounts.ts';
import type { SeccompProfile } from '../model/seccomp/profile.ts';

/** The result of probing the host. `problems` is empty when the driver works. */
export interface Fingerprint {
  readonly works: boolean;
  readonly problems: readonly { readonly what: string; readonly fix: string }[];
  /** Facts that `tsdocker info` and `doctor` print: `kernel`, `cgroup`, `backing filesystem`. */
  readonly attributes: Readonly<Record<string, string>>;
}

export interface Driver {
  /** As users type it: `overlay`, `bridge`, `native`. */
  readonly name: string;
  fingerprint(): Fingerprint;
}

/** Identifies a supervisor. Every kernel object it creates carries the id. */
export interface Instance {
  /** Six hex digits, generated once and stored in `<root>/instance`. */
  readonly id: string;
  readonly root: string;
  readonly runDir: string;
}

/**
 * The values that settings under /proc/sys/net had before the supervisor changed them, by path. `set` is durable when it
 * returns. A boot of the host clears all values.
 */
export interface OriginalSettings {
  get(path: string): string | null;
  /** @param original null deletes the value */
  set(path: string, original: string | null): void;
}

// ---------------------------------------------------------------------------------------------------------------- graph

/** A root filesystem as plain data; the exec driver mounts it. Paths are absolute. */
export type RootMount =
  | { readonly type: 'overlay'; readonly lowers: readonly string[]; readonly upper: string; readonly work: string }
  | { readonly type: 'bind'; readonly source: string }
  /** A sequence of mount(2) calls at `place`; the root is `subdirectory` of the result ('': the result itself). */
  | {
      readonly type: 'calls';
      readonly place: string;
      readonly calls: readonly MountCall[];
      readonly subdirectory: string;
    };

/** The directory into which one layer is unpacked. `path` is empty and private until the layer is committed. */
export interface LayerTarget {
  readonly path: string;
  /** How a deletion of a lower file is recorded: as a whiteout of that filesystem, or by deleting from a full copy. */
  readonly whiteouts: 'overlay' | 'aufs' | 'delete';
}

/** One difference between a layer or snapshot and its parent. */
export interface LayerChange {
  readonly kind: 'added' | 'modified' | 'deleted';
  /** Relative to the root filesystem, without a leading slash; empty for the root directory itself. File names are bytes. */
  readonly path: Buffer;
  /** Path at which the file can be read; null for a deleted one. */
  readonly hostPath: Buffer | null;
}

/** A readable view of a layer: at least the files the layer itself adds. `path` is valid in any process until `close`. */
export interface LayerFiles {
  readonly path: string;
  close(): void;
}

export interface GraphDriver extends Driver {
  /**
   * Creates the read-only layer `id` on `parent` (null: a base layer). `fill` writes the content; the layer exists once
   * `fill` has resolved and the result is durable. When the layer exists already, `fill` is not called.
   */
  createLayer(id: string, parent: string | null, fill: (target: LayerTarget) => Promise<void>): Promise<void>;
  /**
   * Creates the writable snapshot `id` of a container on layer `parent`. Idempotent; another parent is a conflict. Once any
   * later write is durable, a crash of the host loses nothing of the snapshot as created.
   */
  createSnapshot(id: string, parent: string | null): Promise<void>;
  /** Returns the files of a layer; the caller closes it. @throws TSD_IMAGE_MISSING */
  openLayer(id: string): LayerFiles;
  /** Returns the mount of a snapshot, nearest lower layer first. */
  rootMount(id: string): RootMount;
  /**
   * Yields the differences between a layer or snapshot and its parent, directories before their entries. Without a parent
   * every file is `added`. A deleted directory is one change; a directory with a changed entry is `modified`. A file that
   * was rewritten with its old content may be reported as modified. Changes by a running container may be missed.
   */
  changes(id: string, signal?: AbortSignal): AsyncIterable<LayerChange>;
  /** Removes a layer or snapshot. @throws TSD_LAYER_CONFLICT for a layer that has children */
  remove(id: string): Promise<void>;
  exists(id: string): boolean;
  /** Returns the ids of all layers and snapshots; costs one directory read. */
  ids(): readonly string[];
  list(): readonly { readonly id: string; readonly parent: string | null; readonly type: 'layer' | 'snapshot' }[];
  /** Returns the bytes on disk of this layer or snapshot: hard links count once, blocks shared with the parent do not. */
  size(id: string): Promise<number>;
  /** Releases the driver's own kernel objects. Mounts of containers stay. The driver remains usable. */
  close(): void;
}

// -------------------------------------------------------------------------------------------------------------- network

/** A bridge network. `subnet` and `gateway` are resolved; allocation is not the driver's job. */
export interface NetworkConfig {
  /** Key of the network: `network/app/name`, or `network//bridge` for the default bridge. */
  readonly key: string;
  /** Interface name, at most 15 bytes. */
  readonly bridge: string;
  /** True when the bridge is not ours (`-b`): the driver uses it and never creates, changes or removes it. */
  readonly foreign: boolean;
  /** CIDR of the network, e.g. 10.80.0.0/24. */
  readonly subnet: string;
  readonly gateway: string;
  readonly mtu: number;
  /** Containers of this network may connect to each other without a link. */
  readonly icc: boolean;
  /** Rewrite the source address of packets that leave the network. */
  readonly masquerade: boolean;
  /** No route to other networks and no published ports. */
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
  /** Key of the network. */
  readonly network: string;
  /** IPv4 address with prefix length: 10.80.0.2/24. */
  readonly address: string;
  readonly mac: string;
  readonly ports: readonly PublishedPort[];
  /** Ports of other containers (its links) that this one may reach although icc is off. */
  readonly reach: readonly { readonly address: string; readonly port: number; readonly protocol: 'tcp' | 'udp' }[];
}

/** A network namespace, kept alive by an open fd. `netnsFd` is close-on-exec and belongs to the driver. */
export interface Sandbox {
  readonly containerId: string;
  readonly netnsFd: number;
}

/** One of our endpoints as the kernel has it. A missing part is drift. */
export interface ObservedEndpoint {
  readonly containerId: string;
  readonly hostInterface: string | null;
  readonly bridge: string | null;
  readonly up: boolean;
  /** IPv4 addresses in the sandbox, with prefix length; null when the driver does not hold the sandbox. */
  readonly addresses: readonly string[] | null;
  /** Destinations of routes that `attach` added and that the last check did not find. Absent when none is missing. */
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
   * False when our nft table, one of its base chains or a rule of a network or link is missing, or forwarding is off. Ports
   * are reported per endpoint.
   */
  readonly rules: boolean;
  /** Keys of the networks that `ensureNetwork` has established in this process; only these can be attached to. */
  readonly known: ReadonlySet<string>;
}

export interface NetworkDriver extends Driver {
  /** Creates or repairs bridge, address and rules. @throws TSD_SUBNET_CONFLICT, TSD_NETWORK */
  ensureNetwork(config: NetworkConfig): void;
  removeNetwork(key: string): void;
  /** Returns the sandbox of the container; creates an empty namespace with loopback up when none is held. */
  createSandbox(containerId: string): Sandbox;
  /**
   * Reopens the namespace of a container that outlived a supervisor: from its shim or, when a version started it whose shim
   * holds none, from its payload.
   * @throws TSD_NETWORK when there is none, or when the payload created it without rights on the host
   */
  adoptSandbox(containerId: string, run: Pick<TaskHandle, 'shimPid' | 'pid'>): Sandbox;
  sandbox(containerId: string): Sandbox | null;
  /** Returns the interface names of an attached container: on the host, and in the sandbox. */
  interfaces(containerId: string): { readonly host: string; readonly container: string };
  /**
   * Returns an unconnected socket inside the sandbox: non-blocking and close-on-exec. The caller closes it.
   * @throws TSD_NETWORK when there is no sandbox
   */
  openSocket(containerId: string, protocol: 'tcp' | 'udp', family: 'ipv4' | 'ipv6'): number;
  /** Connects the sandbox: veth, address, route, published ports. Repairs missing parts and changes ports in place. */
  attach(config: EndpointConfig): void;
  /**
   * Takes over an endpoint that an earlier supervisor attached. Recreates only what ended with that process (listeners);
   * {@link observe} reports other missing parts. Attaches the endpoint when its veth pair is gone.
   */
  resume(config: EndpointConfig): void;
  /**
   * Attaches an endpoint and moves the ports of container `from` to it, if `from` has any. New connections reach the new
   * endpoint from one packet to the next; open connections stay with `from`.
   */
  handOver(from: string, to: EndpointConfig): void;
  /** Unpublishes all ports and frees the host ports. The endpoint stays; {@link attach} publishes again. */
  withdraw(containerId: string): void;
  /** Removes ports, veth and namespace. Succeeds when they are already gone. */
  detach(containerId: string): void;
  /** Returns everything of ours in the kernel. The number of system calls does not depend on the number of containers. */
  observe(): ObservedNetworks;
  /**
   * Checks by a real bind(2) that a container can publish a port it does not hold yet.
   * @param containerId null for a container that does not exist yet
   * @throws TSD_PORT_IN_USE naming the other container or the foreign listener
   */
  checkPort(port: PublishedPort, containerId: string | null): void;
  /** Returns the subnets and addresses of the host that a new network must not overlap (routes, name servers). */
  occupiedSubnets(): readonly string[];
  /**
   * Removes everything of ours from the host: restores changed settings, then removes rules, interfaces and bridges. Call it
   * only while no container runs; {@link ensureNetwork} recreates networks. Returns a sentence for each thing that stays.
   */
  giveBack(): readonly string[];
  /** Stops the helpers in this process (forwarders, sockets). Kernel objects stay. */
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
  /** Copy the image's files at the target into an empty source once, with the owner and mode of the target. */
  readonly copyUp: boolean;
  readonly sizeBytes: number | null;
}

/** A bind mount of a single file. */
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

/** The network of a run as recorded for readers of Docker 1.4's files. */
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
  /** The namespace of another container. */
  | { readonly type: 'shared'; readonly nsPath: string };

/** The part of a run's record that the start does not use: it is for readers of Docker 1.4's files. */
interface RecordedTask {
  /** The environment with references in place of secrets. */
  readonly env: readonly string[];
  readonly network: RecordedNetwork;
}

/** One run of one container. */
export interface TaskSpec {
  readonly containerId: string;
  /** Number of the run, counted from 1 per container. */
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
  /** System call filter. Absent: the default profile, or none when privileged. */
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

/** Identifies a run after a crash of the supervisor or a reboot. Stored as execdriver/native/<id>/state.json. */
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

/** Current resource use of a container; null for what this host does not count. */
export interface ResourceUsage {
  /** CPU time of the current run. */
  readonly cpuSeconds: number | null;
  readonly memoryBytes: number | null;
  /** Processes and threads. */
  readonly pids: number | null;
}

/** How a run ended. */
export interface TaskExit {
  readonly containerId: string;
  readonly run: number;
  /** 0–255, 128 + signal when killed, or null when it is unknown (killed shim, host crash). */
  readonly exitCode: number | null;
  readonly signal: number | null;
  readonly oomKilled: boolean;
  readonly finishedAtMs: number;
}

export type AdoptResult =
  | { readonly state: 'running'; readonly handle: TaskHandle }
  | { readonly state: 'exited'; readonly exit: TaskExit }
  /** The payload never started: the start was interrupted or failed. */
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
  /** Detaches; the payload keeps running. */
  close(): void;
}

/** A session with the payload of a container itself. */
export interface AttachedSession extends StdioSession {
  /** True when the payload has a terminal: output is one stream and `resize` has an effect. */
  readonly tty: boolean;
}

export interface ExecDriver extends Driver {
  /** Optional features. Callers test these, never the driver's name. */
  readonly capabilities: {
    readonly exec: boolean;
    readonly attach: boolean;
    readonly pause: boolean;
    readonly limits: boolean;
  };
  /**
   * Starts a run and resolves when the payload's execve has succeeded. A failed start leaves nothing behind, and its error
   * names the step (`mount /data`, `execve /bin/app`).
   */
  start(spec: TaskSpec): Promise<TaskHandle>;
  /**
   * Takes over a run of an earlier supervisor. A run whose shim is gone without an exit record is `exited` with exitCode
   * null. A handle with only the run's number may yield `unstarted`.
   */
  adopt(handle: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult>;
  /** Returns the current run of the container, or null. */
  running(containerId: string): TaskHandle | null;
  /**
   * Returns why the exit record of an ended payload cannot be written, and what to do; null for every other run. Such a run
   * counts as alive until the record is written.
   */
  unrecorded(containerId: string): string | null;
  /**
   * Returns the names of the cgroup hierarchies in which a running container is in a group of the host. Empty for a container
   * that is not running.
   */
  sharedGroups(containerId: string): readonly string[];
  /** Reports whether a run has no system call filter; null when it does not run or could not be read. */
  unfiltered(containerId: string): boolean | null;
  /**
   * Reports whether the payload of a live run is exiting or has exited; its exit is reported next. An answer of the payload
   * in this state has no meaning. Also true when the state could not be read.
   */
  ending(containerId: string): boolean;
  /** Calls `listener` once per run started or adopted here, after its log and exit record are complete. */
  onExit(listener: (exit: TaskExit) => void): void;
  signal(containerId: string, signal: number): Promise<void>;
  /** Kills all processes of the container with SIGKILL and resolves when the exit record exists. */
  kill(containerId: string): Promise<void>;
  /** Returns which memory limits this kernel enforces. */
  memoryLimits(): { readonly memory: boolean; readonly swap: boolean };
  /** Reports whether a run is alive or any process is in a cgroup of this instance, known or not. */
  alive(): boolean;
  /** Removes the cgroups kept for the next run, which recreates them. Cgroups with processes stay. */
  giveBack(): void;
  pause(containerId: string): Promise<void>;
  unpause(containerId: string): Promise<void>;
  updateResources(containerId: string, resources: ResourceLimits): void;
  /** Returns the current use; null for a container that is not running. */
  usage(containerId: string): ResourceUsage | null;
  /**
   * Binds again those files of a running container whose source path now names another file. Returns the targets that were
   * bound again.
   */
  renewFiles(containerId: string, files: readonly BoundFile[]): Promise<readonly string[]>;
  /**
   * Runs statx(2) on a host path in a separate process: a filesystem that does not answer blocks only that.
   * Resolves with 0 or the errno; never, while the filesystem does not answer.
   * @throws TsdError when the process could not start, or ended without an answer
   */
  reach(path: string): Promise<number>;
  exec(containerId: string, spec: ExecSpec): Promise<StdioSession>;
  /**
   * Opens a session with the output from now on, in addition to the log. The payload never waits: a session that falls too
   * far behind is closed.
   * @throws TSD_CONTAINER_NOT_RUNNING
   */
  attach(containerId: string): Promise<AttachedSession>;
  /** Removes cgroups, sockets and run records of a container that is not running. */
  remove(containerId: string): Promise<void>;
  /** Returns the container ids with a process, cgroup or run record of ours. */
  list(): readonly string[];
  /** Disconnects from all runs; they keep running. */
  close(): void;
}
