/** A client on the streams of a container itself: of the run that is there, or of the next one. */
import type { Duplex } from 'node:stream';
import type { AttachedSession } from '../../drivers/contract/exec.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { readLog } from '../../supervisor/logs/read-log.ts';
import { requestOf } from '../containers/request.ts';
import type { DockerParts } from '../docker-parts.ts';
import { containerEvent, subjectOf } from '../events/container-events.ts';
import { DockerError } from '../wire/docker-error.ts';
import type { DockerCall } from '../wire/route.ts';
import { isPaused } from './containers.ts';
import { converse, headIsRead, type Wanted, writeTo } from './conversation.ts';
import { detachKeysOf } from './detach-keys.ts';
import { type LogQuery, lineOf } from './log-lines.ts';

interface Streams {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What was written before, first. */
  readonly logs: boolean;
  /** What is written from now on. */
  readonly follow: boolean;
  /** Without frames that tell outputs apart. */
  readonly raw: boolean;
}

export interface Attachment {
  readonly record: ContainerRecord;
  readonly streams: Streams;
  readonly detachKeys: readonly number[];
  /** Null where only what was written before is asked for. */
  readonly session: Promise<AttachedSession> | null;
  /** Ends the wait for a session. */
  readonly leave: () => void;
  /** The wait was ended: by the client, or because no run comes. */
  readonly hasLeft: () => boolean;
}

export function streamsOf({ query }: DockerCall, raw: boolean): Streams {
  const flag = (name: string): boolean => query.flag(name);
  const [stdin, stdout, stderr] = [flag('stdin'), flag('stdout'), flag('stderr')];
  return { stdin, stdout, stderr, logs: flag('logs'), follow: flag('stream'), raw };
}

/**
 * Waits from now on for the run: nothing of one that begins after this call is missed.
 * @throws DockerError 409
 */
export function attachment({ docker, query }: DockerCall, record: ContainerRecord, streams: Streams): Attachment {
  const detachKeys = detachKeysOf(query.text('detachKeys'));
  const { engineName, id, config } = record;
  if (isPaused(record))
    throw new DockerError(409, `container ${engineName} is paused, unpause the container before attach`);
  if (record.state.status === 'restarting')
    throw new DockerError(409, `container ${engineName} is restarting, wait until the container is running`);
  const left = new AbortController();
  const hasLeft = (): boolean => left.signal.aborted;
  const open = (): Promise<AttachedSession> =>
    docker.exec.running(id) === null ? docker.exec.attachNext(id, left.signal) : docker.exec.attach(id);
  const session = streams.follow ? open() : null;
  const unwatch = session === null ? null : whenNoneComes(docker, id, () => left.abort());
  docker.bus.emit(containerEvent(subjectOf(record), 'attach'));
  // Who asks for it takes the error.
  session?.catch(() => {}).finally(() => unwatch?.());
  return { record, streams, detachKeys: config.Tty ? detachKeys : [], session, leave: () => left.abort(), hasLeft };
}

/** Calls back when the run that a client waits for does not come: its start failed, or the container was removed. */
function whenNoneComes({ failedStarts, events, containers }: DockerParts, id: string, none: () => void): () => void {
  const look = (): void => {
    if (containers.get(id) === undefined) none();
  };
  const stop = failedStarts.onFailure(id, none);
  events.on('change', look);
  return () => {
    stop();
    events.off('change', look);
  };
}

/** The program reads from one client, and has no more input after it. A terminal goes on without one. */
function readsOnce({ config, owner }: ContainerRecord): boolean {
  return config.OpenStdin && !config.Tty && owner !== null && requestOf(owner)?.config.StdinOnce === true;
}

/** What the end of the client's input means. */
function inputEndOf(record: ContainerRecord, { stdin }: Streams): Wanted['inputEnd'] {
  if (!stdin || !record.config.OpenStdin) return 'nothing';
  return readsOnce(record) ? 'closes' : 'leaves';
}

/** Resolves when the run has ended and its output is with the client, or the client has left. */
export async function attached(
  call: DockerCall,
  { record, streams, detachKeys, session: coming, leave, hasLeft }: Attachment,
  { stream, signal }: { readonly stream: Duplex; readonly signal: AbortSignal },
): Promise<void> {
  signal.addEventListener('abort', leave, { once: true });
  if (signal.aborted) leave();
  await headIsRead(call);
  if (streams.logs) await past(call.docker.containers.logPath(record.id), streams, stream, signal);
  if (coming === null) return;
  const session = await coming.catch((error) => (hasLeft() ? null : Promise.reject(error)));
  if (session === null) return;
  try {
    const wanted = { ...streams, detachKeys, inputEnd: inputEndOf(record, streams) };
    const outcome = await converse(session, stream, wanted, signal);
    if (outcome === 'detached') call.docker.bus.emit(containerEvent(subjectOf(record), 'detach'));
    if (outcome === 'gone' && streams.stdin && readsOnce(record)) await ended(session);
  } finally {
    session.close();
  }
}

/** The end of input, once the program has taken what came before it; a program that does not read keeps nothing waiting. */
function ended({ stdin }: AttachedSession): Promise<void> {
  if (stdin === null || stdin.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    stdin.once('close', () => resolve());
    stdin.end(() => resolve());
    setTimeout(resolve, INPUT_END_MS).unref();
  });
}

const INPUT_END_MS = 5_000;

async function past(
  path: string,
  { stdout, stderr, raw }: Streams,
  stream: Duplex,
  signal: AbortSignal,
): Promise<void> {
  const options = { follow: false, tail: null, sinceMs: null, untilMs: null, stdout, stderr };
  const query: LogQuery = { options, sinceNs: null, untilNs: null, timestamps: false, details: false };
  for await (const entry of readLog(path, options, () => true, signal))
    if (!(await writeTo(stream, lineOf(entry, query, raw), signal))) return;
}
