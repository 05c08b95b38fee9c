/** Images, volumes and networks that are declared: what they need before containers can use them. */
import type { Desired, SpecOfKind } from '../../model/desired.ts';
import { leavesIpv6Open } from '../../model/kinds/network-rules.ts';
import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ObservedNetwork, Unread } from '../../model/observed.ts';
import { own } from '../../model/own.ts';
import type { Kind, ResourceKey } from '../../model/resource.ts';
import { parseKey } from '../../model/resource.ts';
import type { Cause } from '../op.ts';
import { opId } from '../op-traits.ts';
import { changedBase } from './bases.ts';
import { diffSpecs, type FieldChange, sameData } from './diff.ts';
import { because, declared, redeclared, specChanged } from './order/cause.ts';
import type { OpDraft } from './order/op-graph.ts';
import type { Pass } from './order/pass.ts';
import { availabilityOfHeld, blocked, hold, mayAct, READY_NOW, scoped } from './order/pass.ts';

function ofKind<K extends Kind>(pass: Pass, kind: K): readonly Desired<K>[] {
  if (pass.reach === null) return pass.relations.ofKind(kind);
  return [...scoped(pass, pass.desired.resources)].filter((desired): desired is Desired<K> => desired.kind === kind);
}

/**
 * Adds the op when it is possible now, and records the availability of the resource for its dependents.
 * @param usable true when dependents can use the resource without the op
 */
function ensure(pass: Pass, desired: Desired, draft: OpDraft | null, usable: boolean): void {
  const { key } = desired;
  const canAct = draft === null || mayAct(pass, key, desired);
  if (pass.busy.has(key) || (!canAct && !usable)) pass.availability.set(key, availabilityOfHeld(pass, key));
  else pass.availability.set(key, draft && canAct ? { state: 'ready', after: pass.graph.add(draft) } : READY_NOW);
}

/** The id of an image is known only after the load; its containers are planned then. */
const FOLLOW = '; what is made from it follows, if its content is another';

function imageCause(pass: Pass, desired: Desired<'image'>): Cause | null {
  const observed = pass.observed.images.get(desired.key);
  if (!observed) return declared(desired);
  if (observed.specHash !== desired.specHash) return redeclared(desired, FOLLOW);
  if (observed.imageId === null) return because('missing', 'the image is not loaded');
  if (!observed.current) return because('requested', `refresh requested${FOLLOW}`);
  const base = changedBase(desired, pass.observed.images);
  return base && because('source-changed', `${base}, which it is built from, is another image now${FOLLOW}`);
}

/** Returns the images sorted so that each comes after its bases. */
function inBuildOrder(pass: Pass): Iterable<Desired<'image'>> {
  const ordered = new Set<Desired<'image'>>();
  const visit = (desired: Desired<'image'>, above: ReadonlySet<ResourceKey>): void => {
    if (ordered.has(desired)) return;
    for (const key of desired.references.bases) {
      const base = pass.desired.resources.get(key);
      if (base && !above.has(key)) visit(base as Desired<'image'>, new Set([...above, key]));
    }
    ordered.add(desired);
  };
  for (const desired of ofKind(pass, 'image')) visit(desired, new Set([desired.key]));
  return ordered;
}

/** Holds a resource whose record cannot be read: nothing is created in its place. */
function holdUnread(pass: Pass, key: ResourceKey, { message, hint }: Unread): void {
  hold(pass, key, 'unavailable', message, null, hint);
  pass.availability.set(key, availabilityOfHeld(pass, key));
}

export function planImages(pass: Pass): void {
  for (const desired of inBuildOrder(pass)) {
    const { key, references } = desired;
    const cause = imageCause(pass, desired);
    const bases = references.bases.map(
      (base) => pass.availability.get(base) ?? blocked(`${base}, which is not declared`),
    );
    const missing = cause && bases.find((base) => base.state === 'blocked');
    if (missing) {
      hold(
        pass,
        key,
        missing.busy ? 'busy' : 'dependency-not-ready',
        `waits for ${missing.message}`,
        null,
        missing.hint,
      );
      pass.availability.set(key, availabilityOfHeld(pass, key));
      continue;
    }
    const unread = pass.observed.images.get(key)?.unread;
    if (unread && pass.observed.images.get(key)?.specHash === desired.specHash) {
      holdUnread(pass, key, unread);
      continue;
    }
    ensure(pass, desired, cause && { op: 'image.load', key, cause, specHash: desired.specHash }, false);
    for (const base of bases)
      if (base.state === 'ready' && base.after) pass.graph.order(base.after, opId('image.load', key));
  }
}

/**
 * Released data of the same name in another app, for a volume that says `adopt: true`. An app that declares its own
 * again comes first, and of several adopters the first.
 */
function adoptable(pass: Pass, desired: Desired<'volume'>, taken: ReadonlySet<string>) {
  if (!desired.spec.adopt || pass.observed.volumes.has(desired.key)) return [];
  return [...pass.observed.volumes.values()].filter(
    ({ released, key, volumeId }) =>
      released && parseKey(key).name === desired.name && !pass.desired.resources.has(key) && !taken.has(volumeId),
  );
}

function volumeDraft(
  pass: Pass,
  desired: Desired<'volume'>,
  released: { readonly volumeId: string } | undefined,
): OpDraft | null {
  const { key } = desired;
  const observed = pass.observed.volumes.get(key);
  if (observed) {
    if (!observed.released && observed.specHash === desired.specHash) return null;
    const cause: Cause = observed.released ? declared(desired) : redeclared(desired);
    return { op: 'volume.adopt', key, cause, volumeId: observed.volumeId };
  }
  return released
    ? { op: 'volume.adopt', key, cause: declared(desired), volumeId: released.volumeId }
    : { op: 'volume.create', key, cause: declared(desired) };
}

export function planVolumes(pass: Pass): void {
  const taken = new Set<string>();
  for (const desired of ofKind(pass, 'volume')) {
    const candidates = adoptable(pass, desired, taken);
    const [released] = candidates;
    if (candidates.length > 1) {
      const owners = candidates.map((volume) => volume.key).join(' and ');
      hold(pass, desired.key, 'failed', `${owners} could be adopted; remove all but one, or set adopt: false`);
      pass.availability.set(desired.key, availabilityOfHeld(pass, desired.key));
      continue;
    }
    const unread = pass.observed.unreadVolumes?.get(desired.key) ?? pass.observed.unknownVolume;
    if (unread && !pass.observed.volumes.has(desired.key)) {
      holdUnread(pass, desired.key, unread);
      continue;
    }
    if (released) taken.add(released.volumeId);
    const usable = pass.observed.volumes.get(desired.key)?.released === false;
    ensure(pass, desired, volumeDraft(pass, desired, released), usable);
  }
}

interface NetworkNeed {
  readonly cause: Cause;
  /** True when the bridge cannot be changed in place: it is removed and created again. */
  readonly recreate: boolean;
}

const drifted = ({ missing }: ObservedNetwork): Cause => because('drift', `${missing.join(', ')} missing`);

/** A manifest that writes down what was decided when the network was made changes nothing of it. */
function saysWhatIs({ decided }: ObservedNetwork, { path, from, to }: FieldChange): boolean {
  return (from ?? null) === null && (to ?? null) !== null && sameData(to, own(decided, path));
}

/** Says where a network has less than it would on another host. */
function made({ observed: { lacksIpv6 } }: Pass, desired: Desired<'network'>): Cause {
  const cause = declared(desired);
  if (lacksIpv6 === undefined || !leavesIpv6Open(desired.spec)) return cause;
  return { ...cause, message: `${cause.message}; without IPv6: ${lacksIpv6}` };
}

function networkNeed(pass: Pass, desired: Desired<'network'>): NetworkNeed | null {
  const observed = pass.observed.networks.get(desired.key);
  if (!observed) return { cause: made(pass, desired), recreate: false };
  const spec: SpecOfKind['network'] = desired.spec;
  const changes = observed.specHash === desired.specHash ? [] : diffSpecs('network', observed.spec, spec);
  if (changes.length > 0) {
    const recreate = changes.some((change) => change.change !== 'in-place' && !saysWhatIs(observed, change));
    return { cause: specChanged(desired, changes), recreate };
  }
  if (observed.missing.length === 0) return null;
  if (spec.drift === 'heal') return { cause: drifted(observed), recreate: false };
  if (spec.drift === 'report') {
    hold(pass, desired.key, 'drifted', `${drifted(observed).message}; left as it is (drift: report)`);
  }
  return null;
}

/**
 * Plans networks. Returns those to recreate, with the cause: their containers disconnect first, so `order` places the ops
 * once the containers are planned.
 */
export function planNetworks(pass: Pass): ReadonlyMap<ResourceKey, Cause> {
  const recreated = new Map<ResourceKey, Cause>();
  for (const desired of ofKind(pass, 'network')) {
    const { key } = desired;
    const need = networkNeed(pass, desired);
    const pinnedBy = pass.pinned.get(key);
    if (need?.recreate && pinnedBy !== undefined) {
      hold(pass, key, 'dependency-not-ready', `${need.cause.message}; waits until ${pinnedBy} can move`);
      pass.availability.set(key, READY_NOW);
      continue;
    }
    if (need?.recreate && mayAct(pass, key, desired)) {
      pass.graph.add({ op: 'network.remove', key, cause: need.cause });
      recreated.set(key, need.cause);
    }
    const draft: OpDraft | null = need && { op: 'network.ensure', key, cause: need.cause };
    ensure(pass, desired, draft, pass.observed.networks.get(key)?.missing.length === 0);
  }
  repairDefaultNetwork(pass);
  return recreated;
}

/** Plans the default bridge: never declared, never removed, repaired like other networks. */
function repairDefaultNetwork(pass: Pass): void {
  const observed = pass.observed.networks.get(DEFAULT_NETWORK);
  pass.availability.set(DEFAULT_NETWORK, READY_NOW);
  if (!observed || observed.missing.length === 0) return;
  if (!mayAct(pass, DEFAULT_NETWORK, undefined)) {
    pass.availability.set(DEFAULT_NETWORK, availabilityOfHeld(pass, DEFAULT_NETWORK));
    return;
  }
  pass.availability.set(DEFAULT_NETWORK, {
    state: 'ready',
    after: pass.graph.add({ op: 'network.ensure', key: DEFAULT_NETWORK, cause: drifted(observed) }),
  });
}
