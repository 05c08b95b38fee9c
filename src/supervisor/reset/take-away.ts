/** Removes runs, network, control groups and layers of one instance from its host. The holder of the locks removes files. */
import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { Networks } from '../../drivers/contract/network.ts';
import { TsdError } from '../../model/errors/errors.ts';

export interface InstanceDrivers {
  readonly execs: readonly Pick<ExecDriver, 'list' | 'kill' | 'remove' | 'alive' | 'giveBack'>[];
  readonly network: Pick<Networks, 'giveBack'>;
  readonly graphs: readonly Pick<GraphDriver, 'list' | 'remove'>[];
}

/**
 * Running containers are killed; those that may end cleanly were asked before.
 * @returns what had to stay, in sentences
 * @throws TsdError of the first step that failed; it may be begun again
 */
export async function takeAway({ execs, network, graphs }: InstanceDrivers): Promise<readonly string[]> {
  for (const exec of execs) {
    for (const id of exec.list()) {
      await exec.kill(id);
      await exec.remove(id);
    }
  }
  if (execs.some((exec) => exec.alive())) {
    throw new TsdError('TSD_CONTAINER_SETUP', 'a process of a container does not end', {
      class: 'conflict',
      step: 'reset',
      hint: 'systemd-cgls shows it below tsdocker-INSTANCE; end it, then reset again.',
    });
  }
  const stays = network.giveBack();
  for (const exec of execs) exec.giveBack();
  for (const graph of graphs) await removeLayers(graph);
  return stays;
}

/** Those that nothing is on first. */
async function removeLayers(graph: Pick<GraphDriver, 'list' | 'remove'>): Promise<void> {
  for (let left = graph.list(); left.length > 0; left = graph.list()) {
    const parents = new Set(left.map(({ parent }) => parent));
    const tops = left.filter(({ id }) => !parents.has(id));
    for (const { id } of tops.length > 0 ? tops : left) await graph.remove(id);
  }
}
