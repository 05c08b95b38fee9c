/**
 * The steps one container needs, or why it stays as it is. Decided from the container alone; containers.ts then checks what
 * it depends on.
 */

import type { Instant } from '../../model/clock.ts';
import type { Desired } from '../../model/desired.ts';
import type { ChangeClass } from '../../model/field.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import { signalOf } from '../../model/kinds/runtime-forms.ts';
import { smallest } from '../../model/lists.ts';
import type { ObservedContainer, RestartCounters } from '../../model/observed.ts';
import { own } from '../../model/own.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { SignalName } from '../../model/signals.ts';
import type { HoldReason } from '../../model/status/holds.ts';
import type { Cause, Hold } from '../op.ts';
import type { FieldChange } from './diff.ts';
import { changedContent, diffSpecs } from './diff.ts';
import { changesEndpoints, changesNetworks } from './live-networks.ts';
import type { ContentChange } from './order/cause.ts';
import { because, declared, positionOf, redeclared, rolledBack, specChanged } from './order/cause.ts';
import { ownsSandbox, specOf } from './references.ts';
import { decideFailedStart, decideRestart, describeStop, mayRestart } from './restart.ts';

type StepName = 'stop' | 'disconnect' | 'remove' | 'create' | 'signal' | 'update' | 'connect' | 'relink' | 'start';

export interface Step {
  readonly name: StepName;
  readonly cause: Cause;
}

export interface Intent {
  readonly steps: readonly Step[];
  /** Restart counters of the run that a `start` step begins. */
  readonly counters: RestartCounters;
  /** Fields that an `update` step applies. */
  readonly fields: readonly string[];
  /** Signals that a `signal` step sends. */
  readonly signals: readonly SignalName[];
  /** Dependencies whose new runs the `signal` step announces. */
  readonly dependencies: readonly ResourceKey[];
  readonly hold: Hold | null;
}

/** State outside the container that its steps depend on. */
export interface Surroundings {
  readonly now: Instant;
  readonly seed: string;
  /** Current id of its image; null while it is unknown or about to change. */
  readonly imageId: string | null;
  /** True while a manual stop is in force. */
  readonly stopped: boolean;
  /** The generation to which its app is held back. Absent: it is not held back. */
  readonly heldAt?: number | undefined;
  /** Its network or the container whose network it shares is recreated in this plan. */
  readonly moved: Cause | null;
  /** Addresses of linked containers by alias, as they are now. */
  readonly linkAddresses: () => Readonly<Record<string, string>>;
  /** Returns when the last of its dependencies became ready, on the boot clock. */
  readonly dependencyUpAtBootMs: () => number | null;
  /** Returns the dependencies that restarted since it started. */
  readonly restartedDependencies: () => readonly ResourceKey[];
  /** Returns those of them that are ready. */
  readonly readyAgain: () => readonly ResourceKey[];
  /** Reports whether another running container uses its network namespace. */
  readonly shared: () => boolean;
}

const FRESH: RestartCounters = { restarts: 0, consecutive: 0 };
const NOTHING: Intent = { steps: [], counters: FRESH, fields: [], signals: [], dependencies: [], hold: null };

type StepPlan = readonly (StepName | false)[];

function steps(names: StepPlan, cause: Cause): Step[] {
  return names.filter((name) => name !== false).map((name) => ({ name, cause }));
}

function intend(names: StepPlan, cause: Cause, counters = FRESH): Intent {
  return { ...NOTHING, steps: steps(names, cause), counters };
}

/** Returns the earliest of the times; null when all are null. */
export function soonest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length > 0 ? smallest(known) : null;
}

function held(key: ResourceKey, reason: HoldReason, message: string, untilBootMs: number | null = null): Hold {
  return { key, reason, message, untilBootMs };
}

/** Returns the steps that remove a container no manifest declares. */
export function removalIntent(container: ObservedContainer, cause: Cause): Intent {
  return intend([container.running && 'stop', ownsSandbox(specOf(container)) && 'disconnect', 'remove'], cause);
}

/** Returns the steps that create and start a declared container. One that the Docker API makes is started by itself. */
export function creationIntent(desired: Desired<'container'>, cause = declared(desired)): Intent {
  if (desired.request) return intend(['create'], cause);
  return intend(['create', ownsSandbox(desired.spec) && 'connect', 'start'], cause);
}

interface Changes {
  readonly fields: readonly FieldChange[];
  readonly content: readonly ContentChange[];
  /** The strongest class among them, or null without changes. */
  readonly strongest: ChangeClass | null;
}

const UNCHANGED: Changes = { fields: [], content: [], strongest: null };

function contentChanges({ reactions }: Desired, paths: readonly string[]): ContentChange[] {
  return paths.map((path) => ({ path, reaction: reactions?.[path] ?? 'restart' }));
}

/** A client links a container that runs when it joins it to a network: names lead there, and its environment stays. */
function asLink({ request }: Desired, field: FieldChange): FieldChange {
  return request && field.path === 'links' ? { ...field, change: 'in-place' } : field;
}

function changesOf(desired: Desired<'container'>, container: ObservedContainer): Changes {
  if (desired.specHash === container.specHash) return UNCHANGED;
  const fields = diffSpecs('container', container.spec, desired.spec).map((field) => asLink(desired, field));
  const content = contentChanges(desired, changedContent(container.contentHashes, desired.contentHashes));
  const classes = new Set<ChangeClass>(fields.map((field) => field.change));
  for (const { reaction } of content) {
    classes.add(reaction === 'restart' || reaction === 'recreate' ? reaction : 'in-place');
  }
  const strongest = (['recreate', 'restart', 'in-place'] as const).find((change) => classes.has(change)) ?? null;
  return { fields, content, strongest };
}

function recreate(desired: Desired<'container'>, container: ObservedContainer, cause: Cause): Intent {
  const names: StepPlan = [
    container.running && 'stop',
    ownsSandbox(specOf(container)) && 'disconnect',
    'remove',
    'create',
    ownsSandbox(desired.spec) && 'connect',
    'start',
  ];
  return intend(names, cause);
}

/** Reports whether namespace, interface or published ports are missing. A container at rest has released them. */
function lacksEndpoint({ ports }: ContainerSpec, { sandbox, drift, published }: ObservedContainer): boolean {
  return !sandbox || drift.length > 0 || (published === false && ports.length > 0);
}

/** Returns the steps of a restart: same writable layer, same address. */
function restart(
  { spec }: Desired<'container'>,
  container: ObservedContainer,
  cause: Cause,
  endpoint: 'keep' | 'repair' | 'renew' = 'keep',
): Intent {
  const own = ownsSandbox(spec);
  const connect = own && (endpoint !== 'keep' || lacksEndpoint(spec, container));
  const disconnect = own && endpoint === 'renew' && container.sandbox;
  return intend([container.running && 'stop', disconnect && 'disconnect', connect && 'connect', 'start'], cause);
}

/** Returns the steps that repair a running container: kernel state, restarts of dependencies, addresses of links. */
function repair(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  const missing =
    container.sandbox || !ownsSandbox(desired.spec) ? container.drift : ['network sandbox missing', ...container.drift];
  if (missing.length > 0 && desired.spec.drift !== 'heal') {
    if (desired.spec.drift === 'ignore') return relinked(desired, container, around);
    const message = `${missing.join(', ')}; left as it is (drift: report)`;
    return { ...relinked(desired, container, around), hold: held(desired.key, 'drifted', message) };
  }
  if (missing.length > 0) {
    const cause = because('drift', missing.join(', '));
    return ownsSandbox(desired.spec) ? intend(['connect'], cause) : restart(desired, container, cause);
  }
  const restarted = restartedNeeds(desired, around);
  if (restarted.length > 0)
    return restart(desired, container, because('dependency', `${restarted.join(', ')} restarted`));
  return withRunSignals(desired, relinked(desired, container, around), around);
}

/** Dependencies with a new run that this one has to follow: always into their namespaces, else where the manifest says so. */
function restartedNeeds({ spec, references }: Desired<'container'>, around: Surroundings): readonly ResourceKey[] {
  const { namespaceContainers = [] } = references;
  if (spec.onDependencyRestart === 'restart') return around.restartedDependencies();
  if (namespaceContainers.length === 0) return [];
  return around.restartedDependencies().filter((key) => namespaceContainers.includes(key));
}

/** Adds the signal for restarted dependencies, if the spec asks for one, after the relink that writes their addresses. */
function withRunSignals({ spec }: Desired<'container'>, intent: Intent, around: Surroundings): Intent {
  const signal = signalOf(spec.onDependencyRestart);
  const dependencies = signal === undefined ? [] : around.readyAgain();
  if (signal === undefined || dependencies.length === 0) return intent;
  const cause = because('dependency', `${dependencies.join(', ')} restarted`);
  return { ...intent, steps: [...intent.steps, { name: 'signal', cause }], signals: [signal], dependencies };
}

/** Returns a relink when linked containers have other addresses than the hosts file. */
function relinked(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  const isLive = desired.request !== undefined;
  if (desired.spec.links.length === 0 && !isLive) return NOTHING;
  const addresses = around.linkAddresses();
  const aliases = isLive
    ? [...new Set([...Object.keys(container.linkAddresses), ...Object.keys(addresses)])]
    : Object.keys(addresses);
  const moved = aliases.filter((alias) => {
    const known = own(container.linkAddresses, alias);
    return (isLive || known !== undefined) && known !== own(addresses, alias);
  });
  if (moved.length === 0) return NOTHING;
  return intend(['relink'], because('dependency', `address of ${moved.join(', ')} changed`));
}

/** Keeps a container at rest and releases its namespace and ports, unless another container uses the namespace. */
function rest(container: ObservedContainer, { shared }: Surroundings, hold: Hold): Intent {
  const release = container.sandbox && !shared() && ownsSandbox(specOf(container));
  return { ...NOTHING, steps: steps([release && 'disconnect'], because('exited', hold.message)), hold };
}

/** Returns what the restart policy decides for a container that ended and was not stopped. */
function revive(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  const { exit } = container;
  const connect = ownsSandbox(desired.spec) && lacksEndpoint(desired.spec, container);
  const failed = container.startError;
  if (failed !== null) {
    // A client of the Docker API gets the error, and starts it again when it wants to.
    if (desired.request && desired.spec.restart.policy === 'no')
      return rest(container, around, held(desired.key, 'failed', `start failed: ${failed.message}`));
    const next = decideFailedStart({ policy: desired.spec.restart, counters: container.restarts, error: failed });
    if (next.next === 'exhausted') return rest(container, around, held(desired.key, 'failed', next.message));
    return intend([connect && 'connect', 'start'], because('exited', next.message), next.counters);
  }
  if (exit === null) return intend([connect && 'connect', 'start'], declared(desired), container.restarts);
  const decision = decideRestart({
    policy: desired.spec.restart,
    exit,
    counters: container.restarts,
    containerId: container.id,
    health: container.health ?? null,
    dependencyUpAtBootMs: around.dependencyUpAtBootMs(),
    now: around.now,
    seed: around.seed,
  });
  switch (decision.next) {
    case 'start':
      return intend([connect && 'connect', 'start'], because('exited', decision.message), decision.counters);
    case 'wait':
      return { ...NOTHING, hold: held(desired.key, 'backing-off', decision.message, decision.untilBootMs) };
    case 'finished':
      return rest(container, around, held(desired.key, 'finished', decision.message));
    case 'exhausted':
      return rest(container, around, held(desired.key, 'failed', decision.message));
  }
}

/** A change of what the Docker API made ends no stop, and what it made is not started. */
function stopWords({ request }: Desired<'container'>, container: ObservedContainer): string {
  if (!request) return describeStop(container);
  return container.run === 0 ? 'made; `tsdocker start` starts it' : 'stopped until `tsdocker start`';
}

/** Keeps a container stopped. Changes of its spec wait until it is started. */
function stopped(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  if (container.running) {
    const release = ownsSandbox(specOf(container)) && !around.shared();
    return intend(['stop', release && 'disconnect'], because('requested', 'stop requested'));
  }
  const until = container.stopUntil?.bootMs ?? null;
  return rest(container, around, held(desired.key, 'stopped-by-user', stopWords(desired, container), until));
}

/** Returns the steps for a container with the desired spec. */
function upkeep(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  if (container.stopExpired && !container.running) {
    return restart(desired, container, because('requested', 'the time it was stopped for is over'));
  }
  if (container.restartRequested) {
    const asked = container.running ? 'restart requested' : 'start requested';
    const message = container.afterShutdown === true ? 'it ran when everything was stopped' : asked;
    return restart(desired, container, because('requested', message));
  }
  if (!container.running) return revive(desired, container, around);
  return unhealthyStop(desired, container) ?? repair(desired, container, around);
}

/** Returns a stop for an unhealthy run that may restart, or null. The restart is decided as after any failed run. */
function unhealthyStop(desired: Desired<'container'>, container: ObservedContainer): Intent | null {
  const { health, paused, restarts } = container;
  if (health?.state !== 'unhealthy' || paused || !mayRestart(desired.spec.restart, true, restarts)) return null;
  const source = positionOf(desired, 'health');
  return intend(['stop'], { reason: 'unhealthy', message: `unhealthy: ${health.message}`, source });
}

/** Returns the container as after an in-place update, which clears a manual stop and the counters. */
function afterUpdate(container: ObservedContainer): ObservedContainer {
  return { ...container, stopOverride: false, stopExpired: false, restarts: FRESH };
}

/** Returns why the container differs from its declaration, or null. A stop of another declaration is such a reason. */
function causeOf(
  desired: Desired<'container'>,
  container: ObservedContainer,
  changes: Changes,
  { heldAt }: Surroundings,
): Cause | null {
  // While the app is held back, fields change only by the rollback. The contents of files may change at any time.
  if (heldAt !== undefined && changes.fields.length > 0) return rolledBack(heldAt, changes.fields, changes.content);
  if (changes.strongest !== null) return specChanged(desired, changes.fields, changes.content);
  return container.stopOverride ? redeclared(desired) : null;
}

/** What a client changes of a container that is down is taken over at once: no start of its own would come for it. */
function changedAtRest(
  desired: Desired<'container'>,
  container: ObservedContainer,
  changes: Changes,
  around: Surroundings,
): Intent {
  const intent = leaveMoved(stopped(desired, container, around), container, around);
  if (!desired.request || container.running || changes.strongest !== 'in-place') return intent;
  return withUpdate(intent, container, changes, specChanged(desired, changes.fields, changes.content));
}

/** Returns the steps for a declared container that exists. */
export function changeIntent(
  desired: Desired<'container'>,
  container: ObservedContainer,
  around: Surroundings,
): Intent {
  const changes = changesOf(desired, container);
  if (around.stopped) return changedAtRest(desired, container, changes, around);
  const cause = causeOf(desired, container, changes, around);
  if (cause && changes.strongest === 'recreate') return recreate(desired, container, cause);
  if (around.imageId !== null && container.imageId !== null && around.imageId !== container.imageId) {
    return recreate(desired, container, because('source-changed', 'its image was loaded again with other content'));
  }
  const fields = changes.fields.map(({ path }) => path);
  // What it may reach by links is a part of its endpoints.
  const repaired = changesEndpoints(fields) || fields.includes('links');
  // What a setting was before is not known: a new namespace has what the kernel gives it.
  const isNew = around.moved || fields.some((field) => /^sysctls(\.|$)/.test(field));
  const endpoint = isNew ? 'renew' : repaired ? 'repair' : 'keep';
  if (cause && changes.strongest === 'restart') return restart(desired, container, cause, endpoint);

  if (around.moved && container.running) {
    const moved = restart(desired, container, around.moved, 'renew');
    // A change of networks cannot be carried out before they are there; the start takes it over.
    return cause && !changesNetworks(fields) ? withUpdate(moved, container, changes, cause) : moved;
  }
  if (!cause) return leaveMoved(upkeep(desired, container, around), container, around);
  // At rest it lets go of its networks; a start connects it to the others.
  const left = !container.running && changesNetworks(fields) ? { ...around, moved: around.moved ?? cause } : around;
  const woken = (container.stopOverride || container.stopExpired === true) && !container.running;
  const rest = woken
    ? restart(desired, afterUpdate(container), cause)
    : upkeep(desired, afterUpdate(container), around);
  return withUpdate(leaveMoved(rest, container, left), container, changes, cause);
}

/** Adds the in-place update, and the signals that announce changed files to a payload that keeps running. */
function withUpdate(intent: Intent, container: ObservedContainer, changes: Changes, cause: Cause): Intent {
  const goesOn = container.running && !intent.steps.some(({ name }) => name === 'stop');
  const signals = goesOn ? [...new Set(changes.content.flatMap(({ reaction }) => signalOf(reaction) ?? []))] : [];
  const fields = changes.fields.map((field) => field.path);
  if (signals.length === 0) return { ...intent, fields, steps: [...steps(['update'], cause), ...intent.steps] };
  // One signal at a time: new runs of dependencies are announced by the next plan.
  const others = intent.steps.filter(({ name }) => name !== 'signal');
  return { ...intent, fields, signals, dependencies: [], steps: [...steps(['signal', 'update'], cause), ...others] };
}

/** Disconnects a container at rest from a network that is recreated. A later start connects it. */
function leaveMoved(intent: Intent, container: ObservedContainer, { moved }: Surroundings): Intent {
  if (!moved || !container.sandbox || intent.steps.some((step) => step.name === 'disconnect')) return intent;
  if (!ownsSandbox(specOf(container))) return intent;
  const starts = intent.steps.some((step) => step.name === 'start');
  const others = intent.steps.filter((step) => step.name !== 'connect' && step.name !== 'start');
  const last = steps([starts && 'connect', starts && 'start'], intent.steps.at(-1)?.cause ?? moved);
  return { ...intent, steps: [...others, { name: 'disconnect', cause: moved }, ...last] };
}
