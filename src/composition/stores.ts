/** Opens what is on disk. */
import { join } from 'node:path';
import type { OnShutdown } from '../engine/shutdown-handlers.ts';
import { bootId } from '../ffi/process/processes.ts';
import { describeError } from '../model/errors/errors.ts';
import { ChangedSettings } from '../state/changed-settings.ts';
import { ContainerStore } from '../state/containers/containers.ts';
import { ContentStore } from '../state/content-store.ts';
import { DeclarationCopies } from '../state/databases/declaration-copies.ts';
import { Reserve } from '../state/files/reserve.ts';
import type { StateIssue } from '../state/files/state-file.ts';
import { type History, openHistory } from '../state/history/history.ts';
import { DigestNames } from '../state/images/digest-names.ts';
import { GraphIndex } from '../state/images/graph-index.ts';
import { LinkGraph } from '../state/link-graph.ts';
import type { StateRoot } from '../state/root.ts';
import { PREFIX, SecretStore } from '../state/secrets.ts';
import { VolumeStore } from '../state/volumes/volumes.ts';
import { hasHistory } from '../supervisor/declarations/start.ts';
import type { Logger } from '../supervisor/log.ts';

export interface Stores {
  readonly containers: ContainerStore;
  readonly contents: ContentStore;
  readonly images: GraphIndex;
  readonly digests: DigestNames;
  readonly volumes: VolumeStore;
  readonly links: LinkGraph;
  readonly history: History;
  readonly declarations: DeclarationCopies;
  readonly secrets: SecretStore;
  readonly reserve: Reserve;
  readonly changedSettings: ChangedSettings;
  /** What could not be used at this start, for the log and `tsdocker doctor`. */
  readonly issues: readonly StateIssue[];
}

const LINKS_HINT = 'Nothing is to be done: the names of containers are written again from their records.';

/** What a person does about a history.db that was lost, beside what the held apps say. */
function recoveryHint(path: string): string {
  return (
    `\`tsdocker plan\` shows what waits for you. With a backup of it: \`systemctl stop tsdocker\`, \`rm -f ${path}-wal ${path}-shm\`, ` +
    `\`cp BACKUP ${path}\`, \`systemctl start tsdocker\`.`
  );
}

/** SQLite gives all files of a database the mode of the first, which it makes by the mask of the process. */
function privately<T>(open: () => T): T {
  const mask = process.umask(0o077);
  try {
    return open();
  } finally {
    process.umask(mask);
  }
}

/** What cannot be read is logged and left where it is. @throws TsdError; databases that are open then have their shutdown handlers. */
export async function openStores(state: StateRoot, log: Logger, handlers: OnShutdown): Promise<Stores> {
  const { root, runDir, files, runFiles, issues, instanceId, restricted } = state;
  for (const entry of restricted) log.warn({ path: entry.path }, entry.message);
  const containers = new ContainerStore(root, files);
  const volumes = new VolumeStore(root, files);
  const declarations = new DeclarationCopies(root, files, instanceId);
  const path = join(root, 'history.db');
  const expected = hasHistory({ declarations, containers, volumes });
  const linksExpected = { expected: containers.ids().size > 0, hint: LINKS_HINT };
  const links = privately(() => new LinkGraph(join(root, 'linkgraph.db'), linksExpected));
  handlers.onShutdown('linkgraph.db', () => links.close(), ['root']);
  const history = privately(() => openHistory(path, { expected, hint: recoveryHint(path) }));
  handlers.onShutdown('history.db', () => history.close(), ['root']);
  const opened = {
    containers,
    contents: new ContentStore(root, files),
    images: new GraphIndex(root, files),
    digests: new DigestNames(root, files),
    volumes,
    links,
    history,
    declarations,
    secrets: await SecretStore.open({ root, runDir, files, runFiles }, () => usesSecrets(containers)),
    reserve: new Reserve(join(root, 'reserve')),
    changedSettings: new ChangedSettings(join(root, 'changed-settings.json'), bootId()),
  };
  const found = [
    issues,
    containers.issues,
    declarations.issues,
    opened.images.issues,
    volumes.issues,
    links.issues,
    history.issues,
    opened.changedSettings.issues,
  ].flat();
  for (const { path: of, error } of found)
    log.warn({ path: of, code: error.code, hint: error.hint }, describeError(error));
  return { ...opened, issues: found };
}

/** True where a record refers to a secret: another key would make all of them look changed. */
function usesSecrets(containers: ContainerStore): boolean {
  return containers.all().some(({ owner }) => JSON.stringify([owner?.written, owner?.contentHashes]).includes(PREFIX));
}
