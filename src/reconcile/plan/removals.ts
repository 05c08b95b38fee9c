/** Plans the removal of undeclared networks, volumes and images, and of orphans, after the containers that use them. */

import { DEFAULT_NETWORK } from '../../model/network-mode.ts';
import type { ObservedContainer, Orphan } from '../../model/observed.ts';
import type { ResourceKey } from '../../model/resource.ts';
import { baseKey } from '../../model/update.ts';
import { opId } from '../op-traits.ts';
import { leavingOp, networksOf } from './live-networks.ts';
import { because } from './order/cause.ts';
import type { Pass } from './order/pass.ts';
import { hold, mayAct, scoped, undeclared } from './order/pass.ts';
import { observedReferences } from './references.ts';
import { endsByStartAlone } from './stopped.ts';

const GONE = () => because('removed', 'no longer declared');

/** A container that belongs to an app. */
type OwnedContainer = ObservedContainer & { readonly key: ResourceKey };

const isOwned = (container: ObservedContainer): container is OwnedContainer => container.key !== null;

function usersOf(pass: Pass, uses: (container: ObservedContainer) => boolean): OwnedContainer[] {
  return [...pass.observed.containers.values()].filter(isOwned).filter(uses);
}

/** Returns the containers that have, or may have, an interface on a network: the state of a run may be unknown. */
export function attachedTo(pass: Pass, network: ResourceKey): OwnedContainer[] {
  return usersOf(pass, (container) => {
    const mayBe = container.sandbox || (container.unknown ?? null) !== null;
    return mayBe && networksOf(container).includes(network);
  });
}

/**
 * Returns the containers that may start on the network again although they are now declared with another one. Those of
 * the Docker API do not keep a network at rest: their start says that it is gone.
 */
function comingBackTo(pass: Pass, network: ResourceKey): OwnedContainer[] {
  return usersOf(pass, (container) => {
    const { key, sandbox } = container;
    if (
      sandbox ||
      key === null ||
      !pass.desired.resources.has(baseKey(key)) ||
      endsByStartAlone(pass.desired.resources.get(baseKey(key))) ||
      pass.graph.has(opId('container.remove', key))
    )
      return false;
    return observedReferences(container).networks.includes(network);
  });
}

/** Returns the ops by which all users release a resource. Null, with a hold, when one of them keeps it. */
function lettingGo(
  pass: Pass,
  key: ResourceKey,
  users: readonly OwnedContainer[],
  release: (user: ResourceKey) => string | null,
): readonly string[] | null {
  const released: string[] = [];
  for (const user of users) {
    const op = release(user.key);
    if (op === null) {
      hold(pass, key, 'dependency-not-ready', `still used by ${user.key}`);
      return null;
    }
    released.push(op);
  }
  return released;
}

function removalOf(pass: Pass, user: ResourceKey): string | null {
  const remove = opId('container.remove', user);
  return pass.graph.has(remove) ? remove : null;
}

function orderAfter(pass: Pass, earlier: readonly string[], id: string): void {
  for (const op of earlier) pass.graph.order(op, id);
}

export function removeNetworks(pass: Pass): void {
  for (const { key } of scoped(pass, pass.observed.networks)) {
    if (!undeclared(pass, key) || key === DEFAULT_NETWORK || !mayAct(pass, key, undefined)) continue;
    const users = [...attachedTo(pass, key), ...comingBackTo(pass, key)];
    const released = lettingGo(pass, key, users, (user) => leavingOp(pass, user, key));
    if (released) orderAfter(pass, released, pass.graph.add({ op: 'network.remove', key, cause: GONE() }));
  }
}

function usesVolume(container: ObservedContainer, key: ResourceKey): boolean {
  return Object.values(observedReferences(container).volumes).includes(key);
}

export function removeVolumes(pass: Pass): void {
  for (const { key, released, onRemove } of scoped(pass, pass.observed.volumes)) {
    const approved = pass.observed.approvals.has(key);
    if (!undeclared(pass, key) || (released && !approved) || !mayAct(pass, key, undefined)) continue;
    if (onRemove === 'delete' && !approved) {
      hold(
        pass,
        key,
        'needs-approval',
        'no longer declared and onRemove is delete; `tsdocker approve` deletes its data',
      );
      continue;
    }
    const users = usersOf(pass, (container) => usesVolume(container, key));
    const free = lettingGo(pass, key, users, (user) => removalOf(pass, user));
    if (!free) continue;
    const deletes = released || onRemove === 'delete';
    const cause = deletes ? because('approved', 'deletion of its data was approved') : GONE();
    orderAfter(pass, free, pass.graph.add({ op: deletes ? 'volume.remove' : 'volume.release', key, cause }));
  }
}

export function releaseImages(pass: Pass): void {
  for (const { key, imageId } of scoped(pass, pass.observed.images)) {
    if (!undeclared(pass, key) || !mayAct(pass, key, undefined)) continue;
    const users = imageId === null ? [] : usersOf(pass, (container) => container.imageId === imageId);
    const going = users.map((user) => opId('container.remove', user.key)).filter((id) => pass.graph.has(id));
    orderAfter(pass, going, pass.graph.add({ op: 'image.release', key, cause: GONE() }));
  }
}

/** Returns the key for the op of an orphan, which has no resource: unique, and of no app. */
function orphanKey({ type, id }: Orphan): ResourceKey {
  return `${type === 'bridge' ? 'network' : 'container'}//${type}-${id}`;
}

/** The container of a lease may exist and have left the network. */
const whyGone = ({ type }: Orphan): string => (type === 'lease' ? 'nothing uses it any more' : 'its owner is gone');

/** Plans the removal of orphans. Only a full pass finds them. */
export function removeOrphans(pass: Pass): void {
  if (pass.scope !== null) return;
  for (const orphan of pass.observed.orphans) {
    const key = orphanKey(orphan);
    if (!mayAct(pass, key, undefined)) continue;
    pass.graph.add({ op: 'orphan.remove', key, cause: because('orphan', whyGone(orphan)), orphan });
  }
}
