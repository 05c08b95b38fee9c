import type { Desired } from '../../../model/desired.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import { keptLimits } from '../../kernel-limits.ts';
import type { OpOf } from '../../op.ts';
import { imageById } from '../images/image-of.ts';
import { declarationFor, desiredOf, recordOf, type World } from '../world.ts';
import { connect } from './container-connect.ts';
import { declaredPart } from './container-create.ts';
import { hostsText, linkAddresses } from './container-texts.ts';
import { stopAgainst } from './stop-override.ts';

/** Takes over changed fields without touching the payload. */
export async function updateContainer(world: World, op: OpOf<'container.update'>): Promise<void> {
  const desired = desiredOf(world, 'container', op.key);
  const record = recordOf(world, op.containerId);
  const running = world.exec.running(op.containerId) !== null;
  if (running && op.fields.some((field) => field.startsWith('resources'))) {
    const { ulimits: _perProcess, ...limits } = desired.spec.resources;
    world.exec.updateResources(op.containerId, keptLimits(limits, world.settings.discardedLimits));
  }
  if ((running || record.network !== null) && op.fields.includes('ports')) connect(world, desired, op.containerId);
  const declared = declaredPart(world, desired, imageById(world, record.imageId, desired), op.containerId);
  const update = (current: ContainerRecord): ContainerRecord => ({
    ...current,
    ...declared,
    stopOverride: stopAgainst(world, op, current),
    stopTimeoutMs: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
  });
  await world.leases.save(world.commits, {
    files: (batch) => world.containers.change(op.containerId, update, batch),
  });
}

/** Tells a running container the present addresses of those it links to, and lets it reach them. */
function relink(world: World, desired: Desired<'container'>, { id, network }: ContainerRecord): void {
  world.containers.writeText(id, 'hosts', hostsText(world, desired, id, network?.address ?? null));
  // On a network whose containers reach each other only by links, rules name the addresses.
  if (network !== null) connect(world, desired, id);
  world.containers.update({ ...recordOf(world, id), linkAddresses: linkAddresses(world, desired) });
}

export function relinkContainer(world: World, op: OpOf<'container.relink'>): Promise<void> {
  relink(world, declarationFor(world, op), recordOf(world, op.containerId));
  return Promise.resolve();
}
