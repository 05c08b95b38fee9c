/** What goes on in a container: its processes, what it uses, what it changed of its image. */

import { ContainerFiles, openRoot } from '../archive/container-files.ts';
import { TarOut } from '../archive/tar-out.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { containerOf, requireRunning } from '../streams/containers.ts';
import { statsOnce, statsStream } from '../streams/stats.ts';
import { processesIn } from '../streams/top.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

/** Versions from here on may ask for one sample without the one before it. */
const ONE_SHOT = 41;
const KINDS = { modified: 0, added: 1, deleted: 2 } as const;

async function top(call: DockerCall): Promise<DockerReply> {
  const { docker, query } = call;
  const record = containerOf(call);
  requireRunning(call, record);
  const found = await processesIn(docker.exec.processes(record.id), query.text('ps_args'));
  docker.bus.emit(containerEvent(subjectOf(record), 'top'));
  return json(found);
}

async function stats(call: DockerCall): Promise<DockerReply> {
  const { docker, query, minor, signal } = call;
  const record = containerOf(call);
  if (query.flag('stream', true)) return { type: 'lines', items: statsStream(docker, record, signal) };
  const isShort = minor >= ONE_SHOT && query.flag('one-shot');
  return json(await statsOnce(docker, record, isShort, signal));
}

async function changes(call: DockerCall): Promise<DockerReply> {
  const { owner, engineName } = containerOf(call);
  const found = await call.docker.api.imageFiles.changes(owner?.key ?? engineName, call.signal);
  const listed = found.map(({ kind, path }) => ({ Path: path, Kind: KINDS[kind] }));
  return json(listed.length === 0 ? null : listed);
}

function exported(call: DockerCall): DockerReply {
  const { docker } = call;
  const record = containerOf(call);
  const chunks = async function* (): AsyncGenerator<Buffer> {
    // Its own layers: what is mounted in them are empty directories.
    const files = new ContainerFiles(openRoot(docker.graph.rootMount(record.snapshotId), false), new Map());
    try {
      yield* new TarOut(files).whole();
    } finally {
      files.close();
    }
  };
  docker.bus.emit(containerEvent(subjectOf(record), 'export'));
  return { type: 'bytes', chunks: chunks(), headers: { 'Content-Type': 'application/octet-stream' } };
}

export const insideRoutes: readonly DockerRoute[] = [
  route('GET', '/containers/{id}/top', top),
  route('GET', '/containers/{id}/stats', stats),
  route('GET', '/containers/{id}/changes', changes),
  route('GET', '/containers/{id}/export', exported),
];
