import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import type { GroupCommit } from '../../group-commit.ts';
import type { OpOf } from '../../op.ts';
import { type Declared, desiredOf } from '../declared.ts';
import { type ImageStores, imageOf } from '../images/image-of.ts';
import type { KeyedMutex } from '../keyed-mutex.ts';
import { type LinkNamePorts, recordNames, requireNameFree } from '../networks/link-names.ts';
import { containerTexts } from './container-texts.ts';
import { type ReplacePorts, replaceDamaged } from './damaged-container.ts';
import {
  createAnonymousVolumes,
  type MountPorts,
  missingAnonymousVolumes,
  mountedTexts,
  recordedVolumes,
  resolvedVolumes,
} from './mounts.ts';
import { type DraftPorts, newRecord } from './record-draft.ts';

/** Containers that are being made. */
interface Makings {
  /** Their ids: objects with such an id have an owner soon. */
  readonly making: Set<string>;
  /** By id: a create and the removal of its leftovers exclude each other. */
  readonly mutex: KeyedMutex;
}

/** Names, and what a name is freed of that a damaged container has. */
interface NameClaims extends LinkNamePorts {
  readonly damaged: ReplacePorts;
}

export interface CreatePorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey' | 'create'>;
  readonly graph: Pick<GraphDriver, 'createSnapshot'>;
  readonly commits: Pick<GroupCommit, 'commit'>;
  readonly makings: Makings;
  readonly imageStores: ImageStores;
  readonly mounts: MountPorts;
  readonly linkNames: NameClaims;
  readonly drafts: DraftPorts;
}

/** Its start writes the text files again. */
const NO_RUN_YET = { addresses: [], resolver: false };

async function whileMaking({ making, mutex }: Makings, id: string, work: () => Promise<void>): Promise<void> {
  making.add(id);
  try {
    await mutex.runExclusive(id, work);
  } finally {
    making.delete(id);
  }
}

/** Makes snapshot, volumes and record; the container exists once this resolved. */
export async function createContainer(ports: CreatePorts, op: OpOf<'container.create'>): Promise<void> {
  const desired = desiredOf(ports, 'container', op.key);
  await whileMaking(ports.makings, op.containerId, () => make(ports, op, desired));
}

async function make(ports: CreatePorts, op: OpOf<'container.create'>, desired: Desired<'container'>): Promise<void> {
  const existing = ports.containers.byKey(op.key);
  if (existing?.id === op.containerId) return;
  if (existing) throw new TsdError('TSD_BUG', `${op.key} exists as ${existing.id}`, { key: op.key });
  await replaceDamaged(ports.linkNames.damaged, op.key, desired.engineName);
  // Checked before anything is created: an existing container would be started, with or without its name.
  requireNameFree(ports.linkNames, desired.engineName, op.containerId);
  const image = imageOf(ports.imageStores, desired);
  const missing = missingAnonymousVolumes(ports.mounts, desired, image);
  if (missing.length > 0) await createAnonymousVolumes(ports.mounts, desired, missing);
  await ports.graph.createSnapshot(op.containerId, image.topLayer);
  const record = {
    ...newRecord(ports.drafts, desired, image, op.containerId),
    volumes: recordedVolumes(resolvedVolumes(ports.mounts, desired, image, op.containerId)),
  };
  await ports.commits.commit({
    files: (batch) => {
      const { files } = containerTexts(ports.drafts.texts, desired, op.containerId, NO_RUN_YET);
      ports.containers.create(record, files, batch, mountedTexts(desired));
    },
    names: () => recordNames(ports.linkNames, desired, op.containerId),
  });
}
