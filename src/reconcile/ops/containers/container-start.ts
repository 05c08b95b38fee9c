import type { ExecDriver } from '../../../drivers/contract/exec.ts';
import type { Desired } from '../../../model/desired.ts';
import { toTsdError } from '../../../model/errors/errors.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import { limitsOf } from '../../../model/kinds/limit-forms.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { requireFeature } from '../../exec-features.ts';
import type { OpOf } from '../../op.ts';
import { type Declared, declarationFor, recordOf } from '../declared.ts';
import type { FileReaders } from '../file-readers.ts';
import { type ContainerImage, type ImageStores, imageById } from '../images/image-of.ts';
import { type LinkNamePorts, updateAliases } from '../networks/link-names.ts';
import { type Connections, openLinks } from './container-connect.ts';
import { type MountPorts, requireMountsFree, resolvedVolumes } from './mounts.ts';
import { type RunRecordPorts, recordBegin, recordFailure, recordRunning } from './run-record.ts';
import { type TaskPorts, taskOf } from './run-task.ts';

export interface StartPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'get'>;
  readonly imageStores: Pick<ImageStores, 'images'>;
  readonly mounts: MountPorts;
  readonly linkNames: LinkNamePorts;
  readonly fileReaders: Pick<FileReaders, 'changing'>;
  readonly runRecords: RunRecordPorts;
  /** What a run is made of, and whom it may reach. */
  readonly runs: { readonly tasks: TaskPorts; readonly connections: Connections };
  readonly exec: Pick<ExecDriver, 'name' | 'capabilities' | 'start'>;
}

function isLimited({ resources }: ContainerSpec): boolean {
  return Object.values(limitsOf(resources)).some((limit) => limit !== null);
}

async function launch(ports: StartPorts, desired: Desired<'container'>, op: OpOf<'container.start'>): Promise<void> {
  const { id } = recordOf(ports, op.containerId);
  if (isLimited(desired.spec)) requireFeature(ports.exec, 'limits', op.key);
  const image = imageById(ports.imageStores, recordOf(ports, id).imageId, desired);
  await requireMountsFree(ports.mounts, desired, image, id);
  await updateAliases(ports.linkNames, desired, id);
  await openLinks(ports.runs.connections, desired, id);
  await ports.fileReaders.changing(recordOf(ports, id), 'started', () => run(ports, desired, image, op));
}

/** From the first step that may change the container's files until it is known that it runs. */
async function run(
  ports: StartPorts,
  desired: Desired<'container'>,
  image: ContainerImage,
  op: OpOf<'container.start'>,
): Promise<void> {
  const volumes = resolvedVolumes(ports.mounts, desired, image, op.containerId);
  const begun = recordBegin(ports.runRecords, desired, image, volumes, op);
  const handle = await ports.exec.start(taskOf(ports.runs.tasks, desired, begun, image, volumes));
  recordRunning(ports.runRecords, begun, handle);
}

/** Starts a run; resolves when the payload's program is executing. */
export async function startContainer(ports: StartPorts, op: OpOf<'container.start'>): Promise<void> {
  const desired = declarationFor(ports, op);
  try {
    await launch(ports, desired, op);
  } catch (error) {
    recordFailure(ports.runRecords, op, error);
    throw toTsdError(error).withContext({ key: op.key, source: desired.source });
  }
}
