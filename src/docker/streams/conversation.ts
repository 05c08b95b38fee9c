/** A client's connection and the streams of a program: frames or raw bytes, ends of both sides, keys that leave. */

import type { Duplex, Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { DockerCall } from '../wire/route.ts';
import { DetachKeys } from './detach-keys.ts';
import { framed, type StreamName } from './frames.ts';

export interface Wanted {
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Raw bytes instead of frames. */
  readonly raw: boolean;
  /** Empty where keys mean nothing. */
  readonly detachKeys: readonly number[];
  /** What the end of the client's input means. */
  readonly inputEnd: 'closes' | 'leaves' | 'nothing';
}

/** Python's client reads its connection beneath its buffer, and loses what comes together with the head of the answer. */
const LOSES_EARLY_BYTES = /python/i;
const HEAD_READ_MS = 20;

export async function headIsRead({ client }: Pick<DockerCall, 'client'>): Promise<void> {
  if (LOSES_EARLY_BYTES.test(client)) await delay(HEAD_READ_MS);
}

export type Outcome = 'ended' | 'detached' | 'gone';

/** Writes as fast as the client reads. Resolves false when it is gone. */
export async function writeTo(stream: Writable, bytes: Buffer, gone: AbortSignal): Promise<boolean> {
  if (gone.aborted || !stream.writable) return false;
  if (stream.write(bytes)) return true;
  return await new Promise((resolve) => {
    const done = (): void => {
      stream.off('drain', done);
      stream.off('close', done);
      gone.removeEventListener('abort', done);
      resolve(!gone.aborted && stream.writable);
    };
    stream.on('drain', done);
    stream.on('close', done);
    gone.addEventListener('abort', done, { once: true });
  });
}

async function passOn(
  from: Readable,
  name: StreamName,
  stream: Duplex,
  { raw }: Wanted,
  gone: AbortSignal,
): Promise<void> {
  for await (const chunk of from.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    if (!(await writeTo(stream, raw ? chunk : framed(name, chunk), gone))) break;
  }
  // The program writes on, and its end is awaited.
  from.resume();
}

/** Reads input until it ends. @returns whether the client leaves the session by it */
async function takeInput(stream: Duplex, stdin: Writable | null, wanted: Wanted): Promise<'detached' | 'closed'> {
  const keys = new DetachKeys(wanted.detachKeys);
  for await (const chunk of stream.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    const { bytes, isDetached } = keys.take(chunk);
    if (wanted.stdin && stdin?.writable && bytes.length > 0) {
      if (!stdin.write(bytes)) await drained(stdin);
    }
    if (isDetached) return 'detached';
  }
  return 'closed';
}

/** Also when it has no reader any more. */
function drained(stdin: Writable): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      stdin.off('drain', done);
      stdin.off('close', done);
      resolve();
    };
    stdin.on('drain', done);
    stdin.on('close', done);
    if (stdin.destroyed) done();
  });
}

/**
 * Connects both until the program ends, the client leaves by its keys or by the end of its input, or is gone. The session
 * stays open: it belongs to the caller.
 */
export async function converse(
  session: StdioSession,
  stream: Duplex,
  wanted: Wanted,
  gone: AbortSignal,
): Promise<Outcome> {
  const left = new Promise<Outcome>((resolve) => {
    gone.addEventListener('abort', () => resolve('gone'), { once: true });
    if (gone.aborted) resolve('gone');
    takeInput(stream, session.stdin, wanted).then(
      (how) => {
        if (how === 'detached') resolve('detached');
        else if (wanted.inputEnd === 'leaves') resolve('gone');
        else if (wanted.inputEnd === 'closes') session.stdin?.end();
      },
      () => resolve('gone'),
    );
  });
  const leaving = new AbortController();
  void left.then(() => leaving.abort());
  const outputs = [
    wanted.stdout ? passOn(session.stdout, 'stdout', stream, wanted, leaving.signal) : drain(session.stdout),
    wanted.stderr ? passOn(session.stderr, 'stderr', stream, wanted, leaving.signal) : drain(session.stderr),
  ];
  const ended = Promise.all(outputs).then(
    (): Outcome => 'ended',
    // A session that is closed early: its reader was too slow, or its shim was killed.
    (): Outcome => 'gone',
  );
  return await Promise.race([left, ended]);
}

function drain(from: Readable): Promise<void> {
  from.resume();
  return new Promise((resolve) => {
    from.once('close', resolve);
    if (from.closed) resolve();
  });
}
