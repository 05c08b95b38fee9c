/** Opens the files of a container for one request. */
import { closeSync } from 'node:fs';
import { startTimeOf } from '../../ffi/process/processes.ts';
import type { ContainerSpec } from '../../model/kinds/container.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { DockerParts } from '../docker-parts.ts';
import { DockerError } from '../wire/docker-error.ts';
import { ContainerFiles, type Mounts, mountOf, openRoot, rootOfProcess } from './container-files.ts';

export type FileParts = Pick<DockerParts, 'exec' | 'graph' | 'fileReaders' | 'containers'>;

const mountsOf = ({ volumes }: ContainerRecord): Mounts =>
  new Map(Object.entries(volumes).map(([path, { path: source, writable }]) => [path, { source, writable }]));

/** @throws DockerError for what is mounted read-only */
export function writableIn(record: ContainerRecord): (names: readonly string[]) => void {
  const mounts = mountsOf(record);
  const isRootReadOnly = (record.owner?.written as Partial<ContainerSpec> | undefined)?.readOnly === true;
  return (names) => {
    const mount = mountOf(mounts, names);
    if (mount === null && isRootReadOnly) throw new DockerError(400, 'container rootfs is marked read-only');
    if (mount !== null && mounts.get(mount)?.writable === false)
      throw new DockerError(400, 'mounted volume is marked read-only');
  };
}

/** The caller closes them. */
export function openFiles({ exec, graph }: FileParts, record: ContainerRecord, toWrite: boolean): ContainerFiles {
  const handle = exec.running(record.id);
  if (handle !== null) return new ContainerFiles(rootOf(handle), new Map());
  return new ContainerFiles(openRoot(graph.rootMount(record.snapshotId), toWrite), mountsOf(record));
}

/** Who reads the files of a container as a whole does not read meanwhile. @throws what the work throws */
export async function writing<T>(
  parts: FileParts,
  record: ContainerRecord,
  work: (files: ContainerFiles) => Promise<T>,
): Promise<T> {
  return await parts.fileReaders.changing(record, 'written to', async () => {
    const files = openFiles(parts, record, true);
    try {
      return await work(files);
    } finally {
      files.close();
    }
  });
}

/** @throws DockerError for a run that has just ended: its number may be another process by now */
function rootOf({ pid, startTime, containerId }: { pid: number; startTime: string; containerId: string }): number {
  const root = rootOfProcess(pid);
  if (startTimeOf(pid) === startTime) return root;
  closeSync(root);
  throw new DockerError(409, `container ${containerId} has just ended`);
}
