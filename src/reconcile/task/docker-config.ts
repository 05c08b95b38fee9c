/** Docker 1.4's `Config` and `HostConfig` of a container, so that a Docker decoder reads our containers/. Pure. */
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ExposedPort } from '../../model/kinds/short-forms.ts';
import { HOST_CONFIG, type HostConfig, RUN_CONFIG, type RunConfig } from '../../state/containers/run-config.ts';
import type { ImageDefaults } from './task-spec.ts';

const portKey = ({ port, protocol }: ExposedPort): string => `${port}/${protocol}`;

/** Every port that the image, `expose` or `ports` names, without repetition, in ascending order. */
export function exposedPorts(spec: ContainerSpec, imagePorts: readonly ExposedPort[]): readonly ExposedPort[] {
  const published = spec.ports.map(({ containerPort, protocol }) => ({ port: containerPort, protocol }));
  const all = [...imagePorts, ...spec.expose, ...published];
  const byKey = new Map(all.map((port) => [portKey(port), port]));
  return [...byKey.values()].sort((a, b) => a.port - b.port || (a.protocol < b.protocol ? -1 : 1));
}

/** The environment as stored: a `fromFile` variable has a reference to the file as its value. */
export function storedEnv(spec: ContainerSpec): string[] {
  return Object.entries(spec.env).map(([name, value]) =>
    typeof value === 'string' ? `${name}=${value}` : `${name}=tsd-secret:${value.fromFile}`,
  );
}

export function dockerRunConfig(input: {
  spec: ContainerSpec;
  image: ImageDefaults;
  imagePorts: readonly ExposedPort[];
  hostname: string;
}): RunConfig {
  const { spec, image } = input;
  const { memoryBytes, memorySwapBytes, cpuShares, cpuset } = spec.resources;
  return {
    ...RUN_CONFIG.zero(),
    Hostname: input.hostname,
    Domainname: spec.domainname,
    User: spec.user === '' ? image.user : spec.user,
    Memory: memoryBytes ?? 0,
    MemorySwap: memorySwapBytes ?? 0,
    CpuShares: cpuShares ?? 0,
    Cpuset: cpuset ?? '',
    ExposedPorts: Object.fromEntries(exposedPorts(spec, input.imagePorts).map((port) => [portKey(port), {}])),
    Tty: spec.tty,
    OpenStdin: spec.stdin,
    Env: [...image.env, ...storedEnv(spec)],
    Cmd: [...(spec.command ?? image.command ?? []), ...spec.args],
    Image: spec.image,
    Volumes: Object.fromEntries(spec.volumes.filter(({ type }) => type === 'volume').map(({ target }) => [target, {}])),
    WorkingDir: spec.workingDir ?? image.workingDir,
    Entrypoint: spec.entrypoint ? [...spec.entrypoint] : image.entrypoint ? [...image.entrypoint] : null,
  };
}

function portBindings(spec: ContainerSpec): NonNullable<HostConfig['PortBindings']> {
  const bindings: Record<string, { HostIp: string; HostPort: string }[]> = {};
  for (const { hostIp, hostPort, containerPort, protocol } of spec.ports) {
    const key = portKey({ port: containerPort, protocol });
    bindings[key] = [
      ...(bindings[key] ?? []),
      { HostIp: hostIp ?? '', HostPort: hostPort === null ? '' : String(hostPort) },
    ];
  }
  return bindings;
}

function securityOptions({ noNewPrivileges, seccomp }: ContainerSpec): string[] | null {
  const options = [
    ...(noNewPrivileges ? ['no-new-privileges'] : []),
    ...(seccomp === null ? [] : [`seccomp=${seccomp}`]),
  ];
  return options.length === 0 ? null : options;
}

export function dockerHostConfig(spec: ContainerSpec): HostConfig {
  const binds = spec.volumes.filter(({ type }) => type === 'bind');
  return {
    ...HOST_CONFIG.zero(),
    Binds: binds.map(({ source, target, readOnly }) => `${source}:${target}${readOnly ? ':ro' : ''}`),
    Privileged: spec.privileged,
    PortBindings: portBindings(spec),
    Dns: [...spec.dns],
    DnsSearch: [...spec.dnsSearch],
    ExtraHosts: spec.extraHosts.map(({ name, address }) => `${name}:${address}`),
    VolumesFrom: spec.volumesFrom.map(({ container, readOnly }) => (readOnly ? `${container}:ro` : container)),
    Devices: spec.devices.map(({ host, container, permissions }) => ({
      PathOnHost: host,
      PathInContainer: container,
      CgroupPermissions: permissions,
    })),
    NetworkMode: spec.network,
    CapAdd: [...spec.capabilities.add],
    CapDrop: [...spec.capabilities.drop],
    RestartPolicy: {
      // Docker 1.4 knows no unless-stopped; always is what it does with it.
      Name:
        spec.restart.policy === 'no' ? '' : spec.restart.policy === 'unless-stopped' ? 'always' : spec.restart.policy,
      MaximumRetryCount: spec.restart.max,
    },
    SecurityOpt: securityOptions(spec),
  };
}
