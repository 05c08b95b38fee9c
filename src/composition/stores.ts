/** Opens what is on disk. */
import { join } from 'node:path';
import { bootId } from '../ffi/processes.ts';
import { describeError } from '../model/errors.ts';
import { ChangedSettings } from '../state/changed-settings.ts';
import { ContainerStore } from '../state/containers.ts';
import { ContentStore } from '../state/content-store.ts';
import { GraphIndex } from '../state/graph-index.ts';
import { type History, openHistory } from '../state/history/history.ts';
import { LinkGraph } from '../state/link-graph.ts';
import { Reserve } from '../state/reserve.ts';
import type { StateRoot } from '../state/root.ts';
import { SecretStore } from '../state/secrets.ts';
import { VolumeStore } from '../state/volumes.ts';
import type { Logger } from '../supervisor/log.ts';

export interface Stores {
  readonly containers: ContainerStore;
  readonly contents: ContentStore;
  readonly images: GraphIndex;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly history: History;
  readonly secrets: SecretStore;
  readonly reserve: Reserve;
  readonly changedSettings: ChangedSettings;
}

/** What cannot be read is logged and left where it is. */
export async function openStores({ root, runDir, files, runFiles, issues }: StateRoot, log: Logger): Promise<Stores> {
  const stores: Stores = {
    containers: new ContainerStore(root, files),
    contents: new ContentStore(root, files),
    images: new GraphIndex(root, files),
    volumes: new VolumeStore(root, files),
    links: new LinkGraph(join(root, 'linkgraph.db')),
    history: openHistory(join(root, 'history.db')),
    secrets: await SecretStore.open(root, runDir, files, runFiles),
    reserve: new Reserve(join(root, 'reserve')),
    changedSettings: new ChangedSettings(join(root, 'changed-settings.json'), bootId()),
  };
  const found = [
    issues,
    stores.containers.issues,
    stores.images.issues,
    stores.volumes.issues,
    stores.links.issues,
    stores.history.issues,
    stores.changedSettings.issues,
  ];
  for (const { path, error } of found.flat()) log.warn({ path, code: error.code }, describeError(error));
  return stores;
}
