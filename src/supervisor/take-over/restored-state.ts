/** What is made of what an earlier supervisor left: runs that go on, runs that ended meanwhile, networks, names. */
import { isDeepStrictEqual } from 'node:util';
import type { AdoptResult } from '../../drivers/contract/exec.ts';
import type { ObservedNetworks } from '../../drivers/contract/network.ts';
import { formatTime } from '../../model/clock.ts';
import type { Desired } from '../../model/desired.ts';
import { describeError, toTsdError } from '../../model/errors/errors.ts';
import { networkMode, ownsNamespace } from '../../model/network-mode.ts';
import { restartsAfter } from '../../model/restart-policy.ts';
import { bootTimeOfEnd, bootTimeOfStart, stateOfUnseenStart } from '../../reconcile/exits.ts';
import { adoptSandbox } from '../../reconcile/ops/containers/container-connect.ts';
import { reachOf } from '../../reconcile/ops/networks/endpoint.ts';
import { networkConfigs } from '../../reconcile/ops/networks/network-config.ts';
import type { World } from '../../reconcile/ops/world.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { decideNames, decideRestore, isUnknown, type RestoreDecision, type RestoreInput } from '../../state/restore.ts';
import { resumeFound } from '../requests/pauses.ts';
import type { FoundRun } from '../timeline.ts';

export interface AdoptionReport {
  readonly running: number;
  readonly exited: number;
  /** Containers that are shown and not touched, with the reason. */
  readonly unavailable: ReadonlyMap<string, string>;
}

/** Who hears what came to light. */
export interface AdoptionListeners {
  /** What became of a run that an earlier supervisor began. */
  readonly onFound: (run: FoundRun) => void;
  readonly onProblem: (text: string) => void;
}

// What is written here can be found out again, so a disk without room does not keep the supervisor from starting.

function recordExit(
  world: World,
  record: ContainerRecord,
  exit: Extract<RestoreDecision, { decision: 'exited' }>,
): void {
  const now = world.clock.now();
  const finishedAtMs = exit.finishedAtMs ?? now.wallMs;
  const seenToStart = record.handle?.run === record.run;
  const state = seenToStart ? record.state : stateOfUnseenStart(record);
  const finishedAtBootMs = bootTimeOfEnd(state, finishedAtMs, now, world.bootId);
  world.containers.updateSoon({
    ...record,
    handle: seenToStart ? record.handle : null,
    network: finishedAtBootMs === null ? null : record.network,
    state: {
      ...state,
      status: 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      startError: null,
      finishedAt: formatTime(finishedAtMs),
      finishedAtBootMs,
    },
  });
}

/** What a run that goes on is recorded as: one that stands still is still to be let go on. */
const liveStatus = ({ state }: ContainerRecord) => (state.status === 'paused' ? 'paused' : 'running');

/** Records a live run without a handle; its state is then unknown ({@link isUnknown}). */
function recordUnknown(world: World, record: ContainerRecord): void {
  world.containers.updateSoon({ ...record, handle: null, state: { ...record.state, status: liveStatus(record) } });
}

/** The start that was interrupted is still due; a start that failed keeps its own reason. */
function recordUnstarted(world: World, record: ContainerRecord): void {
  const { state } = record;
  const interrupted = { class: 'unavailable', message: 'the supervisor ended meanwhile' } as const;
  world.containers.updateSoon({
    ...record,
    handle: null,
    state: {
      ...state,
      status: state.finishedAt === null ? 'created' : 'exited',
      pid: 0,
      startError: state.startError ?? interrupted,
    },
  });
}

function takeOver(
  world: World,
  record: ContainerRecord,
  decision: Extract<RestoreDecision, { decision: 'adopt' }>,
  attempt: Attempt,
): void {
  const { handle } = decision;
  const ownsNetns = ownsNamespace(networkMode(record.hostConfig.NetworkMode));
  // The run may end at any moment; its exit is reported like any other.
  if (ownsNetns) attempt(record.engineName, () => adoptSandbox(world, record.id));
  const state: ContainerRecord['state'] = {
    ...record.state,
    status: liveStatus(record),
    pid: handle.pid,
    exitCode: null,
    startError: null,
    startedAt: formatTime(handle.startedAtMs),
    bootId: handle.bootId,
    startedAtBootMs: bootTimeOfStart(record, handle, world.clock.now()),
  };
  // Usually all of it was written down when the run began.
  const written = isDeepStrictEqual({ handle, state }, { handle: record.handle, state: record.state });
  if (!written) world.containers.updateSoon({ ...record, handle, state });
  world.exits.started(record.id, handle.run);
}

type Attempt = (what: string, work: () => void) => void;

/** Logs what fails and continues with the rest. */
export function attempting({ onProblem }: Pick<AdoptionListeners, 'onProblem'>): Attempt {
  return (what, work) => {
    try {
      work();
    } catch (error) {
      onProblem(`${what}: ${describeError(toTsdError(error))}`);
    }
  };
}

/** Tells the network driver how these containers are attached, so that it can watch and change it. */
export function restoreEndpoints(world: World, containers: readonly ContainerRecord[], attempt: Attempt): void {
  let known: ObservedNetworks['endpoints'] | undefined;
  const seen = () => {
    known ??= world.network.observe().endpoints;
    return known;
  };
  const byInterface = new Map(networkConfigs(world).map((config) => [config.interfaceName, config]));
  for (const { id } of containers) {
    const record = world.containers.get(id);
    const network = byInterface.get(record?.network?.bridge ?? '');
    if (!record?.network || !network || world.network.sandbox(id) === null) continue;
    const { address, prefixLength, mac, ports } = record.network;
    const desired = record.owner && world.desired().resources.get(record.owner.key);
    const container = desired?.kind === 'container' ? (desired as Desired<'container'>) : null;
    // Resuming it would repair drift that the manifest wants left alone.
    if (container && container.spec.drift !== 'heal' && !seen().get(id)?.connected) continue;
    attempt(record.engineName, () =>
      world.network.resume({
        containerId: id,
        network: network.key,
        address: `${address}/${prefixLength}`,
        mac,
        ports,
        reach: container ? reachOf(world.endpoints, container) : [],
      }),
    );
  }
}

/**
 * A namespace ends with its last holder. Of a container whose namespace is gone the rules may have stayed, and would
 * keep its host ports from others.
 */
function dropEndpoints(world: World, attempt: Attempt): void {
  for (const record of world.containers.all()) {
    const touchable = record.owner !== null && record.execDriver === world.exec.name && !isUnknown(record);
    if (!touchable || world.exec.running(record.id) || world.network.sandbox(record.id) !== null) continue;
    attempt(record.engineName, () => world.network.detach(record.id));
    if (record.network !== null) world.containers.updateSoon({ ...record, network: null });
  }
}

/** Tells the network driver what was there; what is missing is made again. */
export function restoreNetworks(world: World, attempt: Attempt): void {
  dropEndpoints(world, attempt);
  const fallback = world.defaultNetwork();
  for (const config of networkConfigs(world)) {
    if (config.key !== fallback?.key) attempt(config.key, () => world.network.ensureNetwork(config));
  }
  restoreEndpoints(world, world.containers.all(), attempt);
}

/** Whether a start of the supervisor would start it, according to its record. */
function wouldStart({ owner, state, restart }: ContainerRecord): boolean {
  if (owner === null) return false;
  const { policy } = containerSpecOf(owner).restart;
  if (restart.requested || state.startError !== null) return true;
  return restartsAfter(policy, state.exitCode !== 0);
}

/**
 * What does not run now and would be started again is left down. What has never run is new, and what may run is not known to
 * be down.
 */
export function leaveDown(world: World): void {
  for (const record of world.containers.all()) {
    const isDown = record.run > 0 && !world.exec.running(record.id) && !isUnknown(record);
    if (isDown && wouldStart(record)) world.leftDown.add(record.id);
  }
}

export function repairNames(world: World, attempt: Attempt): void {
  const { missing, stale } = decideNames(
    world.containers.all(),
    world.containers.ids(),
    world.links.entities(),
    (path) => world.links.get(path),
  );
  for (const id of stale) attempt(`names of ${id.slice(0, 12)}`, () => world.links.purge(id));
  for (const { path, id } of missing) attempt(`name ${path}`, () => world.links.set(path, id));
}

/** What decisions are made from, beside the answers. */
export function restoreInput(world: World, containers: readonly ContainerRecord[]): RestoreInput {
  return {
    containers,
    graphDriver: world.graph.name,
    execDriver: world.exec.name,
    bootId: world.bootId,
    execIds: new Set(world.exec.list()),
  };
}

/** Records what became of runs that the exec driver was asked about. */
export async function takeOverRuns(
  world: World,
  input: RestoreInput,
  answers: ReadonlyMap<string, AdoptResult>,
  listeners: AdoptionListeners,
): Promise<AdoptionReport> {
  const asked = new Map(input.containers.map((record) => [record.id, record]));
  const unavailable = new Map<string, string>();
  const counts = { running: 0, exited: 0 };
  const { onFound, onProblem } = listeners;
  for (const decision of decideRestore(input, answers)) {
    const record = world.containers.get(decision.id);
    if (!record) continue;
    if (decision.decision === 'unavailable') unavailable.set(decision.id, decision.reason);
    if (decision.decision === 'unknown') recordUnknown(world, record);
    if (decision.decision === 'unstarted') recordUnstarted(world, record);
    if (decision.decision === 'exited') {
      recordExit(world, record, decision);
      counts.exited += 1;
      const finishedAtMs = decision.finishedAtMs ?? world.clock.now().wallMs;
      onFound({ record, run: record.run, exit: { ...decision, finishedAtMs }, reason: decision.reason });
    }
    if (decision.decision === 'adopt') {
      // While others were asked about, its exit may have been reported and recorded already.
      if (record.state.status === 'exited' && asked.get(record.id)?.state.status !== 'exited') continue;
      await world.fileReaders.changing(record, 'taken over', async () => {
        takeOver(world, record, decision, attempting(listeners));
        await resumeFound(world, record.id).catch((error) => {
          onProblem(`${record.engineName}: ${describeError(toTsdError(error))}`);
        });
      });
      counts.running += 1;
      const adopted = world.containers.get(record.id) ?? record;
      onFound({ record: adopted, run: record.run, exit: null, reason: 'found running' });
    }
  }
  return { ...counts, unavailable };
}
