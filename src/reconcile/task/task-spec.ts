/** One run of a container as the exec driver wants it, made from the specification and what was allocated for it. */
import type {
  LogSpec,
  MountSpec,
  RecordedNetwork,
  SharedNamespaces,
  TaskSpec,
  TerminalSize,
} from '../../drivers/contract/exec.ts';
import type { RootMount } from '../../drivers/contract/graph.ts';
import { effectiveCapabilities } from '../../model/capabilities.ts';
import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { limitsOf } from '../../model/kinds/limit-forms.ts';
import type { Propagation } from '../../model/kinds/short-forms.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { containerEnv } from './container-env.ts';
import { type LinkedContainer, linkEnv } from './link-env.ts';

/** What an image says about running it; a manifest overrides each part. */
export interface ImageDefaults {
  readonly env: readonly string[];
  readonly entrypoint: readonly string[] | null;
  readonly command: readonly string[] | null;
  readonly workingDir: string;
  readonly user: string;
  readonly stopSignal: string | null;
}

/** Where the container's data of one mount target lies on this host. */
export interface ResolvedVolume {
  readonly source: string;
  readonly target: string;
  readonly readOnly: boolean;
  /** Volumes of ours take over image content while they are empty; bind mounts do not. */
  readonly copyUp: boolean;
  readonly propagation?: Propagation;
}

export interface TaskSpecInput {
  readonly key: ResourceKey;
  readonly containerId: string;
  readonly run: number;
  readonly spec: ContainerSpec;
  readonly image: ImageDefaults;
  readonly root: RootMount;
  readonly hostname: string;
  readonly netnsFd: number | null;
  readonly shared: SharedNamespaces;
  readonly volumes: readonly ResolvedVolume[];
  /** The container's own variables, files read, by name. */
  readonly environment: ReadonlyMap<string, string>;
  readonly seccomp: TaskSpec['seccomp'];
  readonly links: readonly LinkedContainer[];
  /** Host paths of the three files mounted into every container. */
  readonly files: { readonly hosts: string; readonly hostname: string; readonly resolvConf: string };
  readonly log: LogSpec;
  /** The container's own variables as they are stored: `K=V`, with references in the place of secrets. */
  readonly storedEnv: readonly string[];
  readonly network: RecordedNetwork;
  /** Of the terminal from which a client asked for it. */
  readonly terminalSize?: TerminalSize | undefined;
}

/** Entrypoint, then command, then args. An entrypoint of the manifest drops the image's command, as in Docker. */
export function commandLine(spec: ContainerSpec, image: ImageDefaults): readonly string[] {
  const entrypoint = spec.entrypoint ?? image.entrypoint ?? [];
  const command = spec.command ?? (spec.entrypoint === null ? image.command : null) ?? [];
  return [...entrypoint, ...command, ...spec.args];
}

function mounts(input: TaskSpecInput): MountSpec[] {
  const { files, spec, volumes } = input;
  const bind = (source: string, target: string): MountSpec => ({
    type: 'bind',
    source,
    target,
    // They lie outside the root and would be its only writable files.
    readOnly: spec.readOnly,
    copyUp: false,
    sizeBytes: null,
  });
  const all: MountSpec[] = [
    bind(files.resolvConf, '/etc/resolv.conf'),
    bind(files.hostname, '/etc/hostname'),
    bind(files.hosts, '/etc/hosts'),
    ...volumes.map((volume) => ({ ...volume, type: 'bind' as const, sizeBytes: null })),
    ...spec.volumes
      .filter((volume) => volume.type === 'tmpfs')
      .map(({ target, readOnly, sizeBytes, tmpfs }) => ({
        type: 'tmpfs' as const,
        source: '',
        target,
        readOnly,
        copyUp: false,
        sizeBytes,
        ...(tmpfs && { tmpfs }),
      })),
  ];
  // A volume declared on one of the three files replaces ours.
  const byTarget = new Map(all.map((mount) => [mount.target, mount]));
  return [...byTarget.values()].sort((a, b) => (a.target < b.target ? -1 : 1));
}

/** @throws TsdError TSD_COMMAND_NOT_FOUND when neither manifest nor image names a command. */
export function buildTaskSpec(input: TaskSpecInput): TaskSpec {
  const { spec, image } = input;
  const argv = commandLine(spec, image);
  if (argv.length === 0) {
    throw new TsdError('TSD_COMMAND_NOT_FOUND', 'No command specified: neither the manifest nor the image names one', {
      key: input.key,
      hint: 'Set command in the manifest.',
    });
  }
  const { hostname } = input;
  const base = { hostname, domainname: spec.domainname, tty: spec.tty };
  // Variables of linked containers come from their records, where secrets are references already.
  const links = input.links.flatMap(linkEnv);
  return {
    containerId: input.containerId,
    run: input.run,
    root: input.root,
    readOnlyRoot: spec.readOnly,
    argv,
    env: containerEnv({
      ...base,
      layers: [links, image.env, [...input.environment].map(([name, value]) => `${name}=${value}`)],
    }),
    cwd: spec.workingDir ?? (image.workingDir === '' ? '/' : image.workingDir),
    user: spec.user === '' ? image.user : spec.user,
    // These three are absent in specs that were stored before.
    groups: spec.groups ?? [],
    shmBytes: spec.shmSize ?? null,
    oomScoreAdj: spec.oomScoreAdj ?? null,
    hostname,
    domainname: spec.domainname,
    // Absent in specs that were stored before.
    sysctls: spec.sysctls ?? {},
    mounts: mounts(input),
    netnsFd: input.netnsFd,
    shared: input.shared,
    shm: spec.ipc !== 'none',
    capabilities: effectiveCapabilities(spec.capabilities.add, spec.capabilities.drop, spec.privileged),
    privileged: spec.privileged,
    noNewPrivileges: spec.noNewPrivileges,
    ...(input.seccomp !== undefined && { seccomp: input.seccomp }),
    devices: spec.devices.map(({ host, container, permissions }) => ({
      hostPath: host,
      containerPath: container,
      permissions,
    })),
    ulimits: spec.resources.ulimits,
    resources: limitsOf(spec.resources),
    tty: spec.tty,
    ...(input.terminalSize && { terminalSize: input.terminalSize }),
    stdin: spec.stdin,
    init: spec.init,
    log: input.log,
    recorded: {
      env: containerEnv({ ...base, layers: [links, image.env, input.storedEnv] }),
      network: input.network,
    },
  };
}
