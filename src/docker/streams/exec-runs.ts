/** Runs of programs in containers, with the client that asked or without it. */

import type { Duplex } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { DockerParts } from '../docker-parts.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import type { Attributes } from '../events/message.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { DockerCall } from '../wire/route.ts';
import { converse, type Wanted } from './conversation.ts';
import { detachKeysOf } from './detach-keys.ts';
import { type ExecInstance, isRunning } from './exec-instances.ts';
import { framed } from './frames.ts';
import { execError } from './start-error.ts';

type ExecParts = Pick<DockerParts, 'exec' | 'containers' | 'bus'>;
type Size = readonly [rows: number, columns: number] | null;

const SIGHUP = 1;
/** How long a client that sets a size may be ahead of the start. */
const START_WAIT_MS = 10_000;
const START_LOOK_MS = 20;

/** @throws DockerError 409 */
export function requireStartable({ docker }: DockerCall, { id, request, isStarted, exitCode }: ExecInstance): void {
  if (exitCode !== null) throw new DockerError(409, `Error: Exec command ${id} has already run`);
  if (isStarted) throw new DockerError(409, `Error: Exec command ${id} is already running`);
  const { containerId } = request;
  if (docker.exec.running(containerId) === null) throw new DockerError(409, `container ${containerId} is not running`);
  if (docker.containers.get(containerId)?.state.status === 'paused')
    throw new DockerError(409, `Container ${containerId} is paused, unpause the container before exec`);
}

/** Starts it and notes its end. Returns what went wrong. */
export async function startExec(parts: ExecParts, instance: ExecInstance, size: Size): Promise<string | null> {
  const session = await open(parts, instance, size);
  if (typeof session === 'string') return session;
  // On a terminal the end of input is a key.
  if (!instance.request.tty) session.stdin?.end();
  session.stdout.resume();
  session.stderr.resume();
  return null;
}

async function open(parts: ExecParts, instance: ExecInstance, size: Size): Promise<StdioSession | string> {
  const { exec } = parts;
  const { containerId, argv, env, cwd, user, tty, stdin, privileged } = instance.request;
  instance.isStarted = true;
  try {
    const session = await exec.exec(containerId, { argv, env, cwd, user, tty, stdin, privileged });
    instance.session = session;
    if (size !== null && tty) session.resize(size[0], size[1]);
    tell(parts, instance, `exec_start: ${argv.join(' ')}`);
    const end = (exitCode: number): void => {
      instance.exitCode = exitCode;
      tell(parts, instance, 'exec_die', { exitCode: `${exitCode}` });
      session.close();
    };
    session.exited.then(end, () => end(LOST));
    return session;
  } catch (thrown) {
    const { exitCode, message } = execError(argv[0] ?? '', thrown);
    instance.exitCode = exitCode;
    return message;
  }
}

function tell({ bus, containers }: ExecParts, { id, request }: ExecInstance, action: string, more: Attributes = {}) {
  const record = containers.get(request.containerId);
  if (record !== undefined) bus.emit(containerEvent(subjectOf(record), action, { execID: id, ...more }));
}

/** Of a program whose end was not seen. */
const LOST = 255;

export interface AttachedExec {
  readonly stream: Duplex;
  readonly signal: AbortSignal;
  readonly raw: boolean;
  readonly size: Size;
}

/** A terminal without a keyboard is left. */
function inputEndOf({ stdin, tty }: ExecInstance['request']): Wanted['inputEnd'] {
  if (!stdin) return 'nothing';
  return tty ? 'leaves' : 'closes';
}

/** Resolves when all output is with the client, or the client has left: the program runs on without it. */
export async function runAttached(
  parts: ExecParts,
  instance: ExecInstance,
  { stream, signal, raw, size }: AttachedExec,
): Promise<void> {
  const { request } = instance;
  const session = await open(parts, instance, size);
  if (typeof session === 'string') {
    const said = Buffer.from(`${session}\r\n`);
    stream.write(raw ? said : framed('stdout', said));
    return;
  }
  const wanted = {
    stdin: request.stdin,
    stdout: request.stdout,
    stderr: request.stderr,
    raw,
    detachKeys: request.tty ? detachKeysOf(request.detachKeys) : [],
    inputEnd: inputEndOf(request),
  };
  const outcome = await converse(session, stream, wanted, signal);
  // As when a terminal is closed: what runs on it hears of it.
  if (outcome === 'gone' && request.tty) session.signal(SIGHUP);
  if (outcome === 'detached') tell(parts, instance, 'exec_detach');
  if (outcome === 'ended') await session.exited.catch(() => {});
}

/** The session of one that was started, or is just being started. @throws DockerError 409 */
export async function whenStarted(instance: ExecInstance, signal: AbortSignal): Promise<StdioSession> {
  for (let waited = 0; instance.session === null && waited < START_WAIT_MS && !signal.aborted; waited += START_LOOK_MS)
    await delay(START_LOOK_MS);
  if (instance.session === null || !isRunning(instance))
    throw new DockerError(409, `exec ${instance.id} is not running`);
  return instance.session;
}
