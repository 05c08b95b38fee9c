/** Takes over what an earlier supervisor left: runs that go on, runs that ended meanwhile, names. */
import type { AdoptResult } from '../drivers/contract.ts';
import { formatTime } from '../model/clock.ts';
import type { Desired } from '../model/desired.ts';
import { describeError, toTsdError } from '../model/errors.ts';
import { reachOf } from '../reconcile/ops/endpoint.ts';
import { networkConfig } from '../reconcile/ops/network-config.ts';
import type { World } from '../reconcile/ops/world.ts';
import type { ContainerRecord } from '../state/container-record.ts';
import {
  adoptionQuestions,
  decideNames,
  decideRestore,
  type RestoreDecision,
  type RestoreInput,
} from '../state/restore.ts';
import type { FoundRun } from './timeline.ts';

export interface AdoptionReport {
  readonly running: number;
  readonly exited: number;
  /** Containers that are shown and not touched, with the reason. */
  readonly unavailable: ReadonlyMap<string, string>;
  readonly problems: readonly string[];
  /** What became of runs that an earlier supervisor began. */
  readonly found: readonly FoundRun[];
}

function recordExit(
  world: World,
  record: ContainerRecord,
  exit: Extract<RestoreDecision, { decision: 'exited' }>,
): void {
  const now = world.clock.now();
  const finishedAtMs = exit.finishedAtMs ?? now.wallMs;
  const age = Math.max(0, now.wallMs - finishedAtMs);
  const sameBoot = record.state.bootId === world.bootId && age <= now.bootMs;
  world.containers.update({
    ...record,
    handle: null,
    network: sameBoot ? record.network : null,
    state: {
      ...record.state,
      status: 'exited',
      pid: 0,
      exitCode: exit.exitCode,
      oomKilled: exit.oomKilled,
      finishedAt: formatTime(finishedAtMs),
      finishedAtBootMs: sameBoot ? now.bootMs - age : null,
    },
  });
}

function takeOver(
  world: World,
  record: ContainerRecord,
  decision: Extract<RestoreDecision, { decision: 'adopt' }>,
): void {
  const { handle } = decision;
  const ownsNetns = record.hostConfig.NetworkMode !== 'host' && !record.hostConfig.NetworkMode.startsWith('container:');
  if (ownsNetns) world.network.adoptSandbox(record.id, handle.pid);
  const now = world.clock.now();
  world.containers.update({
    ...record,
    handle,
    state: {
      ...record.state,
      status: record.state.status === 'paused' ? 'paused' : 'running',
      pid: handle.pid,
      exitCode: null,
      startError: null,
      startedAt: formatTime(handle.startedAtMs),
      bootId: handle.bootId,
      startedAtBootMs: now.bootMs - Math.max(0, now.wallMs - handle.startedAtMs),
    },
  });
  world.exits.started(record.id, handle.run);
}

/** Tells the network driver what was there, so that it can mend and change it; what is missing is made again. */
function restoreNetworks(world: World, problems: string[]): void {
  const fallback = world.defaultNetwork();
  const configs = world.resources
    .networks()
    .filter(({ key }) => key !== fallback?.key)
    .map((record) => networkConfig(world, record));
  const attempt = (what: string, work: () => void): void => {
    try {
      work();
    } catch (error) {
      problems.push(`${what}: ${describeError(toTsdError(error))}`);
    }
  };
  for (const config of configs) attempt(config.key, () => world.network.ensureNetwork(config));
  const byBridge = new Map([...configs, ...(fallback ? [fallback] : [])].map((config) => [config.bridge, config]));
  for (const record of world.containers.all()) {
    const network = byBridge.get(record.network?.bridge ?? '');
    if (!network || !record.network || world.network.sandbox(record.id) === null) continue;
    const { address, prefixLength, mac, ports } = record.network;
    const desired = record.owner && world.desired().resources.get(record.owner.key);
    const reach = desired?.kind === 'container' ? reachOf(world, desired as Desired<'container'>) : [];
    attempt(record.engineName, () =>
      world.network.attach({
        containerId: record.id,
        network: network.key,
        address: `${address}/${prefixLength}`,
        mac,
        ports,
        reach,
      }),
    );
  }
}

function repairNames(world: World): void {
  const { missing, stale } = decideNames(
    world.containers.all(),
    world.containers.ids(),
    world.links.entities(),
    (path) => world.links.get(path),
  );
  for (const id of stale) world.links.purge(id);
  for (const { path, id } of missing) world.links.set(path, id);
}

/** Asks the exec driver about every run it may know and records what became of it. */
export async function adoptContainers(world: World): Promise<AdoptionReport> {
  const input: RestoreInput = {
    containers: world.containers.all(),
    graphDriver: world.graph.name,
    execDriver: world.exec.name,
    bootId: world.bootId,
    execIds: new Set(world.exec.list()),
  };
  const problems: string[] = [];
  const answers = new Map<string, AdoptResult>();
  await Promise.all(
    adoptionQuestions(input).map(async (question) => {
      try {
        answers.set(question.containerId, await world.exec.adopt(question));
      } catch (error) {
        problems.push(`${question.containerId.slice(0, 12)}: ${describeError(toTsdError(error))}`);
      }
    }),
  );
  const unavailable = new Map<string, string>();
  const counts = { running: 0, exited: 0 };
  const found: FoundRun[] = [];
  for (const decision of decideRestore(input, answers)) {
    const record = world.containers.get(decision.id);
    if (!record) continue;
    if (decision.decision === 'unavailable') unavailable.set(decision.id, decision.reason);
    if (decision.decision === 'exited') {
      recordExit(world, record, decision);
      counts.exited += 1;
      const finishedAtMs = decision.finishedAtMs ?? world.clock.now().wallMs;
      found.push({ record, run: record.run, exit: { ...decision, finishedAtMs }, reason: decision.reason });
    }
    if (decision.decision === 'adopt') {
      takeOver(world, record, decision);
      counts.running += 1;
      const adopted = world.containers.get(record.id) ?? record;
      found.push({ record: adopted, run: record.run, exit: null, reason: 'found running' });
    }
  }
  restoreNetworks(world, problems);
  repairNames(world);
  return { ...counts, unavailable, problems, found };
}
