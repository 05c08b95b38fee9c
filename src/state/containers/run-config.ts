/** Docker 1.4's `Config` and `HostConfig`, shared by containers and images. Order of the fields is their order on disk. */
import { type GoValue, goBool, goInt, goMap, goSlice, goString, goStruct, goUnit } from '../files/go-json.ts';

const strings = goSlice(goString);

/** runconfig.Config: what an image says and a container overrides. `Memory` in bytes; `MemorySwap` -1 is unlimited. */
export const RUN_CONFIG = goStruct({
  Hostname: goString,
  Domainname: goString,
  User: goString,
  Memory: goInt,
  MemorySwap: goInt,
  CpuShares: goInt,
  Cpuset: goString,
  AttachStdin: goBool,
  AttachStdout: goBool,
  AttachStderr: goBool,
  PortSpecs: strings,
  /** Keys such as `80/tcp`. */
  ExposedPorts: goMap(goUnit),
  Tty: goBool,
  OpenStdin: goBool,
  StdinOnce: goBool,
  Env: strings,
  Cmd: strings,
  Image: goString,
  Volumes: goMap(goUnit),
  WorkingDir: goString,
  Entrypoint: strings,
  NetworkDisabled: goBool,
  MacAddress: goString,
  OnBuild: strings,
});
export type RunConfig = GoValue<typeof RUN_CONFIG>;

/** nat.PortBinding list; null for a port that is exposed and not published. */
export const PORT_BINDINGS = goSlice(goStruct({ HostIp: goString, HostPort: goString }));

/** runconfig.HostConfig: what belongs to the host and not to the image. `Links` is null on disk: see linkgraph.db. */
export const HOST_CONFIG = goStruct({
  Binds: strings,
  ContainerIDFile: goString,
  LxcConf: goSlice(goStruct({ Key: goString, Value: goString })),
  Privileged: goBool,
  PortBindings: goMap(PORT_BINDINGS),
  Links: strings,
  PublishAllPorts: goBool,
  Dns: strings,
  DnsSearch: strings,
  ExtraHosts: strings,
  VolumesFrom: strings,
  Devices: goSlice(goStruct({ PathOnHost: goString, PathInContainer: goString, CgroupPermissions: goString })),
  NetworkMode: goString,
  IpcMode: goString,
  CapAdd: strings,
  CapDrop: strings,
  RestartPolicy: goStruct({ Name: goString, MaximumRetryCount: goInt }),
  SecurityOpt: strings,
});
export type HostConfig = GoValue<typeof HOST_CONFIG>;
