/** config.json of a container: Docker 1.4's fields in their order, then ours under the one key `Tsdocker`. */

import { CONTAINER_OVERRIDE } from '../container-override.ts';
import {
  type GoType,
  type GoValue,
  goAny,
  goBool,
  goInt,
  goMap,
  goPointer,
  goSlice,
  goString,
  goStruct,
  goTimeText,
  omitEmpty,
} from '../files/go-json.ts';
import { IMPERATIVE_REQUEST } from '../imperative-request.ts';
import { PORT_BINDINGS, RUN_CONFIG } from './run-config.ts';

const DOCKER_STATE = goStruct({
  Running: goBool,
  Paused: goBool,
  Restarting: goBool,
  OOMKilled: goBool,
  Pid: goInt,
  ExitCode: goInt,
  Error: goString,
  StartedAt: goTimeText,
  FinishedAt: goTimeText,
});

export const NETWORK_SETTINGS = goStruct({
  IPAddress: goString,
  IPPrefixLen: goInt,
  MacAddress: goString,
  Gateway: goString,
  Bridge: goString,
  PortMapping: goMap(goMap(goString)),
  Ports: goMap(PORT_BINDINGS),
});

/** A finite number with a fraction: boot clock milliseconds. */
const goFloat: GoType<number> = {
  ...goInt,
  decode: (json, path) => (Number.isFinite(json) ? (json as number) : goInt.decode(json, path)),
};

const OWNER = goStruct({
  Key: goString,
  Written: goAny,
  SchemaVersion: goInt,
  SpecHash: goString,
  ContentHashes: goMap(goString),
  Generation: goInt,
  Files: omitEmpty(goMap(goString)),
  Request: omitEmpty(goPointer(IMPERATIVE_REQUEST)),
  Override: omitEmpty(goPointer(CONTAINER_OVERRIDE)),
});

const HANDLE = goStruct({
  Run: goInt,
  BootId: goString,
  ShimPid: omitEmpty(goInt),
  ShimStartTime: omitEmpty(goString),
  Pid: goInt,
  StartTime: goString,
  StartedAtMs: goFloat,
  DriverState: omitEmpty(goAny),
});

const MOMENT = goStruct({ At: goTimeText, BootId: goString, AtBootMs: goFloat });

const ENDPOINT = goStruct({
  Network: goString,
  Bridge: goString,
  Interface: goString,
  IPv4: goString,
  IPv6: omitEmpty(goString),
  MAC: omitEmpty(goString),
  Gateway4: omitEmpty(goString),
  Gateway6: omitEmpty(goString),
  DefaultRoute4: goBool,
  DefaultRoute6: goBool,
  Aliases: omitEmpty(goSlice(goString)),
  Former4: omitEmpty(goString),
  Former6: omitEmpty(goString),
});

/** Data for which Docker has no field. */
const EXTENSION = goStruct({
  Owner: goPointer(OWNER),
  TopLayer: goPointer(goString),
  Snapshot: goString,
  Run: goInt,
  BegunAt: omitEmpty(goPointer(MOMENT)),
  /** The last run ended in an unknown way. */
  ExitUnknown: goBool,
  StartErrorClass: goString,
  BootId: goString,
  StartedAtBootMs: goPointer(goFloat),
  FinishedAtBootMs: goPointer(goFloat),
  Handle: goPointer(HANDLE),
  StoppedByUserAt: goPointer(goTimeText),
  StoppedUntil: omitEmpty(goPointer(MOMENT)),
  StoppedForSpec: omitEmpty(goPointer(goString)),
  StopTimeoutMs: omitEmpty(goPointer(goFloat)),
  PausedRun: omitEmpty(goPointer(goFloat)),
  Stopping: omitEmpty(goPointer(goStruct({ Run: goInt, Signal: goString, At: goPointer(MOMENT) }))),
  ConsecutiveFailures: goInt,
  RestartRequested: goBool,
  RestartAfterShutdown: omitEmpty(goPointer(goBool)),
  LinkAddresses: goMap(goString),
  EnvAddresses: goMap(goString),
  DependencyRuns: goMap(goString),
  Resolver: omitEmpty(goPointer(goStruct({ Ndots: goPointer(goInt) }))),
  Endpoints: omitEmpty(goSlice(ENDPOINT)),
  InterfaceNames: omitEmpty(goMap(goString)),
});

export const CONFIG_JSON = goStruct({
  State: DOCKER_STATE,
  ID: goString,
  Created: goTimeText,
  Path: goString,
  Args: goSlice(goString),
  Config: goPointer(RUN_CONFIG),
  Image: goString,
  NetworkSettings: goPointer(NETWORK_SETTINGS),
  ResolvConfPath: goString,
  HostnamePath: goString,
  HostsPath: goString,
  Name: goString,
  Driver: goString,
  ExecDriver: goString,
  MountLabel: goString,
  ProcessLabel: goString,
  AppArmorProfile: goString,
  RestartCount: goInt,
  Volumes: goMap(goString),
  VolumesRW: goMap(goBool),
  Tsdocker: omitEmpty(goPointer(EXTENSION)),
});

export type ConfigJson = GoValue<typeof CONFIG_JSON>;
export type DockerState = GoValue<typeof DOCKER_STATE>;
export type NetworkSettings = GoValue<typeof NETWORK_SETTINGS>;
export type ContainerExtension = GoValue<typeof EXTENSION>;
