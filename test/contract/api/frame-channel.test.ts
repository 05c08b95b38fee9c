import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FrameChannel } from '../../../src/api/frame-channel.ts';
import { FRAME, frameHeader } from '../../../src/api/frames.ts';

let directory: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsd-frames-'));
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** What a peer sends before it ends the connection, received over a unix socket. */
async function received(bytes: Buffer): Promise<Socket> {
  const path = join(directory, 'socket');
  const server = createServer((socket) => socket.end(bytes)).listen(path);
  await new Promise((resolve) => server.once('listening', resolve));
  const socket = connect({ path });
  await new Promise((resolve) => socket.once('connect', resolve));
  server.close();
  return socket;
}

const frame = (text: string): Buffer => Buffer.concat([frameHeader(FRAME.stdout, text.length), Buffer.from(text)]);

test('frames that wait in a paused channel are delivered after the peer has ended the connection', async () => {
  const socket = await received(Buffer.concat(['a', 'b', 'c'].map(frame)));
  const frames: string[] = [];
  const ended = new Promise((resolve) => socket.once('end', resolve));
  const channel = new FrameChannel(socket, Buffer.alloc(0), ({ payload }) => {
    frames.push(payload.toString());
    if (frames.length === 1) channel.pause();
  });
  await ended;
  // By now a socket that closes itself with its peer has done so.
  for (let turn = 0; turn < 10; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(frames).toEqual(['a']);
  channel.resume();
  expect(await channel.closed).toBeNull();
  expect(frames).toEqual(['a', 'b', 'c']);
});

test('a channel in which no frame waits is closed with its peer, also while it is paused', async () => {
  const socket = await received(frame('a'));
  const channel = new FrameChannel(socket, Buffer.alloc(0), () => channel.pause());
  expect(await channel.closed).toBeNull();
});
