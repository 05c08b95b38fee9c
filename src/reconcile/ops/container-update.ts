import type { OpOf } from '../op.ts';
import { connect } from './container-connect.ts';
import { declaredPart } from './container-create.ts';
import { hostsText, linkAddresses } from './container-texts.ts';
import { imageById } from './image-of.ts';
import { desiredOf, recordOf, type World } from './world.ts';

/** Takes over changed fields without touching the payload. */
export async function updateContainer(world: World, op: OpOf<'container.update'>): Promise<void> {
  const desired = desiredOf(world, 'container', op.key);
  const record = recordOf(world, op.containerId);
  const running = world.exec.running(op.containerId) !== null;
  if (running && op.fields.some((field) => field.startsWith('resources'))) {
    const { ulimits: _perProcess, ...limits } = desired.spec.resources;
    world.exec.updateResources(op.containerId, limits);
  }
  if (running && op.fields.includes('ports')) connect(world, desired, op.containerId);
  const updated = {
    ...recordOf(world, op.containerId),
    ...declaredPart(world, desired, imageById(world, record.imageId, desired), op.containerId),
    stopOverride: null,
    restart: { restarts: 0, consecutive: 0, requested: false },
  };
  await world.commits.commit({ files: (batch) => world.containers.update(updated, batch) });
}

/** Rewrites the hosts file with the present addresses of the linked containers. */
export function relinkContainer(world: World, op: OpOf<'container.relink'>): Promise<void> {
  const desired = desiredOf(world, 'container', op.key);
  const record = recordOf(world, op.containerId);
  world.containers.writeText(
    op.containerId,
    'hosts',
    hostsText(world, desired, op.containerId, record.network?.address ?? null),
  );
  world.containers.update({ ...record, linkAddresses: linkAddresses(world, desired) });
  return Promise.resolve();
}
