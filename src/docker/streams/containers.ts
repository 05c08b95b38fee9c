/** The container that a path names. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { findContainer } from '../lookup.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, param } from '../wire/route.ts';

/** By id, by name with or without its slash, or by the beginning of an id that no other has. @throws DockerError 404, 400 */
export function containerOf(call: DockerCall): ContainerRecord {
  return findContainer(call.docker.containers, param(call, 'id'));
}

export const isPaused = ({ state }: ContainerRecord): boolean => state.status === 'paused';

/** @throws DockerError 409 */
export function requireRunning({ docker }: DockerCall, record: ContainerRecord): void {
  if (docker.exec.running(record.id) === null) throw new DockerError(409, `container ${record.id} is not running`);
}
