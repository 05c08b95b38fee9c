import type { ExecDriver } from '../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../drivers/contract/graph.ts';
import type { Networks } from '../../drivers/contract/network.ts';
import type { ResourceKey } from '../../model/resource.ts';
import type { LinkGraph } from '../../state/link-graph.ts';
import type { GroupCommit } from '../group-commit.ts';
import type { OpOf } from '../op.ts';
import type { KeyedMutex } from './keyed-mutex.ts';
import { giveUpStrayLeases, type StrayLeasePorts } from './networks/stray-leases.ts';
import type { IsOwned } from './owners.ts';

export interface OrphanPorts {
  readonly isOwned: IsOwned;
  /** Keyed by id: the create of a container excludes the removal of its leftovers. */
  readonly mutex: KeyedMutex;
  readonly exec: Pick<ExecDriver, 'running' | 'kill' | 'remove'>;
  readonly network: Pick<Networks, 'detach' | 'removeNetwork'>;
  readonly graph: Pick<GraphDriver, 'remove'>;
  readonly links: Pick<LinkGraph, 'purge'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
  readonly strayLeases: StrayLeasePorts;
}

type Orphan = OpOf<'orphan.remove'>['orphan'];

async function remove(ports: OrphanPorts, orphan: Orphan): Promise<void> {
  if (ports.isOwned(orphan)) return;
  switch (orphan.type) {
    case 'process':
      if (ports.exec.running(orphan.id)) await ports.exec.kill(orphan.id);
      await ports.exec.remove(orphan.id);
      return;
    case 'sandbox':
      ports.network.detach(orphan.id);
      return;
    case 'bridge':
      ports.network.removeNetwork(orphan.id);
      return;
    case 'snapshot':
      await ports.graph.remove(orphan.id);
      return;
    case 'lease':
      await giveUpStrayLeases(ports.strayLeases, orphan.id as ResourceKey);
      return;
    case 'state':
      await ports.commits.commit({ names: () => ports.links.purge(orphan.id) });
      return;
  }
}

/** Removes something of ours that has no owner any more, unless it found one since that was seen. */
export async function removeOrphan(ports: OrphanPorts, { orphan }: OpOf<'orphan.remove'>): Promise<void> {
  await ports.mutex.runExclusive(orphan.id, () => remove(ports, orphan));
}
