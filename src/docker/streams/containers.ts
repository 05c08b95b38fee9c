/** The container that a path names. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, param } from '../wire/route.ts';

const FULL_ID = /^[0-9a-f]{64}$/;
const ID_PREFIX = /^[0-9a-f]{1,63}$/;

/** By id, by name with or without its slash, or by the beginning of an id that no other has. @throws DockerError 404, 400 */
export function containerOf(call: DockerCall): ContainerRecord {
  const { containers } = call.docker;
  const text = param(call, 'id');
  const byId = FULL_ID.test(text) ? containers.get(text) : undefined;
  if (byId !== undefined) return byId;
  const name = text.startsWith('/') ? text.slice(1) : text;
  const all = containers.all();
  const byName = all.find(({ engineName }) => engineName === name);
  if (byName !== undefined) return byName;
  const [found, ...more] = ID_PREFIX.test(text) ? all.filter(({ id }) => id.startsWith(text)) : [];
  if (more.length > 0) throw new DockerError(400, `multiple IDs found with provided prefix: ${text}`);
  if (found !== undefined) return found;
  throw new DockerError(404, `No such container: ${text}`);
}

export const isPaused = ({ state }: ContainerRecord): boolean => state.status === 'paused';

/** @throws DockerError 409 */
export function requireRunning({ docker }: DockerCall, record: ContainerRecord): void {
  if (docker.exec.running(record.id) === null) throw new DockerError(409, `container ${record.id} is not running`);
}
