/** The program of the build (npm run build), and a container that means it harm. */
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enterOwnHost, type TestSandbox, World } from '../../support/resolver/fixture.ts';
import { until } from '../../support/wait.ts';

enterOwnHost();

let world: World;
let attacker: TestSandbox;
let other: TestSandbox;

beforeAll(async () => {
  world = await World.start();
  await world.network('n1', { web: '10.1.0.2' });
  attacker = await world.sandbox('attacker');
  other = await world.sandbox('other');
});
afterAll(() => world.remove());

const question = (id: number, name = 'web'): Buffer =>
  encode({ type: 'query', id, flags: 0x100, questions: [{ type: 'A', name }] } as Packet);

function framed(bytes: Buffer): Buffer {
  const length = Buffer.alloc(2);
  length.writeUInt16BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

async function connected(): Promise<Socket> {
  const options = { fd: attacker.socket('tcp'), manualStart: true };
  const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
  socket.on('error', () => undefined);
  socket.connect(53, '127.0.0.11');
  await once(socket, 'connect');
  return socket;
}

/** OPT with an option that is nothing but long. */
function padding(length: number): Buffer {
  const bytes = Buffer.alloc(15 + length);
  bytes.writeUInt16BE(41, 1);
  bytes.writeUInt16BE(4 + length, 9);
  bytes.writeUInt16BE(12, 11);
  bytes.writeUInt16BE(length, 13);
  return bytes;
}

const residentKib = (): number =>
  Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${world.resolver.pid}/status`, 'utf8'))?.[1]);

describe('packets that are no questions', () => {
  it('harm nobody: garbage, pointers in circles, counts that are not true', async () => {
    const socket = createSocket('udp4');
    socket.bind({ fd: attacker.socket() });
    const codes = new Map<number, number>();
    socket.on('message', (bytes) => codes.set(bytes.readUInt16BE(0), bytes.readUInt16BE(2) & 15));
    const header = (id: number, ...counts: number[]) => {
      const bytes = Buffer.alloc(12);
      bytes.writeUInt16BE(id, 0);
      for (const [index, count] of counts.entries()) bytes.writeUInt16BE(count, 4 + index * 2);
      return bytes;
    };
    const packets = [
      Buffer.alloc(0),
      Buffer.alloc(11),
      header(1, 1),
      Buffer.concat([header(2, 1), Buffer.from([0xc0, 12, 0, 1, 0, 1])]),
      Buffer.concat([header(3, 1), Buffer.from([1, 97, 0xc0, 12, 0, 1, 0, 1])]),
      Buffer.concat([header(4, 1), Buffer.alloc(300, 63)]),
      Buffer.concat([header(5, 0xffff, 0xffff, 0xffff, 0xffff), Buffer.alloc(400, 1)]),
      Buffer.concat([header(6, 1), Buffer.from([0x41, 97, 0, 0, 1, 0, 1])]),
      Buffer.concat([question(7), Buffer.from('more')]),
      header(8, 0),
      Buffer.concat([question(11).subarray(0, 10), Buffer.from([0, 1]), question(11).subarray(12), padding(6_000)]),
    ];
    for (const packet of packets) socket.send(packet, 53, '127.0.0.11');
    const answer = question(9);
    answer.writeUInt16BE(0x8100, 2);
    socket.send(answer, 53, '127.0.0.11');
    socket.send(question(10), 53, '127.0.0.11');
    await until('the question is answered', () => codes.has(10));
    expect(Object.fromEntries(codes)).toEqual({ 1: 1, 2: 1, 3: 1, 4: 1, 5: 1, 6: 1, 7: 1, 8: 1, 10: 0, 11: 1 });
    socket.close();
    expect(await other.short('web')).toEqual(['10.1.0.2']);
    expect(world.resolver.log).not.toContain('fault');
  });

  it('leave no more memory in use than before, however many there are', async () => {
    const socket = createSocket('udp4');
    socket.bind({ fd: attacker.socket() });
    let random = 1;
    const next = () => {
      random = (random * 1103515245 + 12345) & 0x7fffffff;
      return random >>> 8;
    };
    const flood = async (count: number) => {
      for (let sent = 0; sent < count; sent++) {
        const bytes = question(sent & 0xffff, `n${next()}.web`);
        for (let flips = next() % 4; flips > 0; flips--) bytes[next() % bytes.length] = next() & 255;
        socket.send(bytes, 53, '127.0.0.11');
        if (sent % 64 === 0) await new Promise(setImmediate);
      }
    };
    await flood(20_000);
    const before = residentKib();
    await flood(60_000);
    expect(await other.short('web')).toEqual(['10.1.0.2']);
    expect(residentKib() - before).toBeLessThan(24 * 1024);
    socket.close();
    expect(world.resolver.log).not.toContain('fault');
  });
});

describe('TCP connections', () => {
  it('are answered for each of many questions sent at once, cut anywhere', async () => {
    const socket = await connected();
    const stream = Buffer.concat(Array.from({ length: 100 }, (_, id) => framed(question(id))));
    let received = Buffer.alloc(0);
    socket.on('data', (bytes: Buffer) => {
      received = Buffer.concat([received, bytes]);
    });
    for (let at = 0; at < stream.length; at += 7) socket.write(stream.subarray(at, at + 7));
    const ids = await until('all are answered', () => {
      const found: number[] = [];
      for (let at = 0; at + 2 <= received.length; at += 2 + received.readUInt16BE(at)) {
        if (at + 2 + received.readUInt16BE(at) > received.length) break;
        found.push(decode(received.subarray(at + 2, at + 2 + received.readUInt16BE(at))).id ?? -1);
      }
      return found.length === 100 ? found : null;
    });
    expect(ids.sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, id) => id));
    socket.destroy();
  });

  it('do not keep others from an answer when they send half a question, and end', async () => {
    const half = await connected();
    half.write(framed(question(1)).subarray(0, 9));
    expect(await attacker.short('+tcp', 'web')).toEqual(['10.1.0.2']);
    expect(await other.short('+tcp', 'web')).toEqual(['10.1.0.2']);
    await once(half, 'close');
  });

  it('end when a question is longer than any', async () => {
    const socket = await connected();
    socket.write(Buffer.from([0xff, 0xff, 1, 2, 3]));
    await once(socket, 'close');
  });

  it('make room for each other beyond a number, in their own container only', async () => {
    const calm = new Socket({ fd: other.socket('tcp'), manualStart: true } as ConstructorParameters<typeof Socket>[0]);
    calm.connect(53, '127.0.0.11');
    await once(calm, 'connect');
    const sockets: Socket[] = [];
    for (let index = 0; index < 80; index++) sockets.push(await connected());
    await until('the first ones are closed', () => sockets.filter(({ destroyed }) => destroyed).length >= 16);
    const last = sockets.at(-1) as Socket;
    last.write(framed(question(5)));
    const [bytes] = await once(last, 'data');
    expect((bytes as Buffer).readUInt16BE(2)).toBe(5);
    calm.write(framed(question(6)));
    expect(((await once(calm, 'data'))[0] as Buffer).readUInt16BE(2)).toBe(6);
    for (const socket of [...sockets, calm]) socket.destroy();
  });
});
