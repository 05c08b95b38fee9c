/** What `info` and `doctor` show of the host and the supervisor. */

/** What the host's kernel can do for containers; null where that could not be looked at. */
export interface HostAbilities {
  readonly memoryLimit: boolean | null;
  readonly swapLimit: boolean | null;
  /** By their names below `resources` of a manifest. */
  readonly limits: Readonly<Record<string, boolean | null>>;
  readonly ipv4Forwarding: boolean | null;
  readonly ipv6Forwarding: boolean | null;
  readonly appArmor: boolean | null;
  readonly cgroupVersion: 1 | 2 | null;
}

/** The program that answers the names of containers and relays published ports that the kernel cannot translate. */
export interface ResolverInfo {
  /** `off` while no container needs it. */
  readonly state: 'off' | 'starting' | 'running' | 'failing';
  readonly pid: number | null;
  /** Containers that ask it. */
  readonly containers: number;
  /** Ports that it relays. */
  readonly ports: number;
  /** Starts after a failure, since the supervisor started. */
  readonly restarts: number;
  /** Resident; null before it has said so. */
  readonly memoryBytes: number | null;
  /** Why it does not run; null where it does. */
  readonly problem: string | null;
}

export interface InfoView extends HostAbilities {
  readonly version: string;
  readonly instance: string;
  /** Of the key in key.json, as libtrust writes it: `ABCD:EFGH:…`. */
  readonly id: string;
  readonly root: string;
  readonly runDir: string;
  readonly manifests: string;
  readonly socket: string;
  readonly graphDriver: string;
  readonly execDriver: string;
  readonly networkDriver: string;
  readonly defaultBridge: string;
  /** What networks get that do not say whether they have IPv6. */
  readonly newNetworks: {
    readonly ipv6: boolean;
    /** Why they have none although they would; null otherwise. */
    readonly lacking: string | null;
  };
  readonly generation: number;
  readonly containers: number;
  readonly running: number;
  readonly images: number;
  /** Left out by supervisors of versions without one. */
  readonly resolver?: ResolverInfo;
  readonly kernel: string;
  readonly cpus: number;
  readonly memoryBytes: number;
  readonly labels: readonly string[];
  readonly warnings: readonly string[];
}

/** A check of `doctor`: what this host can and cannot do, with the fix. */
export interface DoctorCheck {
  readonly name: string;
  readonly status: 'ok' | 'warning' | 'failed';
  readonly message: string;
  readonly fix: string | null;
}
