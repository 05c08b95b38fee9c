/** Limits and restart policy of a container that is there. */
import { availableParallelism } from 'node:os';
import type { JsonValue } from '../../model/json.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { requireImperative } from '../../supervisor/imperative/containers.ts';
import { declaredRequest } from '../containers/declared-request.ts';
import { memberOf } from '../create/go-json.ts';
import { updateOf } from '../create/update.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { containerOf } from '../streams/containers.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, route } from '../wire/route.ts';

type JsonObject = { readonly [key: string]: JsonValue };

const objectOf = (value: unknown): JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : {};

async function update(call: DockerCall): Promise<DockerReply> {
  const { docker, minor, client: by } = call;
  const record = containerOf(call);
  const asked = await call.readBody();
  if (record.owner?.request === undefined) return updateDeclared(call, record, asked);
  let warnings: readonly string[] = [];
  const isThere = await docker.imperative.updates.change(record, {
    what: 'update',
    by,
    declare: ({ spec, request }, { id }) => {
      const body = objectOf(request.body);
      const hostConfig = objectOf(memberOf(body, 'HostConfig'));
      const changed = updateOf(asked, { id, spec, hostConfig, cpus: availableParallelism(), minor });
      warnings = changed.warnings;
      const HostConfig = { ...hostConfig, ...(changed.hostConfig as JsonObject) };
      return { spec: changed.spec, request: { ...request, body: { ...body, HostConfig } } };
    },
  });
  if (!isThere) throw new DockerError(404, `No such container: ${record.engineName}`);
  docker.bus.emit(containerEvent(subjectOf(record), 'update'));
  return json({ Warnings: warnings.length > 0 ? warnings : null });
}

/** A container of a manifest gets an override, where that is allowed. `declared` of our own command line ends it. */
async function updateDeclared(call: DockerCall, record: ContainerRecord, asked: unknown): Promise<DockerReply> {
  const { docker, minor, client: by, uid, query } = call;
  const { overrides } = docker.imperative;
  let warnings: readonly string[] = [];
  if (record.owner === null) requireImperative(docker, record);
  else if (query.flag('declared')) await overrides.end(record, by);
  else
    await overrides.make(record, {
      by,
      uid,
      change: (spec) => {
        const { hostConfig } = declaredRequest(record, { image: '', volumeName: () => null });
        const changed = updateOf(asked, { id: record.id, spec, hostConfig, cpus: availableParallelism(), minor });
        warnings = changed.warnings;
        return changed.spec;
      },
    });
  return json({ Warnings: warnings.length > 0 ? warnings : null });
}

export const updateRoutes: readonly DockerRoute[] = [route('POST', '/containers/{id}/update', update)];
