/** A declared container whose record cannot be read: it runs on, and a person says when another one takes its place. */
import type { Desired } from '../../../model/desired.ts';
import { describeError, TsdError } from '../../../model/errors/errors.ts';
import type { ResourceKey } from '../../../model/resource.ts';
import type { World } from '../world.ts';

type Names = Pick<World, 'containers' | 'links'>;

/** Its id, by the name that the link graph has for it; null where there is none. */
export function damagedHolder({ containers, links }: Names, engineName: string): string | null {
  if (!containers.hasDamaged) return null;
  const id = links.get(`/${engineName}`);
  return id !== null && containers.damaged(id) !== undefined ? id : null;
}

/** What stands in the way of a declared container; null once it is approved that the damaged one goes. */
export function damagedRecord(world: World, { key, engineName, source }: Desired<'container'>): TsdError | null {
  const id = damagedHolder(world, engineName);
  if (id === null || world.approvals.all().has(key)) return null;
  const error = world.containers.damaged(id);
  const why = error ? describeError(error) : 'its record cannot be read';
  return new TsdError('TSD_STATE_CORRUPT', `${why}; ${id.slice(0, 12)} is left as it is`, {
    source,
    hint:
      `Put a backup of the file back and run \`systemctl restart tsdocker\`, or ` +
      `\`tsdocker approve ${key}\` ends it and makes another one; its log and record are kept, what it wrote outside of volumes is not.`,
  });
}

/** Ends a damaged container that has the name of one to be made, where that is approved, and keeps its files. */
export async function replaceDamaged(world: World, key: ResourceKey, engineName: string): Promise<void> {
  const id = damagedHolder(world, engineName);
  if (id === null || !world.approvals.all().has(key)) return;
  await world.mutex.runExclusive(id, async () => {
    await world.exec.kill(id);
    await world.exec.remove(id);
    world.network.detach(id);
    await world.commits.commit({ names: () => world.links.purge(id) });
    world.containers.setAside(id);
  });
  world.approvals.withdraw(key);
}
