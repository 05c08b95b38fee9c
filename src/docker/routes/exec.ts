/** Programs in running containers. */
import { z } from 'zod';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { containerOf, isPaused, requireRunning } from '../streams/containers.ts';
import { headIsRead } from '../streams/conversation.ts';
import { detachKeysOf } from '../streams/detach-keys.ts';
import type { ExecInstance } from '../streams/exec-instances.ts';
import { requireStartable, runAttached, startExec, whenStarted } from '../streams/exec-runs.ts';
import { execShape } from '../streams/exec-shape.ts';
import { fieldsOf } from '../streams/fields.ts';
import { streamType } from '../streams/frames.ts';
import { DockerError } from '../wire/docker-error.ts';
import { type DockerCall, type DockerReply, type DockerRoute, json, param, route } from '../wire/route.ts';

const size = z.tuple([z.number().int().min(0), z.number().int().min(0)]);
const flag = z.boolean().default(false);

const createBody = z.looseObject({
  User: z.string().default(''),
  Privileged: flag,
  Tty: flag,
  ConsoleSize: size.optional(),
  AttachStdin: flag,
  AttachStdout: flag,
  AttachStderr: flag,
  DetachKeys: z.string().default(''),
  Env: z.array(z.string()).default([]),
  WorkingDir: z.string().default(''),
  Cmd: z.union([z.array(z.string()), z.string().transform((word) => [word])]).default([]),
});

const startBody = z.looseObject({ Detach: flag, Tty: flag, ConsoleSize: size.optional() });

async function create(call: DockerCall): Promise<DockerReply> {
  const asked = fieldsOf(createBody, await call.readBody());
  if (asked.Cmd.length === 0) throw new DockerError(400, 'No exec command specified');
  const record = containerOf(call);
  requireRunning(call, record);
  if (isPaused(record))
    throw new DockerError(409, `Container ${param(call, 'id')} is paused, unpause the container before exec`);
  if (asked.DetachKeys !== '') detachKeysOf(asked.DetachKeys);
  const { User, WorkingDir } = record.config;
  const { id } = call.docker.execs.add({
    containerId: record.id,
    argv: asked.Cmd,
    env: asked.Env,
    cwd: asked.WorkingDir || WorkingDir || null,
    user: asked.User || User,
    tty: asked.Tty,
    stdin: asked.AttachStdin,
    stdout: asked.AttachStdout,
    stderr: asked.AttachStderr,
    privileged: asked.Privileged,
    detachKeys: asked.DetachKeys,
    size: asked.ConsoleSize ?? null,
  });
  const subject = subjectOf(record);
  call.docker.bus.emit(containerEvent(subject, `exec_create: ${asked.Cmd.join(' ')}`, { execID: id }));
  return json({ Id: id }, 201);
}

const execOf = (call: DockerCall): ExecInstance => call.docker.execs.get(param(call, 'id'));

async function start(call: DockerCall): Promise<DockerReply> {
  const instance = execOf(call);
  const asked = fieldsOf(startBody, await call.readBody());
  requireStartable(call, instance);
  const size = asked.ConsoleSize ?? instance.request.size;
  if (asked.Detach) {
    const failed = await startExec(call.docker, instance, size);
    if (failed !== null) throw new DockerError(400, failed);
    return { type: 'empty', status: 200 };
  }
  return {
    type: 'hijack',
    contentType: streamType(asked.Tty, call.minor),
    run: async (hijacked) => {
      await headIsRead(call);
      await runAttached(call.docker, instance, { ...hijacked, raw: asked.Tty, size });
    },
  };
}

async function resize(call: DockerCall): Promise<DockerReply> {
  const [rows, columns] = [call.query.number('h') ?? 0, call.query.number('w') ?? 0];
  const session = await whenStarted(execOf(call), call.signal);
  session.resize(rows, columns);
  return { type: 'empty', status: 200 };
}

export const execRoutes: readonly DockerRoute[] = [
  route('POST', '/containers/{id}/exec', create),
  route('POST', '/exec/{id}/start', start),
  route('POST', '/exec/{id}/resize', resize),
  route('GET', '/exec/{id}/json', (call) => json(execShape(execOf(call)))),
];
