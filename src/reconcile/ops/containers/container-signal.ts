import type { BoundFile } from '../../../drivers/contract/exec.ts';
import type { Desired } from '../../../model/desired.ts';
import { runName } from '../../../model/observed.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import { signalNumber } from '../../../model/signals.ts';
import type { OpOf } from '../../op.ts';
import { requireFree } from '../free-paths.ts';
import { desiredOf, recordOf, type World } from '../world.ts';
import { boundSource } from './container-volumes.ts';

/**
 * Sends the signals, after the payload can see what they are about: of a file that was replaced, and not written to, it
 * still has the old one. A run that has ended meanwhile reads its files when it starts again.
 */
export async function signalContainer(world: World, op: OpOf<'container.signal'>): Promise<void> {
  if (world.exec.running(op.containerId) === null) return;
  if (op.dependencies !== undefined) return tellOfRuns(world, op, op.dependencies);
  const files = filesOfSignals(world, desiredOf(world, 'container', op.key));
  await requireFree(
    world,
    files.map(({ source }) => source),
  );
  await world.exec.renewFiles(op.containerId, files);
  if (files.length > 0) noteBound(world, op.containerId, files);
  for (const signal of op.signals) await world.exec.signal(op.containerId, signalNumber(signal));
}

/** A crash before it is recorded makes it appear twice, never not at all. */
async function tellOfRuns(
  world: World,
  op: OpOf<'container.signal'>,
  dependencies: readonly ResourceKey[],
): Promise<void> {
  const runs = dependencies.flatMap((key) => {
    const record = world.containers.byKey(key);
    return record ? [[key, runName(record)] as const] : [];
  });
  world.names.renew(op.containerId);
  for (const signal of op.signals) await world.exec.signal(op.containerId, signalNumber(signal));
  const record = world.containers.get(op.containerId);
  if (record) {
    world.containers.update({ ...record, dependencyRuns: { ...record.dependencyRuns, ...Object.fromEntries(runs) } });
  }
}

/** A copy that a container runs with is kept as long as its record says so. */
function noteBound(world: World, containerId: string, files: readonly BoundFile[]): void {
  const record = recordOf(world, containerId);
  const bound = files.map(({ source, target }) => [target, { path: source, writable: false }] as const);
  world.containers.update({ ...record, volumes: { ...record.volumes, ...Object.fromEntries(bound) } });
}

/** Returns the files bound read-only whose change is announced by a signal. */
function filesOfSignals(world: World, desired: Desired<'container'>): BoundFile[] {
  const { volumes, onChange } = desired.spec;
  return volumes.flatMap((mount) => {
    const signals = (mount.onChange ?? onChange).startsWith('signal:') && mount.watch !== false;
    const { type, source, target, readOnly } = mount;
    if (!signals || type !== 'bind' || !readOnly || source === null) return [];
    return [{ source: boundSource(world, desired, source), target, readOnly }];
  });
}
