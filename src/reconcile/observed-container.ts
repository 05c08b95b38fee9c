/** What a container looks like: its record, beside what drivers and memory know of it. */
import type { ExecDriver, TaskHandle } from '../drivers/contract/exec.ts';
import type { GraphDriver } from '../drivers/contract/graph.ts';
import type { Networks, ObservedEndpoint, ObservedNetworks } from '../drivers/contract/network.ts';
import type { Clock, Instant } from '../model/clock.ts';
import type { References } from '../model/desired.ts';
import type { HealthRecord, ProbeSet } from '../model/health.ts';
import type { ObservedContainer, ObservedExit } from '../model/observed.ts';
import type { ResourceKey } from '../model/resource.ts';
import type { ContainerRecord } from '../state/containers/container-record.ts';
import type { ContainerStore } from '../state/containers/containers.ts';
import { addressesOf, endpointsOf } from '../state/containers/endpoints.ts';
import { containerSpecOf } from '../state/containers/written-spec.ts';
import type { GraphIndex } from '../state/images/graph-index.ts';
import { isUnknown } from '../state/restore.ts';
import { type DriftMemory, missingOf } from './drift-memory.ts';
import type { HealthBook } from './health/health-book.ts';
import { probesOf } from './health/probes-of.ts';
import { healthOf } from './health/verdict.ts';
import { endpointDrift, endpointsOfOtherDeclaration } from './observed-endpoints.ts';
import { stopEnd, tookAway } from './ops/containers/stop-override.ts';
import { wantedNetworks } from './ops/networks/container-networks.ts';
import type { DefaultNetworks } from './ops/networks/network-config.ts';
import { leftBehind } from './ops/networks/shared-network.ts';
import { observedReferences } from './plan/references.ts';

/** What is known of the runs of containers, by their ids. */
interface KnownRuns {
  readonly exec: Pick<ExecDriver, 'name' | 'running' | 'unrecorded' | 'startedIn'>;
  /** Why it could not be found out whether a container still runs. */
  readonly unanswered: Pick<ReadonlyMap<string, string>, 'get'>;
  /** Containers that did not run when this supervisor started and are not started by itself. */
  readonly leftDown: Pick<ReadonlySet<string>, 'has'>;
  readonly health: Pick<HealthBook, 'get'>;
  readonly images: Pick<GraphIndex, 'get'>;
}

export interface ContainerSightPorts {
  readonly clock: Clock;
  readonly bootId: string;
  readonly graph: Pick<GraphDriver, 'name'>;
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly runs: KnownRuns;
  readonly network: Pick<Networks, 'sandbox'>;
  readonly networks: DefaultNetworks;
  readonly drifts: Pick<DriftMemory, 'of' | 'record'>;
}

/** How long the last run lasted, by the boot clock where both ends were in one boot: the wall clock may be set. */
function elapsed({ state }: ContainerRecord): number {
  const { startedAt, finishedAt, startedAtBootMs, finishedAtBootMs } = state;
  if (startedAt === null || finishedAt === null) return 0;
  if (startedAtBootMs !== null && finishedAtBootMs !== null) return Math.max(0, finishedAtBootMs - startedAtBootMs);
  return Math.max(0, Date.parse(finishedAt) - Date.parse(startedAt));
}

function observedExit(record: ContainerRecord, bootId: string): ObservedExit | null {
  const { state, run } = record;
  if (run === 0 || state.finishedAt === null || state.status === 'running' || state.status === 'paused') return null;
  return {
    code: state.exitCode,
    oomKilled: state.oomKilled,
    finishedAtWallMs: Date.parse(state.finishedAt),
    finishedAtBootMs: state.bootId === bootId ? state.finishedAtBootMs : null,
    ranForMs: elapsed(record),
  };
}

function observedStop(
  record: ContainerRecord,
  exit: ObservedExit | null,
  now: Instant,
  { bootId, runs: { leftDown } }: Pick<ContainerSightPorts, 'bootId' | 'runs'>,
): Pick<ObservedContainer, 'stopOverride' | 'leftDown' | 'stopHash' | 'stopUntil' | 'stopExpired' | 'stopTimeoutMs'> {
  const until = stopEnd(record, now, bootId);
  const over = until !== null && until.bootMs <= now.bootMs;
  const { stopOverride } = record;
  const stopped = stopOverride !== null && !over;
  const left = !stopped && leftDown.has(record.id);
  return {
    stopOverride: stopped || left,
    leftDown: left,
    stopHash: stopOverride?.specHash ?? null,
    stopUntil: until,
    stopExpired: over && exit !== null && stopOverride !== null && tookAway(stopOverride, exit, bootId),
    stopTimeoutMs: record.stopTimeoutMs,
  };
}

/** What a container looks like beside its record; by this alone it may look otherwise while the record stays. */
interface Facts {
  /** The last look at its endpoints in the kernel, and what that lacked. */
  readonly seen: { readonly endpoints: readonly ObservedEndpoint[]; readonly lacks: readonly string[] } | undefined;
  readonly handle: TaskHandle | null;
  readonly leftDown: boolean;
  readonly sandbox: boolean;
  readonly drift: readonly string[];
  readonly unanswered: string | undefined;
  readonly unrecorded: string | null;
  readonly probes: ProbeSet | null;
  readonly health: HealthRecord | undefined;
}

/** The driver gives the same endpoints while nothing of any of them changed. */
function lookedAt(
  record: ContainerRecord,
  endpoints: readonly ObservedEndpoint[],
  before: Facts['seen'],
): NonNullable<Facts['seen']> {
  const same =
    before?.endpoints.length === endpoints.length && endpoints.every((one, index) => one === before.endpoints[index]);
  return before && same ? before : { endpoints, lacks: endpointDrift(record, endpoints) };
}

const NONE: readonly ObservedEndpoint[] = [];

function areSame(a: Facts, b: Facts): boolean {
  return (
    a.handle === b.handle &&
    a.leftDown === b.leftDown &&
    a.sandbox === b.sandbox &&
    a.drift.length === b.drift.length &&
    a.drift.every((text, index) => text === b.drift[index]) &&
    a.unanswered === b.unanswered &&
    a.unrecorded === b.unrecorded &&
    a.probes === b.probes &&
    a.health === b.health
  );
}

function driftOf(
  record: ContainerRecord,
  wanted: readonly ResourceKey[],
  missing: readonly string[],
): readonly string[] {
  const changed = endpointsOfOtherDeclaration(record, wanted);
  return changed.length === 0 ? missing : [...new Set([...changed, ...missing])];
}

type MadeFor = Pick<References, 'networks' | 'networkContainer'>;

const MADE_FOR_NOTHING: MadeFor = { networks: [], networkContainer: null };

export class ContainerSight {
  readonly #ports: ContainerSightPorts;
  /** As last seen. Records never change, and most containers look for days as they did before. */
  readonly #last = new WeakMap<ContainerRecord, { facts: Facts; readonly container: ObservedContainer }>();
  /** Networks that a container was made for, and the one that shares its own with it, by its record. */
  readonly #madeFor = new WeakMap<ContainerRecord, MadeFor>();

  constructor(ports: ContainerSightPorts) {
    this.#ports = ports;
  }

  /** @param kernel what the network driver sees; null leaves drift out */
  look(
    record: ContainerRecord,
    kernel: ObservedNetworks | null = null,
    now: Instant = this.#ports.clock.now(),
  ): ObservedContainer {
    const last = this.#last.get(record);
    const facts = this.#factsOf(record, kernel, last?.facts);
    // A stop may be over by now.
    if (last && record.stopOverride === null && areSame(last.facts, facts)) {
      last.facts = facts;
      return last.container;
    }
    const container = this.#seenNow(record, facts, now);
    this.#last.set(record, { facts, container });
    return container;
  }

  #factsOf(record: ContainerRecord, kernel: ObservedNetworks | null, last: Facts | undefined): Facts {
    const { network, networks, drifts, runs } = this.#ports;
    const { owner, id } = record;
    const madeFor = this.#madeForOf(record);
    const wanted = wantedNetworks(networks, madeFor.networks);
    // A namespace without an endpoint is what an interrupted connect leaves: not a sandbox to start in.
    const isHeld = network.sandbox(id) !== null;
    const sandbox = isHeld && (wanted.length === 0 || endpointsOf(record).length > 0);
    const seen = kernel === null ? last?.seen : lookedAt(record, kernel.endpoints.get(id) ?? NONE, last?.seen);
    return {
      seen,
      handle: runs.exec.running(id),
      leftDown: runs.leftDown.has(id),
      sandbox,
      drift:
        sandbox && owner
          ? driftOf(
              record,
              wanted,
              missingOf(drifts, owner.key, kernel, () => seen?.lacks ?? []),
            )
          : leftBehind({ ...this.#ports, exec: runs.exec }, id, madeFor.networkContainer),
      unanswered: runs.unanswered.get(id),
      unrecorded: runs.exec.unrecorded(id),
      probes: probesOf(runs.images, record),
      health: runs.health.get(id),
    };
  }

  #madeForOf(record: ContainerRecord): MadeFor {
    const known = this.#madeFor.get(record);
    if (known || record.owner === null) return known ?? MADE_FOR_NOTHING;
    const { key } = record.owner;
    const madeFor = observedReferences({ key, engineName: record.engineName, spec: containerSpecOf(record.owner) });
    this.#madeFor.set(record, madeFor);
    return madeFor;
  }

  #seenNow(record: ContainerRecord, facts: Facts, now: Instant): ObservedContainer {
    const { bootId, graph, runs } = this.#ports;
    const { handle, sandbox, drift, unanswered, probes, health } = facts;
    const { owner, state } = record;
    const exit = handle ? null : observedExit(record, bootId);
    return {
      key: owner?.key ?? null,
      id: record.id,
      engineName: record.engineName,
      specHash: owner?.specHash ?? '',
      spec: owner ? containerSpecOf(owner) : undefined,
      contentHashes: owner?.contentHashes ?? {},
      imageId: record.imageId === '' ? null : record.imageId,
      available: record.graphDriver === graph.name && record.execDriver === runs.exec.name && owner !== null,
      unknown: isUnknown(record) ? (unanswered ?? 'it is not checked yet whether it still runs') : null,
      unrecorded: facts.unrecorded,
      run: record.run,
      running: handle !== null,
      paused: state.status === 'paused',
      pid: handle?.pid ?? null,
      startedAtWallMs: state.startedAt === null ? null : Date.parse(state.startedAt),
      startedAtBootMs: state.bootId === bootId ? state.startedAtBootMs : null,
      exit,
      startError: state.startError,
      sandbox,
      published: (record.network?.ports.length ?? 0) > 0,
      drift,
      restarts: { restarts: record.restart.restarts, consecutive: record.restart.consecutive },
      ...observedStop(record, exit, now, this.#ports),
      restartRequested: record.restart.requested,
      afterShutdown: record.restart.afterShutdown ?? false,
      linkAddresses: record.linkAddresses,
      envAddresses: record.envAddresses,
      dependencyRuns: record.dependencyRuns,
      endpoints: addressesOf(record),
      health: probes && healthOf(health, probes, record.run),
    };
  }
}
