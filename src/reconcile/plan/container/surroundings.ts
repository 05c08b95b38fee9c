/** Collects what the planner needs to know around a container: dependencies, addresses, shared namespaces, its image. */
import { overlaps } from '../../../model/addresses.ts';
import type { Desired } from '../../../model/desired.ts';
import type { NetworkSpec } from '../../../model/kinds/network.ts';
import { linkedAddress } from '../../../model/linked-address.ts';
import { DEFAULT_NETWORK } from '../../../model/network-mode.ts';
import { type ObservedContainer, runName } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { Cause } from '../../op.ts';
import { opId } from '../../op-traits.ts';
import type { Surroundings } from '../intent.ts';
import { because } from '../order/cause.ts';
import type { Pass } from '../order/pass.ts';
import { isReady } from '../readiness.ts';
import { isContainer, namespaceOwner, observedReferences, specOf, startDependencies } from '../references.ts';
import { endsByStartAlone, isStopped } from '../stopped.ts';

type Container = Desired<'container'>;

/** Reports whether a failed update holds the app back. */
export function isHeldBack({ desired }: Pass, app: string): boolean {
  return desired.heldBack?.get(app)?.failed === true;
}

export function surroundings(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): Surroundings {
  const { references, key, app, specHash } = desired;
  const image = references.image === null ? undefined : pass.observed.images.get(references.image);
  const settled = image !== undefined && pass.graph.chain(image.key).length === 0;
  return {
    now: pass.now,
    seed: pass.seed,
    imageId: settled ? image.imageId : null,
    stopped:
      container !== undefined &&
      isStopped(container, endsByStartAlone(desired) || isHeldBack(pass, app) ? null : specHash),
    heldAt: pass.desired.heldBack?.get(app)?.generation,
    moved: movedBy(pass, desired, container, recreated),
    linkAddresses: () => addressesByAlias(pass, desired),
    dependencyUpAtBootMs: () => latestRecovery(pass, startDependencies(references)),
    restartedDependencies: () => restartedSince(pass, desired, container),
    readyAgain: () => restartedSince(pass, desired, container).filter((need) => isUsable(pass, need)),
    shared: () => pass.relations.neededBy(key).some((user) => sharesNetwork(pass, user, key)),
  };
}

function movedBy(
  pass: Pass,
  desired: Container,
  container: ObservedContainer | undefined,
  recreated: ReadonlyMap<ResourceKey, Cause>,
): Cause | null {
  const { references } = desired;
  const isNew = (key: ResourceKey) => key !== DEFAULT_NETWORK && !pass.observed.networks.has(key);
  const isChanged = (key: ResourceKey) => recreated.has(key) || isNew(key);
  if (references.networks.some(isChanged)) {
    const present = container && observedReferences(container).networks;
    // One that it joins in the same plan is attached when it is there.
    const cause = references.networks
      .filter((network) => !present || present.includes(network))
      .flatMap((network) => recreated.get(network) ?? [])[0];
    if (cause) return because('dependency', cause.message);
    const taken = present && takenSubnet(pass, references.networks, present);
    if (taken) return taken;
  }
  return networkReplaced(pass, desired);
}

/** The container whose network it shares comes back in another namespace. */
function networkReplaced(pass: Pass, desired: Container): Cause | null {
  const host = desired.references.networkContainer;
  if (host === null) return null;
  const owner = namespaceOwner(desired, pass.desired.resources)?.key ?? host;
  const recreated = [host, owner].find((key) => pass.graph.has(opId('container.remove', key)));
  if (recreated !== undefined) return because('dependency', `${recreated}, whose network it shares, is recreated`);
  const { sandbox = false, running = false } = pass.observed.containers.get(owner) ?? {};
  const isLost = !sandbox && !running && pass.graph.has(opId('container.connect', owner));
  return isLost || pass.graph.has(opId('container.disconnect', owner))
    ? because('dependency', `${owner}, whose network it shares, gets another one`)
    : null;
}

/**
 * A network that it joins takes the subnet of one that it leaves and that goes: both cannot be there at once, so it has to
 * let go of its network first.
 */
function takenSubnet(pass: Pass, wanted: readonly ResourceKey[], present: readonly ResourceKey[]): Cause | null {
  const left = present.filter((key) => !wanted.includes(key) && !pass.desired.resources.has(key));
  for (const key of wanted) {
    if (present.includes(key) || pass.observed.networks.has(key)) continue;
    const desired = pass.desired.resources.get(key);
    const subnets = desired?.kind === 'network' ? subnetsOf((desired as Desired<'network'>).spec) : [];
    const giver = left.find((old) => {
      const { subnet, subnet6 } = pass.observed.networks.get(old)?.decided ?? {};
      const theirs = [subnet, subnet6].filter((one) => typeof one === 'string');
      return subnets.some((own) => theirs.some((other) => overlaps(own, other)));
    });
    if (giver !== undefined) return because('dependency', `${key} takes over the subnet of ${giver}`);
  }
  return null;
}

const subnetsOf = ({ subnet, subnet6 }: NetworkSpec): readonly string[] =>
  [subnet, subnet6].filter((one) => one !== null);

function addressesByAlias(pass: Pass, { references, spec }: Container): Readonly<Record<string, string>> {
  const entries = references.links.flatMap((target, index) => {
    const address = linkedAddress(pass.observed.containers.get(target)?.endpoints ?? [], references.networks);
    const alias = spec.links[index]?.alias;
    return address === null || alias === undefined ? [] : [[alias, address] as const];
  });
  return Object.fromEntries(entries);
}

/** Returns when the last of the containers became ready (by probes, if any) or started; null when none did. */
function latestRecovery(pass: Pass, keys: readonly ResourceKey[]): number | null {
  const times = keys.map((key) => {
    const container = pass.observed.containers.get(key);
    if (!container?.health) return container?.startedAtBootMs ?? null;
    // Probe times of an ended run may come from another boot; they cannot be compared.
    return container.running ? container.health.readySinceBootMs : null;
  });
  return times.reduce((latest, at) => (at !== null && (latest === null || at > latest) ? at : latest), null);
}

/** Returns the dependencies that restarted since the container started. */
export function restartedSince(
  pass: Pass,
  { references }: Container,
  container: ObservedContainer | undefined,
): ResourceKey[] {
  return startDependencies(references).filter((key) => {
    const known = container?.dependencyRuns?.[key];
    const now = pass.observed.containers.get(key);
    return known !== undefined && now !== undefined && known !== runName(now);
  });
}

/** Reports whether a container is ready and no op changes it. */
function isUsable(pass: Pass, key: ResourceKey): boolean {
  const [desired, container] = [pass.desired.resources.get(key), pass.observed.containers.get(key)];
  if (!container || pass.busy.has(key) || pass.graph.chain(key).length > 0) return false;
  return isReady(container, desired && isContainer(desired) ? desired.spec : specOf(container));
}

/** Reports whether `user`, or a container in its namespace, runs in the network namespace of `host`. */
export function sharesNetwork(pass: Pass, user: ResourceKey, host: ResourceKey): boolean {
  const desired = pass.desired.resources.get(user);
  if (!desired || !isContainer(desired) || desired.references.networkContainer !== host) return false;
  if (pass.observed.containers.get(user)?.running === true) return true;
  return pass.relations.neededBy(user).some((next) => sharesNetwork(pass, next, user));
}
