import { join } from 'node:path';
import { ContainerStore } from './containers.ts';
import { GraphIndex } from './graph-index.ts';
import { type History, openHistory } from './history/history.ts';
import { LinkGraph } from './link-graph.ts';
import { RepositoryStore } from './repositories.ts';
import { openRoot, type RootOptions, type StateRoot } from './root.ts';
import { SecretStore } from './secrets.ts';
import type { StateIssue } from './state-file.ts';
import { VolumeStore } from './volumes.ts';

/** Everything on disk of one supervisor, loaded, with this process as its only writer. */
export interface State {
  readonly root: StateRoot;
  readonly containers: ContainerStore;
  readonly graph: GraphIndex;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly history: History;
  readonly secrets: SecretStore;
  /** What could not be used at this start, for the log and `tsdocker info`. */
  readonly issues: readonly StateIssue[];
  /** The tags of one graph driver; known only after a driver was chosen. */
  repositories(graphDriver: string): RepositoryStore;
  /** Closes databases and gives up the locks. */
  close(): void;
}

/** @throws TsdError TSD_LOCKED, TSD_STATE_CORRUPT for a file without which nothing works, TSD_DISK_FULL. */
export async function openState(options: RootOptions): Promise<State> {
  const root = await openRoot(options);
  const opened: { close(): void }[] = [root];
  const close = (): void => {
    for (const part of opened.splice(0).reverse()) part.close();
  };
  try {
    const { root: path, runDir, files, runFiles } = root;
    const containers = new ContainerStore(path, files);
    const graph = new GraphIndex(path, files);
    const volumes = new VolumeStore(path, files);
    const links = new LinkGraph(join(path, 'linkgraph.db'));
    opened.push(links);
    const history = openHistory(join(path, 'history.db'));
    opened.push(history);
    const secrets = await SecretStore.open(path, runDir, files, runFiles);
    return {
      root,
      containers,
      graph,
      volumes,
      links,
      history,
      secrets,
      issues: [root, containers, graph, volumes, links, history].flatMap((part) => part.issues),
      repositories: (graphDriver) => new RepositoryStore(path, graphDriver, files),
      close,
    };
  } catch (error) {
    close();
    throw error;
  }
}
