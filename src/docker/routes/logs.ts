/** What containers wrote. */

import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { readLog } from '../../supervisor/logs/read-log.ts';
import { objectAt } from '../containers/json-object.ts';
import { requestOf } from '../containers/request.ts';
import { batched } from '../streams/batches.ts';
import { containerOf } from '../streams/containers.ts';
import { streamType } from '../streams/frames.ts';
import { isWanted, type LogQuery, lineOf, logQueryOf } from '../streams/log-lines.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, route } from '../wire/route.ts';

/** Follows until the end of the run: clients ask again at the next one. */
async function* lines({ docker, signal }: DockerCall, { id, config }: ContainerRecord, query: LogQuery) {
  const isOver = (): boolean => docker.exec.running(id) === null;
  for await (const entry of readLog(docker.containers.logPath(id), query.options, isOver, signal)) {
    if (isWanted(entry, query)) yield lineOf(entry, query, config.Tty);
  }
}

function wantsNoLog({ owner }: ContainerRecord): boolean {
  const asked = owner === null ? null : requestOf(owner);
  return asked !== null && objectAt(asked.hostConfig, 'LogConfig').Type === 'none';
}

function logs(call: DockerCall): DockerReply {
  const query = logQueryOf(call.query);
  const record = containerOf(call);
  // Clients look at the status.
  if (wantsNoLog(record)) throw new DockerError(501, 'configured logging driver does not support reading');
  const headers = { 'Content-Type': streamType(record.config.Tty, call.minor) };
  return { type: 'bytes', chunks: batched(lines(call, record, query)), headers };
}

export const logRoutes: readonly DockerRoute[] = [route('GET', '/containers/{id}/logs', logs)];
