/** What an exec driver does: runs of containers and sessions in them. */
import type { Readable, Writable } from 'node:stream';
import type { JsonValue } from '../../model/json.ts';
import type { Propagation, TmpfsOptions } from '../../model/kinds/short-forms.ts';
import type { SeccompProfile } from '../../model/seccomp/profile.ts';
import type { Driver } from './driver.ts';
import type { RootMount } from './graph.ts';

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
  /** Of a tmpfs, where not as usual: mode 1777, of root, no programs are run in it. */
  readonly tmpfs?: TmpfsOptions;
  /** Of a bind; absent: neither side sees later mounts of the other. */
  readonly propagation?: Propagation;
}

/** A namespace of the host, or of another container that runs, by its id. */
export type SharedNamespace = 'host' | { readonly containerId: string };

/** Namespaces that a run shares; it has those of its own that are absent. */
export interface SharedNamespaces {
  readonly pid?: SharedNamespace;
  /** With its /dev/shm. */
  readonly ipc?: SharedNamespace;
  readonly uts?: 'host';
  readonly cgroup?: 'host';
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
      readonly type: 'connected';
      /** Name of the network's interface on the host. */
      readonly networkInterface: string;
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

export interface TerminalSize {
  readonly rows: number;
  readonly columns: number;
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
  /** Supplementary groups besides those of the user, as names or numbers. */
  readonly groups?: readonly string[];
  readonly hostname: string;
  readonly domainname: string;
  /** Kernel settings of its namespaces by name (`net.core.somaxconn`), written when they are set up. */
  readonly sysctls: Readonly<Record<string, string>>;
  readonly mounts: readonly MountSpec[];
  /** Fd of the network namespace to enter, or null for the host's. */
  readonly netnsFd: number | null;
  readonly shared?: SharedNamespaces;
  /** False: it has no /dev/shm. */
  readonly shm?: boolean;
  /** Names without CAP_, upper case. */
  readonly capabilities: readonly string[];
  readonly privileged: boolean;
  readonly noNewPrivileges: boolean;
  /** System call filter. Absent: the default profile, or none when privileged. */
  readonly seccomp?: SeccompProfile | 'unconfined';
  readonly devices: readonly DeviceNode[];
  readonly ulimits: Readonly<Record<string, { readonly soft: number; readonly hard: number }>>;
  readonly resources: ResourceLimits;
  /** Size of /dev/shm in bytes; null and absent: 64 MiB. */
  readonly shmBytes?: number | null;
  /** Added to its badness when memory is short, proc_pid_oom_score_adj(5). */
  readonly oomScoreAdj?: number | null;
  readonly tty: boolean;
  /** Size of its terminal from the beginning. Absent: that of a new terminal, 0 by 0. */
  readonly terminalSize?: TerminalSize;
  /** Keep stdin open for attach; otherwise /dev/null. */
  readonly stdin: boolean;
  /** Run the payload under a minimal init that reaps and forwards signals. */
  readonly init: boolean;
  readonly log: LogSpec;
  readonly recorded?: RecordedTask;
}

/** What a driver needs to find a run again. Others store it and never read it. */
export type DriverState = { readonly [key: string]: JsonValue };

/** Identifies a run after a crash of the supervisor or a reboot. Stored in the record of the container. */
export interface TaskHandle {
  readonly containerId: string;
  readonly run: number;
  readonly bootId: string;
  /** First process of the container, as the host counts. */
  readonly pid: number;
  /** Field 22 of /proc/<pid>/stat, as text: guards against a reused pid. */
  readonly startTime: string;
  readonly startedAtMs: number;
  readonly driverState: DriverState;
}

/** Current resource use of a container; null for what this host does not count. */
export interface ResourceUsage {
  /** CPU time of the current run. */
  readonly cpuSeconds: number | null;
  readonly memoryBytes: number | null;
  /** Processes and threads. */
  readonly pids: number | null;
}

/** Bytes read from or written to a device. */
export interface BlockIo {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

/** What was counted of a run so far; null for what this host does not count. */
export interface Statistics {
  readonly cpu: {
    readonly totalNs: number;
    readonly userNs: number;
    readonly systemNs: number;
    readonly periods: number;
    readonly throttledPeriods: number;
    readonly throttledNs: number;
  };
  readonly memory: {
    /** Of the control groups that count it: the names in `stats` differ. */
    readonly version: 1 | 2;
    readonly usage: number | null;
    readonly max: number | null;
    /** Null without one. */
    readonly limit: number | null;
    readonly failures: number | null;
    readonly stats: Readonly<Record<string, number>>;
  };
  readonly pids: number | null;
  readonly pidsLimit: number | null;
  readonly io: readonly BlockIo[];
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
  /** Optional features. Callers test these, never the driver's name; a method of a missing one throws TSD_DRIVER_LACKS. */
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
   * Takes over a run of an earlier supervisor. A run that is gone without an exit record is `exited` with exitCode null. A
   * handle with only the run's number may yield `unstarted`.
   */
  adopt(handle: Pick<TaskHandle, 'containerId' | 'run'> & Partial<TaskHandle>): Promise<AdoptResult>;
  /** Returns the current run of the container, or null. */
  running(containerId: string): TaskHandle | null;
  /**
   * Opens the network namespace in which a running container was started, wherever its processes are now. The descriptor is
   * close-on-exec and belongs to the caller.
   * @throws TSD_NETWORK when it is the host's, is gone, or was created by the container without rights on the host
   */
  openNetns(containerId: string): number;
  /**
   * Reports whether a running container was started in a network namespace; null when it does not run or could not be looked
   * at.
   * @param netnsFd belongs to the caller
   */
  startedIn(containerId: string, netnsFd: number): boolean | null;
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
  /**
   * As {@link signal}, and has the shim kill the payload if it still runs `killAfterMs` later, even without this process.
   * The last call counts; signal 0 changes only the time.
   * @returns false when the shim cannot take a time: the run got the signal
   */
  end(containerId: string, signal: number, killAfterMs: number): Promise<boolean>;
  /** Kills all processes of the container with SIGKILL and resolves when the exit record exists. */
  kill(containerId: string): Promise<void>;
  /** Reports whether a run is alive or any process is in a cgroup of this instance, known or not. */
  alive(): boolean;
  /** Removes the cgroups kept for the next run, which recreates them. Cgroups with processes stay. */
  giveBack(): void;
  pause(containerId: string): Promise<void>;
  unpause(containerId: string): Promise<void>;
  updateResources(containerId: string, resources: ResourceLimits): void;
  /** Returns the current use; null for a container that is not running. */
  usage(containerId: string): ResourceUsage | null;
  /** As {@link usage}, in detail. */
  statistics(containerId: string): Statistics | null;
  /** Numbers of all its processes, as the host counts; none of a container that is not running. */
  processes(containerId: string): readonly number[];
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
  /**
   * Opens a session with the next run that is started, from the first byte of its output. A start that fails is none. A run
   * that has begun when this is called, and is not reported as running yet, counts as the next one.
   * @throws the reason of the signal
   */
  attachNext(containerId: string, signal: AbortSignal): Promise<AttachedSession>;
  /** Sets the size of the payload's terminal; nothing where it has none. @throws TSD_CONTAINER_NOT_RUNNING */
  resize(containerId: string, rows: number, columns: number): Promise<void>;
  /** Removes cgroups, sockets and run records of a container that is not running. */
  remove(containerId: string): Promise<void>;
  /** Returns the container ids with a process, cgroup or run record of this instance, known or orphaned. */
  list(): readonly string[];
  /** Disconnects from all runs; they keep running. */
  close(): void;
}
