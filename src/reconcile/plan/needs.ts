/** The resources a container needs before it is created or started, and the order of its ops behind theirs. */
import type { Desired } from '../../model/desired.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { parseKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import { opId } from '../op-traits.ts';
import { containerAvailability } from './container/container-availability.ts';
import type { Availability, Blocked, Pass } from './order/pass.ts';
import { blocked, READY_NOW } from './order/pass.ts';
import {
  isContainer,
  namespaceOwner,
  observedReferences,
  ownsSandbox,
  startConditions,
  startDependencies,
} from './references.ts';

type Container = Desired<'container'>;

function needsOf({ references }: Container, creates: boolean, starts = true): readonly ResourceKey[] {
  return [
    ...(creates && references.image !== null ? [references.image] : []),
    ...(creates ? references.volumesFrom : []),
    ...Object.values(references.volumes),
    ...(starts ? references.networks : []),
    ...(starts ? startDependencies(references) : []),
  ];
}

function availabilityOf(pass: Pass, desired: Container, need: ResourceKey): Availability {
  if (parseKey(need).kind !== 'container') return pass.availability.get(need) ?? remaining(pass, need);
  const availability = containerNeed(pass, desired, need);
  const moving = availability.state === 'ready' && availability.after === null ? outOfReach(pass, desired, need) : null;
  if (moving) return moving;
  const shared =
    need === desired.references.networkContainer && availability.state === 'ready' && availability.after === null;
  return shared ? (lostNamespace(pass, desired) ?? availability) : availability;
}

/** Needs of a predecessor alone: no op of this plan creates them, and the connect of their user repairs them. */
function remaining({ busy, observed }: Pass, need: ResourceKey): Availability {
  if (busy.has(need)) return blocked(`${need}, which is being changed`, true);
  const there = observed.networks.has(need) || observed.volumes.has(need);
  return there ? READY_NOW : blocked(`${need}, which is not declared`);
}

/** For `container:NAME`: the namespace may have ended with its owner, although that one counts as ready. */
function lostNamespace(pass: Pass, desired: Container): Availability | null {
  const owner = namespaceOwner(desired, pass.desired.resources);
  if (!owner || !ownsSandbox(owner.spec) || pass.graph.has(opId('container.connect', owner.key))) return null;
  if (pass.observed.containers.get(owner.key)?.sandbox !== false) return null;
  return blocked(`${owner.key}, whose network namespace went when it ended`);
}

/** A linked container has no address on a common network until it has moved there, and none any more once it has left. */
function outOfReach(pass: Pass, { key, references, specHash }: Container, need: ResourceKey): Availability | null {
  const { resources } = pass.desired;
  const [target, observed] = [resources.get(need), pass.observed.containers.get(need)];
  if (!target || !isContainer(target) || !observed?.running || !references.links.includes(need)) return null;
  const present = observedReferences(observed).networks;
  const meets = (networks: readonly ResourceKey[]): boolean =>
    networks.some((one) => references.networks.includes(one));
  if (meets(present)) return null;
  const asDeclared = resources.get(baseKey(key))?.specHash === specHash;
  if (!asDeclared) return blocked(`${need}, which has left the networks of ${key}`);
  const network = target.references.networks.find((one) => references.networks.includes(one));
  return network === undefined ? null : blocked(`${need}, which is not on ${network} yet`);
}

function containerNeed(pass: Pass, { references, spec }: Container, need: ResourceKey): Availability {
  const conditions = startConditions(references, spec).filter(({ key }) => key === need);
  if (conditions.length === 0) return existence(pass, need);
  const each = conditions.map(({ condition }) => containerAvailability(pass, need, condition));
  return each.find(({ state }) => state === 'blocked') ?? each[0] ?? READY_NOW;
}

/** For volumesFrom: the container must exist; it need not run. */
function existence(pass: Pass, key: ResourceKey): Availability {
  const created = opId('container.create', key);
  if (pass.graph.has(created)) return { state: 'ready', after: created };
  if (pass.busy.has(key)) return blocked(`${key}, which is being changed`, true);
  return pass.observed.containers.has(key) ? READY_NOW : blocked(`${key}, which does not exist yet`);
}

export type Unmet = Pick<Blocked, 'busy' | 'message' | 'hint'>;

/** Returns the first need that blocks the start (and the create, if `creates`) of the container, or null. */
export function unmet(pass: Pass, desired: Container, creates: boolean, starts = true): Unmet | null {
  for (const need of needsOf(desired, creates, starts)) {
    const availability = availabilityOf(pass, desired, need);
    if (availability.state === 'blocked') return { ...availability, message: `waits for ${availability.message}` };
  }
  return null;
}

/** Returns the first of its networks that it cannot be attached to; null when there is none. */
export function unmetNetwork(pass: Pass, desired: Container): Unmet | null {
  for (const network of desired.references.networks) {
    const availability = availabilityOf(pass, desired, network);
    if (availability.state === 'blocked') return { ...availability, message: `waits for ${availability.message}` };
  }
  return null;
}

/** Returns the first need that waits for an image load, which may take hours; null without one. */
export function loadingNeed({ graph, busy, loading }: Pass, desired: Container, creates: boolean): ResourceKey | null {
  const loads = (need: ResourceKey): boolean =>
    need === desired.references.image ? graph.has(opId('image.load', need)) || busy.has(need) : loading.has(need);
  return needsOf(desired, creates).find(loads) ?? null;
}

/** Returns the id of the op that first uses `need`. */
function user({ graph }: Pass, { key, references }: Container, need: ResourceKey): string {
  const start = opId('container.start', key);
  if (startDependencies(references).includes(need)) return start;
  const earlier = opId(parseKey(need).kind === 'network' ? 'container.connect' : 'container.create', key);
  return graph.has(earlier) ? earlier : start;
}

/**
 * Orders a container's ops behind those that make what it needs. When the container exists already, the whole chain
 * waits, so that nothing is stopped whose successor cannot be created; unless that would be a cycle, since
 * what is itself stopped or removed in this plan waits for its dependents to stop.
 */
export function orderNeeds(pass: Pass, desired: Container): void {
  const { graph } = pass;
  const [first] = graph.chain(desired.key);
  const creates = graph.has(opId('container.create', desired.key));
  const starts = graph.has(opId('container.start', desired.key));
  if (first === undefined || !(creates || starts)) return;
  const replaces = first !== opId('container.create', desired.key);
  for (const need of needsOf(desired, creates, starts)) {
    const availability = availabilityOf(pass, desired, need);
    if (availability.state !== 'ready' || availability.after === null) continue;
    const early = replaces && !graph.waitsFor(availability.after, first);
    const id = early ? first : user(pass, desired, need);
    if (pass.predecessors.has(desired.key)) graph.preferOrder(availability.after, id);
    else graph.order(availability.after, id);
  }
}
