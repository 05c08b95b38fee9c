/** Limits and restart policy of a container that is there. */
import { availableParallelism } from 'node:os';
import type { JsonValue } from '../../model/json.ts';
import { requireImperative } from '../../supervisor/imperative/containers.ts';
import { memberOf } from '../create/go-json.ts';
import { updateOf } from '../create/update.ts';
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
  requireImperative(docker, record);
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
  return json({ Warnings: warnings.length > 0 ? warnings : null });
}

export const updateRoutes: readonly DockerRoute[] = [route('POST', '/containers/{id}/update', update)];
