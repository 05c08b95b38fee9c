/** Files of containers: copied, compared with the image, and as a whole. */
import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';
import { type AskedPlace, statOf, tarOf, unpackInto } from '../archive/archive.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { containerOf } from '../streams/containers.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, param, route } from '../wire/route.ts';

const STAT_HEADER = 'X-Docker-Container-Path-Stat';
/** How long the rest of a refused upload is read, so that its sender gets to read the answer. */
const REFUSED_MS = 5_000;

function askedPlace(call: DockerCall): AskedPlace {
  const path = call.query.text('path');
  if (path === '') throw new DockerError(400, 'bad parameter: pathcannot be empty');
  if (path.includes('\0')) throw new DockerError(400, 'bad parameter: path');
  return { record: containerOf(call), called: param(call, 'id'), path };
}

function stat(call: DockerCall): DockerReply {
  return { type: 'empty', status: 200, headers: { [STAT_HEADER]: statOf(call.docker, askedPlace(call)) } };
}

function get(call: DockerCall): DockerReply {
  const { docker } = call;
  const asked = askedPlace(call);
  const headers = { 'Content-Type': 'application/x-tar', [STAT_HEADER]: statOf(docker, asked) };
  docker.bus.emit(containerEvent(subjectOf(asked.record), 'archive-path'));
  return { type: 'bytes', chunks: tarOf(docker, asked), headers };
}

async function put(call: DockerCall): Promise<DockerReply> {
  const { docker, query, request } = call;
  try {
    const asked = askedPlace(call);
    await unpackInto(docker, asked, request, {
      keepsKinds: query.flag('noOverwriteDirNonDir'),
      owner: ownerOf(call, asked),
    });
    docker.bus.emit(containerEvent(subjectOf(asked.record), 'extract-to-dir'));
  } catch (thrown) {
    await drained(request);
    throw thrown;
  }
  return { type: 'empty', status: 200 };
}

/** With `copyUIDGID`, everything belongs to the user of the container. */
function ownerOf({ query }: DockerCall, { record }: AskedPlace): { readonly uid: number; readonly gid: number } | null {
  if (!query.flag('copyUIDGID')) return null;
  const found = /^(\d+)(?::(\d+))?$/.exec(record.config.User);
  return found === null ? null : { uid: Number(found[1]), gid: Number(found[2] ?? 0) };
}

async function drained(request: IncomingMessage): Promise<void> {
  if (request.complete) return;
  request.resume();
  const late = new AbortController();
  await Promise.race([
    once(request, 'end', { signal: late.signal }),
    once(request, 'close', { signal: late.signal }),
    delay(REFUSED_MS, null, { signal: late.signal }),
  ]).catch(() => {});
  late.abort();
}

export const archiveRoutes: readonly DockerRoute[] = [
  route('HEAD', '/containers/{id}/archive', stat),
  route('GET', '/containers/{id}/archive', get),
  route('PUT', '/containers/{id}/archive', put),
];
