/** Resources as clients see them, from one observation and what the loop last decided. */
import type { ContainerView, HealthView, ImageView, NetworkView, VolumeView } from '../../api/views/resource-views.ts';
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { NetworkConfig } from '../../drivers/contract/network.ts';
import { formatTime } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import type { ObservedHealth } from '../../model/health.ts';
import { imageOf } from '../../model/imperative/asked.ts';
import { beforePort } from '../../model/networks/host-addresses.ts';
import type { ObservedContainer } from '../../model/observed.ts';
import { type Kind, parseKey, type ResourceKey } from '../../model/resource.ts';
import type { Condition } from '../../model/status/phases.ts';
import { nextKey } from '../../model/update.ts';
import type { NetworkNames } from '../../reconcile/names/network-names.ts';
import { type ContainerStatus, containerStatus } from '../../reconcile/phase.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { endpointOn, ownAddresses } from '../../state/containers/endpoints.ts';
import type { ResourceStore } from '../../state/history/resource-store.ts';
import type { GraphIndex } from '../../state/images/graph-index.ts';
import type { RepositoryStore } from '../../state/images/repositories.ts';
import { volumeKey } from '../../state/volumes/volume-record.ts';
import type { VolumeStore } from '../../state/volumes/volumes.ts';
import type { ResolverService } from '../resolver/resolver-service.ts';
import { datedConditions } from './condition-times.ts';
import { endpointViews } from './endpoint-views.ts';
import { containerHint } from './hints.ts';
import { namesLeftOut, namesUnanswered } from './name-conditions.ts';
import { resourceStatus } from './resource-status.ts';
import { sharedGroups } from './shared-groups.ts';
import { unfiltered } from './unfiltered.ts';
import type { ViewInput } from './view-input.ts';

export interface ContainerViewPorts {
  readonly containers: Pick<ContainerStore, 'all' | 'get'>;
  readonly exec: Pick<ExecDriver, 'sharedGroups' | 'unfiltered'>;
  readonly names: Pick<NetworkNames, 'leftOut'>;
  readonly resolver: Pick<ResolverService, 'problemOf'>;
}

export interface ImageViewPorts {
  readonly images: Pick<GraphIndex, 'all' | 'get'>;
  readonly repositories: Pick<RepositoryStore, 'namesOf'>;
}

export interface VolumeViewPorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly volumes: Pick<VolumeStore, 'all' | 'keyed'>;
}

export interface NetworkViewPorts {
  readonly containers: Pick<ContainerStore, 'all'>;
  readonly resources: Pick<ResourceStore, 'networks'>;
  defaultNetwork(): NetworkConfig | null;
}

function desiredOfKind<K extends Kind>(desired: DesiredState, kind: K, key: ResourceKey): Desired<K> | undefined {
  const found = desired.resources.get(key);
  return found?.kind === kind ? (found as Desired<K>) : undefined;
}

function keysOf(kind: Kind, desired: DesiredState, observed: ReadonlyMap<ResourceKey, unknown>): ResourceKey[] {
  const declared = [...desired.resources.values()].filter((resource) => resource.kind === kind).map(({ key }) => key);
  return [...new Set([...declared, ...observed.keys()])].sort();
}

function publishedPorts(record: ContainerRecord | undefined): string[] {
  return (record?.network?.ports ?? []).map(
    ({ hostIp, hostPort, containerPort, protocol }) =>
      `${beforePort(hostIp)}:${hostPort}->${containerPort}/${protocol}`,
  );
}

const instant = (ms: number | null): string | null => (ms === null ? null : new Date(ms).toISOString());

function healthView(health: ObservedHealth | null | undefined): HealthView | null {
  if (!health) return null;
  const results = health.results.map(({ atWallMs, probe, ok, ms, output }) => ({
    at: formatTime(atWallMs),
    probe,
    ok,
    ms,
    output,
  }));
  return { state: health.state, message: health.message, results };
}

/** What a container is doing, without the times since when. */
export function statusOf(
  { desired, observed, loop }: Pick<ViewInput, 'desired' | 'observed' | 'loop'>,
  key: ResourceKey,
): ContainerStatus {
  return containerStatus({
    desired: desiredOfKind(desired, 'container', key),
    observed: observed.containers.get(key),
    next: observed.containers.get(nextKey(key)),
    hold: loop.hold(key),
    op: loop.inFlight(key),
    update: observed.updates?.get(key),
    heldBack: desired.heldBack?.get(parseKey(key).app)?.reason,
  });
}

function containerView(input: ViewInput, ports: ContainerViewPorts, key: ResourceKey): ContainerView {
  const { desired, observed, loop } = input;
  const declared = desiredOfKind(desired, 'container', key);
  const container: ObservedContainer | undefined = observed.containers.get(key);
  const record = container && ports.containers.get(container.id);
  const hold = loop.hold(key);
  const op = loop.inFlight(key);
  const status = statusOf(input, key);
  const trouble = container && input.logTroubles.of(container.id);
  const logDelayed: Condition[] = trouble
    ? [{ type: 'LogDelayed', status: true, reason: 'ReceiverDown', ...trouble }]
    : [];
  const besides = [
    ...namesLeftOut(container?.running ? ports.names.leftOut(container.id) : 0),
    ...namesUnanswered(container?.running ? ports.resolver.problemOf(container.id) : null),
    ...logDelayed,
    ...sharedGroups(container?.running ? ports.exec.sharedGroups(container.id) : []),
    ...(container?.running && record ? unfiltered(ports.exec, record) : []),
    ...input.unread.conditions(),
  ];
  const conditions = datedConditions([...status.conditions, ...besides], {
    observed: container,
    op: op ? { op, sinceMs: input.past.opSince(key) } : null,
    heldSinceMs: hold || container?.drift.length ? input.past.heldSince(key) : null,
    stoppedAtMs: record?.stopOverride ? Date.parse(record.stopOverride.at) : null,
  });
  const { app, name } = parseKey(key);
  return {
    name,
    app,
    engineName: container?.engineName ?? declared?.engineName ?? '',
    id: container?.id ?? '',
    phase: status.phase,
    ready: status.ready,
    pid: container?.pid ?? null,
    exitCode: container?.running ? null : (container?.exit?.code ?? null),
    restarts: container?.restarts.restarts ?? 0,
    image: (declared?.request && imageOf(declared.request)) ?? declared?.spec.image ?? record?.config.Image ?? '',
    imageId: container?.imageId ?? null,
    address: record?.network?.address ?? (record ? ownAddresses(record)[0] : null) ?? null,
    endpoints: record ? endpointViews(record) : [],
    ports: publishedPorts(record),
    startedAt: instant(container?.startedAtWallMs ?? null),
    finishedAt: instant(container?.exit?.finishedAtWallMs ?? null),
    message: status.message,
    hint: containerHint(key, container, hold),
    source: declared?.source ?? null,
    conditions,
    health: healthView(container?.health),
  };
}

/** One of {@link containerViews}, without the work of all; undefined when there is no such container. */
export function containerViewOf(
  input: ViewInput,
  ports: ContainerViewPorts,
  key: ResourceKey,
): ContainerView | undefined {
  const known = desiredOfKind(input.desired, 'container', key) ?? input.observed.containers.get(key);
  return known && containerView(input, ports, key);
}

/** A container that Docker made, or another driver: shown and not touched. */
function foreignView(record: ContainerRecord, reason: string | undefined): ContainerView {
  const { state } = record;
  return {
    name: record.engineName,
    app: '',
    engineName: record.engineName,
    id: record.id,
    phase: state.status === 'created' ? 'Pending' : 'Exited',
    ready: false,
    pid: null,
    exitCode: state.exitCode,
    restarts: record.restart.restarts,
    image: record.config.Image,
    imageId: record.imageId === '' ? null : record.imageId,
    address: null,
    ports: [],
    startedAt: state.startedAt,
    finishedAt: state.finishedAt,
    message: reason ?? 'not declared by a manifest; shown and left alone',
    hint: '',
    source: null,
    conditions: [],
    health: null,
  };
}

export function containerViews(input: ViewInput, ports: ContainerViewPorts): ContainerView[] {
  const keys = keysOf('container', input.desired, input.observed.containers);
  const managed = keys.map((key) => containerView(input, ports, key));
  const foreign = ports.containers
    .all()
    .filter(({ owner }) => owner === null)
    .map((record) => foreignView(record, input.loop.unavailable(record.id)));
  return [...managed, ...foreign];
}

export function imageViews(input: ViewInput, { images, repositories }: ImageViewPorts): ImageView[] {
  const { desired, observed } = input;
  const tagsOf = (id: string): string[] =>
    input.reading(() => repositories.namesOf(id), []).map(({ repository, tag }) => `${repository}:${tag}`);
  const declared = keysOf('image', desired, observed.images).map((key): ImageView => {
    const imageId = observed.images.get(key)?.imageId ?? null;
    const record = imageId === null ? undefined : images.get(imageId);
    return {
      ...parseKey(key),
      id: imageId,
      tags: imageId === null ? [] : tagsOf(imageId),
      size: record ? (record.Tsdocker?.Layers ?? []).reduce((sum, layer) => sum + layer.Size, 0) : null,
      created: record?.created ?? null,
      ...resourceStatus(input, key, imageId !== null),
      source: desired.resources.get(key)?.source ?? null,
    };
  });
  const known = new Set(declared.map(({ id }) => id));
  const loaded = images.all().filter(({ id }) => !known.has(id));
  const others = loaded.map((record): ImageView => {
    const tags = tagsOf(record.id);
    return {
      name: tags[0] ?? record.id.slice(0, 12),
      app: '',
      id: record.id,
      tags,
      size: (record.Tsdocker?.Layers ?? []).reduce((sum, layer) => sum + layer.Size, 0),
      created: record.created,
      phase: 'Ready',
      message: '',
      hint: '',
      source: null,
      conditions: [],
    };
  });
  const all = [...declared, ...others];
  return all.map(({ name, app, id, tags, size, created, phase, message, hint, source, conditions }) => ({
    name,
    app,
    id,
    tags,
    size,
    created,
    phase,
    message,
    hint,
    source,
    conditions,
  }));
}

/** @param nameless of an anonymous volume */
function keptBecause(nameless: { readonly containerKey: ResourceKey; readonly target: string } | null): string {
  if (nameless === null) return 'kept; no manifest declares it';
  const { app, name } = parseKey(nameless.containerKey);
  return `kept; was ${nameless.target} of ${app}/${name}, which is gone`;
}

export function volumeViews(input: ViewInput, ports: VolumeViewPorts): VolumeView[] {
  const { desired, observed } = input;
  const users = (path: string): string[] =>
    ports.containers
      .all()
      .filter(({ volumes }) => Object.values(volumes).some((volume) => volume.path === path))
      .map(({ engineName }) => engineName);
  const anonymous = ports.volumes.all().filter(({ owner }) => owner.type === 'anonymous');
  const keys = [...keysOf('volume', desired, observed.volumes), ...anonymous.flatMap((one) => volumeKey(one) ?? [])];
  return [...new Set(keys)].sort().map((key) => {
    const volume = ports.volumes.keyed(key);
    const { phase, message, hint, conditions } = resourceStatus(input, key, volume !== undefined);
    const { app, name } = parseKey(key);
    const released = observed.volumes.get(key)?.released === true;
    const nameless = volume?.owner.type === 'anonymous' ? volume.owner : null;
    return {
      name,
      app,
      id: volume?.id ?? '',
      path: volume?.path ?? '',
      phase: released ? 'Released' : phase,
      anonymous: nameless && { container: nameless.containerKey.slice('container/'.length), target: nameless.target },
      releasedAt: released ? instant(input.past.opSince(nameless?.containerKey ?? key)) : null,
      usedBy: volume ? users(volume.path) : [],
      message: released && message === '' ? keptBecause(nameless) : message,
      hint,
      source: desired.resources.get(key)?.source ?? null,
      conditions,
    };
  });
}

type Shape = Pick<NetworkConfig, 'driver' | 'interfaceName' | 'ipv4' | 'ipv6'>;

export function networkViews(input: ViewInput, ports: NetworkViewPorts): NetworkView[] {
  const { desired, observed } = input;
  const known = new Map<string, Shape>(ports.resources.networks().map((record) => [record.key, record]));
  const fallback = ports.defaultNetwork();
  if (fallback) known.set(fallback.key, fallback);
  return keysOf('network', desired, observed.networks).map((key) => {
    const network = observed.networks.get(key);
    const shape = network && known.get(key);
    const { app, name } = parseKey(key);
    return {
      name,
      app,
      driver: shape?.driver ?? '',
      bridge: shape?.interfaceName ?? '',
      subnet: shape?.ipv4?.subnet ?? null,
      gateway: shape?.ipv4?.gateway ?? null,
      subnet6: shape?.ipv6?.subnet ?? null,
      gateway6: shape?.ipv6?.gateway ?? null,
      ...resourceStatus(input, key, network?.missing.length === 0),
      containers: ports.containers.all().filter((record) => endpointOn(record, key) !== undefined).length,
      source: desired.resources.get(key)?.source ?? null,
    };
  });
}
