import { execFileSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, readSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  acceptWaiting,
  MAX_DESCRIPTORS,
  receiveDescriptors,
  sendDescriptors,
} from '../../../src/ffi/sockets/descriptors.ts';
import { peerUidOf } from '../../../src/ffi/sockets/peer.ts';
import { connectTo, listenAt } from '../../../src/ffi/sockets/sockets.ts';

describe('descriptors over a unix socket', () => {
  const opened: number[] = [];
  let directory: string;
  let near: number;
  let far: number;
  const kept = (fd: number): number => {
    opened.push(fd);
    return fd;
  };
  const file = (text: string): number => {
    const path = join(directory, text);
    writeFileSync(path, text);
    return kept(openSync(path, 'r'));
  };

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'tsd-descriptors-'));
    const listener = kept(listenAt(join(directory, 'socket'), 4, 'packets'));
    expect(acceptWaiting(listener)).toBeNull();
    near = kept(connectTo(join(directory, 'socket'), 'packets'));
    far = kept(acceptWaiting(listener) ?? -1);
  });
  afterEach(() => {
    for (const fd of opened.splice(0)) closeSync(fd);
    rmSync(directory, { recursive: true, force: true });
  });

  const receive = () => {
    const received = receiveDescriptors(far, 64);
    for (const fd of received?.descriptors ?? []) kept(fd);
    return received;
  };
  const isCloseOnExec = (fd: number): boolean =>
    (Number.parseInt(/^flags:\s*(\d+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'))?.[1] ?? '', 8) &
      0o2000000) !==
    0;

  it('gives nothing while nothing was sent, and tells the peer by its uid', () => {
    expect(receive()).toBeNull();
    expect(peerUidOf(far)).toBe(process.getuid?.());
  });

  it('hands open files over in order, close-on-exec, each message by itself', () => {
    expect(sendDescriptors(near, Buffer.from('one'), [file('a'), file('b')])).toBe(true);
    expect(sendDescriptors(near, Buffer.from('two'), [])).toBe(true);
    const first = receive();
    expect(first?.bytes.toString()).toBe('one');
    const texts = first?.descriptors.map((fd) => {
      const byte = Buffer.alloc(1);
      readSync(fd, byte, 0, 1, 0);
      return byte.toString();
    });
    expect(texts).toEqual(['a', 'b']);
    expect(first?.descriptors.every(isCloseOnExec)).toBe(true);
    expect(receive()).toEqual({ bytes: Buffer.from('two'), descriptors: [] });
    expect(receive()).toBeNull();
  });

  it('takes as many as the kernel allows in a message, and refuses more before it sends', () => {
    const one = file('x');
    expect(sendDescriptors(near, Buffer.from('many'), Array(MAX_DESCRIPTORS).fill(one))).toBe(true);
    expect(receive()?.descriptors).toHaveLength(MAX_DESCRIPTORS);
    expect(() => sendDescriptors(near, Buffer.from('x'), Array(MAX_DESCRIPTORS + 1).fill(one))).toThrow('cannot send');
    expect(receive()).toBeNull();
  });

  it('says that a queue is full, and sends again when it was read', () => {
    const one = file('x');
    let sent = 0;
    while (sendDescriptors(near, Buffer.from('x'), [one])) sent++;
    expect(sent).toBeGreaterThan(16);
    receive();
    expect(sendDescriptors(near, Buffer.from('x'), [one])).toBe(true);
  });

  it('closes what came with a message that is too long', () => {
    const count = () => readdirSync('/proc/self/fd').length;
    sendDescriptors(near, Buffer.alloc(100), [file('x')]);
    const before = count();
    expect(() => receive()).toThrow('more than 64 bytes');
    expect(count()).toBe(before);
  });

  it('says when the other side has closed, and fails to send to it', () => {
    closeSync(near);
    opened.splice(opened.indexOf(near), 1);
    expect(receive()).toEqual({ bytes: Buffer.alloc(0), descriptors: [] });
    expect(() => sendDescriptors(far, Buffer.from('x'), [])).toThrow('EPIPE');
  });

  it('closes what came when the process may not have that many open', () => {
    const script = `
      import { execFileSync } from 'node:child_process';
      import { openSync, readdirSync } from 'node:fs';
      import { acceptWaiting, receiveDescriptors, sendDescriptors } from './src/ffi/sockets/descriptors.ts';
      import { connectTo, listenAt } from './src/ffi/sockets/sockets.ts';
      const listener = listenAt('${directory}/limited', 4, 'packets');
      const near = connectTo('${directory}/limited', 'packets');
      const far = acceptWaiting(listener);
      sendDescriptors(near, Buffer.from('x'), Array(20).fill(openSync('/dev/null')));
      const open = () => readdirSync('/proc/self/fd').map(Number);
      const limit = openSync('/dev/null') + 5;
      execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=' + limit + ':' + limit]);
      const before = open().length;
      try { receiveDescriptors(far, 64); } catch (error) { console.log(error.message, open().length - before); }
    `;
    const args = ['--import', './test/support/run-typescript.mjs', '--input-type=module', '-e', script];
    const stdout = execFileSync(process.execPath, args, { encoding: 'utf8' });
    expect(stdout).toMatch(/EMFILE.* 0$/m);
  });
});
