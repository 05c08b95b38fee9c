/**
 * What one container needs, looking at nothing but itself: the steps in order, or why it stays as it is. Whether the
 * things it depends on allow it is decided afterwards (containers.ts).
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
import type { Cause, Hold } from '../op.ts';
import type { ContentChange } from './cause.ts';
import { because, declared, positionOf, redeclared, rolledBack, specChanged } from './cause.ts';
import type { FieldChange } from './diff.ts';
import { changedContent, diffSpecs } from './diff.ts';
import { ownsSandbox, specOf } from './references.ts';
import { decideFailedStart, decideRestart, describeStop, mayRestart } from './restart.ts';

type StepName = 'stop' | 'disconnect' | 'remove' | 'create' | 'signal' | 'update' | 'connect' | 'relink' | 'start';

export interface Step {
  readonly name: StepName;
  readonly cause: Cause;
}

export interface Intent {
  readonly steps: readonly Step[];
  /** Counters of the run that a `start` among the steps begins. */
  readonly counters: RestartCounters;
  /** Fields that an `update` among the steps takes over. */
  readonly fields: readonly string[];
  /** What a `signal` among the steps sends. */
  readonly signals: readonly SignalName[];
  /** New runs that it tells of. */
  readonly dependencies: readonly ResourceKey[];
  readonly hold: Hold | null;
}

/** What the surroundings say about one container. */
export interface Surroundings {
  readonly now: Instant;
  readonly seed: string;
  /** Current id of its image; null while that is unknown or about to change. */
  readonly imageId: string | null;
  /** A manual stop holds. */
  readonly stopped: boolean;
  /** The generation at which its app is held back. Left out, it is not. */
  readonly heldAt?: number | undefined;
  /** Its network or the container whose network it shares is recreated in this plan. */
  readonly moved: Cause | null;
  /** Addresses of linked containers by alias, as they are now. */
  readonly linkAddresses: () => Readonly<Record<string, string>>;
  /** When the latest of its dependencies came up, on the boot clock. */
  readonly dependencyUpAtBootMs: () => number | null;
  /** Dependencies that are in another run than when it started. */
  readonly restartedDependencies: () => readonly ResourceKey[];
  /** Those of them that can be used. */
  readonly readyAgain: () => readonly ResourceKey[];
  /** Another running container uses its network namespace. */
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

/** Of some times at which to look again, null for none. */
export function soonest(times: readonly (number | null)[]): number | null {
  const known = times.filter((time) => time !== null);
  return known.length > 0 ? smallest(known) : null;
}

function held(key: ResourceKey, reason: Hold['reason'], message: string, untilBootMs: number | null = null): Hold {
  return { key, reason, message, untilBootMs };
}

/** A container that no manifest declares any more. */
export function removalIntent(container: ObservedContainer, cause: Cause): Intent {
  return intend([container.running && 'stop', ownsSandbox(specOf(container)) && 'disconnect', 'remove'], cause);
}

/** A container that is declared and does not exist. */
export function creationIntent(desired: Desired<'container'>, cause = declared(desired)): Intent {
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

function changesOf(desired: Desired<'container'>, container: ObservedContainer): Changes {
  if (desired.specHash === container.specHash) return UNCHANGED;
  const fields = diffSpecs('container', container.spec, desired.spec);
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

/** Namespace, interface or published ports are not there; those of one that did not run are given back. */
function lacksEndpoint({ ports }: ContainerSpec, { sandbox, drift, published }: ObservedContainer): boolean {
  return !sandbox || drift.length > 0 || (published === false && ports.length > 0);
}

/** A stop, where it runs, and a start in the same writable layer with the same address. */
function restart(
  { spec }: Desired<'container'>,
  container: ObservedContainer,
  cause: Cause,
  endpoint: 'keep' | 'mend' | 'renew' = 'keep',
): Intent {
  const own = ownsSandbox(spec);
  const connect = own && (endpoint !== 'keep' || lacksEndpoint(spec, container));
  const disconnect = own && endpoint === 'renew' && container.sandbox;
  return intend([container.running && 'stop', disconnect && 'disconnect', connect && 'connect', 'start'], cause);
}

/** What a running container with the desired spec lacks in the kernel. */
function mend(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
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
  if (desired.spec.onDependencyRestart === 'restart') {
    const restarted = around.restartedDependencies();
    if (restarted.length > 0) {
      return restart(desired, container, because('dependency', `${restarted.join(', ')} restarted`));
    }
  }
  return toldOfRuns(desired, relinked(desired, container, around), around);
}

/** Tells a container that asks for it of new runs of its dependencies, after the new addresses are in its hosts file. */
function toldOfRuns({ spec }: Desired<'container'>, intent: Intent, around: Surroundings): Intent {
  const signal = signalOf(spec.onDependencyRestart);
  const dependencies = signal === undefined ? [] : around.readyAgain();
  if (signal === undefined || dependencies.length === 0) return intent;
  const cause = because('dependency', `${dependencies.join(', ')} restarted`);
  return { ...intent, steps: [...intent.steps, { name: 'signal', cause }], signals: [signal], dependencies };
}

/** A running container whose links have other addresses than when it was told. */
function relinked(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  if (desired.spec.links.length === 0) return NOTHING;
  const addresses = around.linkAddresses();
  const moved = Object.keys(addresses).filter((alias) => {
    const known = own(container.linkAddresses, alias);
    return known !== undefined && known !== own(addresses, alias);
  });
  if (moved.length === 0) return NOTHING;
  return intend(['relink'], because('dependency', `address of ${moved.join(', ')} changed`));
}

/** A container at rest lets go of its namespace and host ports, unless another one lives in that namespace. */
function rest(container: ObservedContainer, { shared }: Surroundings, hold: Hold): Intent {
  const release = container.sandbox && !shared() && ownsSandbox(specOf(container));
  return { ...NOTHING, steps: steps([release && 'disconnect'], because('exited', hold.message)), hold };
}

/** A container with the desired spec that is not running and that nobody stopped. */
function revive(desired: Desired<'container'>, container: ObservedContainer, around: Surroundings): Intent {
  const { exit } = container;
  const connect = ownsSandbox(desired.spec) && lacksEndpoint(desired.spec, container);
  const failed = container.startError;
  if (failed !== null) {
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

/** A container that a person stopped. Whatever else is declared waits until it is started. */
function stopped(key: ResourceKey, container: ObservedContainer, around: Surroundings): Intent {
  if (container.running) {
    const release = ownsSandbox(specOf(container)) && !around.shared();
    return intend(['stop', release && 'disconnect'], because('requested', 'stop requested'));
  }
  const until = container.stopUntil?.bootMs ?? null;
  return rest(container, around, held(key, 'stopped-by-user', describeStop(container), until));
}

/** A container with the desired spec. */
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
  return unhealthyStop(desired, container) ?? mend(desired, container, around);
}

/** The end of a run that only a restart helps; when the next one begins is decided like after any other failure. */
function unhealthyStop(desired: Desired<'container'>, container: ObservedContainer): Intent | null {
  const { health, paused, restarts } = container;
  if (health?.state !== 'unhealthy' || paused || !mayRestart(desired.spec.restart, true, restarts)) return null;
  const source = positionOf(desired, 'health');
  return intend(['stop'], { reason: 'unhealthy', message: `unhealthy: ${health.message}`, source });
}

/** As if the in-place change had been taken over: it clears a manual stop and the counters. */
function afterUpdate(container: ObservedContainer): ObservedContainer {
  return { ...container, stopOverride: false, stopExpired: false, restarts: FRESH };
}

/** Why it is not as declared, or null. A stop that was for another declaration has to be forgotten. */
function causeOf(
  desired: Desired<'container'>,
  container: ObservedContainer,
  changes: Changes,
  { heldAt }: Surroundings,
): Cause | null {
  // Other fields can only come from going back; a file that they name may have other content at any time.
  if (heldAt !== undefined && changes.fields.length > 0) return rolledBack(heldAt, changes.fields, changes.content);
  if (changes.strongest !== null) return specChanged(desired, changes.fields, changes.content);
  return container.stopOverride ? redeclared(desired) : null;
}

/** A container that is declared and exists. */
export function changeIntent(
  desired: Desired<'container'>,
  container: ObservedContainer,
  around: Surroundings,
): Intent {
  if (around.stopped) return leaveMoved(stopped(desired.key, container, around), container, around);
  const changes = changesOf(desired, container);
  const cause = causeOf(desired, container, changes, around);
  if (cause && changes.strongest === 'recreate') return recreate(desired, container, cause);
  if (around.imageId !== null && container.imageId !== null && around.imageId !== container.imageId) {
    return recreate(desired, container, because('source-changed', 'its image was loaded again with other content'));
  }
  const portsChanged = changes.fields.some((field) => field.path === 'ports');
  const endpoint = around.moved ? 'renew' : portsChanged ? 'mend' : 'keep';
  if (cause && changes.strongest === 'restart') return restart(desired, container, cause, endpoint);

  if (around.moved && container.running) {
    const moved = restart(desired, container, around.moved, 'renew');
    return cause ? withUpdate(moved, container, changes, cause) : moved;
  }
  if (!cause) return leaveMoved(upkeep(desired, container, around), container, around);
  const woken = (container.stopOverride || container.stopExpired === true) && !container.running;
  const rest = woken
    ? restart(desired, afterUpdate(container), cause)
    : upkeep(desired, afterUpdate(container), around);
  return withUpdate(leaveMoved(rest, container, around), container, changes, cause);
}

/** Takes over changes that need neither a stop nor a start of their own; a payload that goes on is told of its files. */
function withUpdate(intent: Intent, container: ObservedContainer, changes: Changes, cause: Cause): Intent {
  const goesOn = container.running && !intent.steps.some(({ name }) => name === 'stop');
  const signals = goesOn ? [...new Set(changes.content.flatMap(({ reaction }) => signalOf(reaction) ?? []))] : [];
  const fields = changes.fields.map((field) => field.path);
  if (signals.length === 0) return { ...intent, fields, steps: [...steps(['update'], cause), ...intent.steps] };
  // It is told of one thing at a time: new runs of its dependencies come next.
  const others = intent.steps.filter(({ name }) => name !== 'signal');
  return { ...intent, fields, signals, dependencies: [], steps: [...steps(['signal', 'update'], cause), ...others] };
}

/** Takes a container at rest off a network that is recreated; a later connect puts it back. */
function leaveMoved(intent: Intent, container: ObservedContainer, { moved }: Surroundings): Intent {
  if (!moved || !container.sandbox || intent.steps.some((step) => step.name === 'disconnect')) return intent;
  if (!ownsSandbox(specOf(container))) return intent;
  const starts = intent.steps.some((step) => step.name === 'start');
  const others = intent.steps.filter((step) => step.name !== 'connect' && step.name !== 'start');
  const last = steps([starts && 'connect', starts && 'start'], intent.steps.at(-1)?.cause ?? moved);
  return { ...intent, steps: [...others, { name: 'disconnect', cause: moved }, ...last] };
}
