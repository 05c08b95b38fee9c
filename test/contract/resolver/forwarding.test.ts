/** The program of the build (npm run build), with servers on its host and inside sandboxes. */
import { execFileSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { Socket } from 'node:net';
import { decode, encode, type Packet } from 'dns-packet';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { enterOwnHost, type TestSandbox, UNPRIVILEGED, World } from '../../support/resolver/fixture.ts';
import { addressOf, replyTo, StubServer, withCode } from '../../support/resolver/stub-server.ts';
import { until } from '../../support/wait.ts';

enterOwnHost();

const NXDOMAIN = 3;
const SERVFAIL = 2;
const REFUSED = 5;
/** May change the limits of the program. */
const SAME_USER = { uid: UNPRIVILEGED, gid: UNPRIVILEGED };

let world: World;
const servers: StubServer[] = [];
let serial = 0;

beforeAll(async () => {
  world = await World.start();
  await world.network('n1', { web: '10.1.0.2' });
});
afterAll(() => world.remove());
afterEach(() => {
  for (const server of servers.splice(0)) server.close();
});

function serve(address: string, handler: ConstructorParameters<typeof StubServer>[1]): StubServer {
  const server = new StubServer(address, handler);
  servers.push(server);
  return server;
}

/** A sandbox whose other questions go to these servers of the host. */
async function forwarded(...addresses: readonly string[]): Promise<TestSandbox> {
  const digest = `servers-${serial++}`;
  const list = addresses.map((address) => ({ address, port: 53 }));
  await world.client.ask({ kind: 'set-host-servers', digest, servers: list });
  return world.sandbox(`host-${serial}`, { forwarding: { from: 'host' } });
}

describe('questions for names outside', () => {
  it('go to the servers of the host, at its loopback too, and come back byte for byte', async () => {
    const data = Buffer.from('000100000100060268330268320004000401010101', 'hex');
    const server = serve('127.0.0.53', (asked) => {
      const type = asked.bytes.readUInt16BE(asked.bytes.indexOf(0, 12) + 1);
      if (type !== 65) return [addressOf(asked, '192.0.2.1')];
      const reply = replyTo(asked);
      const fixed = Buffer.from('c00c00410001000000640000', 'hex');
      fixed.writeUInt16BE(data.length, 10);
      reply.writeUInt16BE(1, 6);
      return [Buffer.concat([reply, fixed, data])];
    });
    const sandbox = await forwarded('127.0.0.53');
    expect(await sandbox.short('example.com')).toEqual(['192.0.2.1']);
    expect(await sandbox.short('single')).toEqual(['192.0.2.1']);
    expect((await sandbox.short('+unknownformat', 'example.com', 'HTTPS')).join('')).toContain(
      '000100000100060268330268320004000401010101',
    );
    expect(server.names).toEqual(['example.com', 'single', 'example.com']);
    expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
  });

  it('go to the next server when one refuses, fails or is not there', async () => {
    const bad = serve('127.0.1.1', (asked) => [
      withCode(asked, asked.packet.questions?.[0]?.name === 'a.test' ? REFUSED : SERVFAIL),
    ]);
    serve('127.0.1.3', (asked) => [addressOf(asked, '192.0.2.3')]);
    const sandbox = await forwarded('127.0.1.1', '127.0.1.2', '127.0.1.3');
    expect(await sandbox.short('a.test')).toEqual(['192.0.2.3']);
    expect(await sandbox.short('b.test')).toEqual(['192.0.2.3']);
    expect(await sandbox.short('+tcp', 'c.test')).toEqual(['192.0.2.3']);
    expect(bad.names).toEqual(['a.test', 'b.test', 'c.test']);
  });

  it('go to the next server when one is silent, and to three at most', async () => {
    const silent = serve('127.0.1.1', () => []);
    serve('127.0.1.2', (asked) => [addressOf(asked, '192.0.2.2')]);
    const sandbox = await forwarded('127.0.1.1', '127.0.1.2');
    expect(await sandbox.short('silent.test')).toEqual(['192.0.2.2']);
    // It was asked a second time, in case the first was lost.
    expect(silent.names).toEqual(['silent.test', 'silent.test']);
    const four = await forwarded('127.0.1.9', '127.0.1.9', '127.0.1.9', '127.0.1.2');
    expect(await four.dig('four.test')).toContain('status: SERVFAIL');
  });

  it('are at their end with "no such name"', async () => {
    serve('127.0.1.1', (asked) => [withCode(asked, NXDOMAIN)]);
    const second = serve('127.0.1.2', (asked) => [addressOf(asked, '192.0.2.2')]);
    const sandbox = await forwarded('127.0.1.1', '127.0.1.2');
    expect(await sandbox.dig('none.test')).toContain('status: NXDOMAIN');
    expect(second.names).toEqual([]);
  });

  it('keep the transport of the client: what is cut over UDP is asked again by TCP', async () => {
    const many = Array.from({ length: 80 }, (_, index) => `192.0.2.${index + 1}`);
    const server = serve('127.0.1.1', (asked) =>
      asked.transport === 'tcp' ? [addressOf(asked, ...many)] : [replyTo(asked, { flags: 0x0380 })],
    );
    const sandbox = await forwarded('127.0.1.1');
    expect(await sandbox.short('+noedns', 'large.test')).toHaveLength(80);
    expect(server.asked.map(({ transport }) => transport)).toEqual(['udp', 'tcp']);
  });

  it('fail where there is no server, or none may be asked; names of networks are answered all the same', async () => {
    const none = await forwarded();
    expect(await none.dig('example.com')).toContain('status: SERVFAIL');
    const inner = await world.sandbox('inner', { forwarding: { from: 'nowhere' } });
    serve('127.0.1.1', (asked) => [addressOf(asked, '192.0.2.1')]);
    await world.client.ask({ kind: 'set-host-servers', digest: 'x', servers: [{ address: '127.0.1.1', port: 53 }] });
    expect(await inner.dig('example.com')).toContain('status: SERVFAIL');
    expect(await inner.short('web')).toEqual(['10.1.0.2']);
    const sandbox = {
      id: 'inner',
      digest: 'second',
      scope: null,
      networks: ['n1'],
      aliases: [],
      ndots: null,
      forwarding: { from: 'host' },
    } as const;
    await world.client.ask({ kind: 'set-sandbox', sandbox });
    expect(await inner.short('example.com')).toEqual(['192.0.2.1']);
    expect(await inner.short('web')).toEqual(['10.1.0.2']);
  });

  it('of short names stay inside where the user has set ndots', async () => {
    const server = serve('127.0.1.1', (asked) => [addressOf(asked, '192.0.2.1')]);
    await forwarded('127.0.1.1');
    const sandbox = await world.sandbox('ndots', { forwarding: { from: 'host' }, ndots: 2 });
    const text = await sandbox.dig('short');
    expect(text).toContain('status: NOERROR');
    expect(text).toContain('ANSWER: 0');
    expect(await sandbox.short('long.name')).toEqual(['192.0.2.1']);
    expect(server.names).toEqual(['long.name']);
  });
});

/** Answers by the id of their question, as they come. */
class Answers extends Map<number, readonly string[]> {
  readonly take = (bytes: Buffer): void => {
    const { id = 0, answers = [] } = decode(bytes);
    this.set(
      id,
      answers.map((each) => ('data' in each ? String(each.data) : '')),
    );
  };
}

const asking = (id: number, name: string): Buffer =>
  encode({ type: 'query', id, flags: 0x100, questions: [{ type: 'A', name }] } as Packet);

/** Asks while the program may open nothing; it may again when it has read the question, as another one behind it shows. */
async function asksWithoutDescriptors(name: string, send: (bytes: Buffer) => void, answers: Answers): Promise<void> {
  const limit = (soft: string) =>
    execFileSync('prlimit', ['--pid', `${world.resolver.pid}`, `--nofile=${soft}:`], SAME_USER);
  const before = /^Max open files\s+(\d+)/m.exec(readFileSync(`/proc/${world.resolver.pid}/limits`, 'utf8'))?.[1];
  limit('3');
  try {
    send(asking(1, name));
    send(asking(2, 'web'));
    await until('the second is answered', () => answers.has(2));
    expect(answers.has(1)).toBe(false);
  } finally {
    limit(before ?? '');
  }
  await until('the first is answered', () => answers.has(1));
}

describe('questions that find no descriptor left are sent when there is one again', () => {
  it('to servers of the host', async () => {
    serve('127.0.0.61', (asked) => [addressOf(asked, '192.0.2.61')]);
    // The sockets that others have used are taken: none of them waits.
    const fresh = await World.start();
    const [before, answers] = [world, new Answers()];
    world = fresh;
    try {
      await world.network('n1', { web: '10.1.0.2' });
      const sandbox = await forwarded('127.0.0.61');
      const socket = createSocket('udp4');
      socket.on('message', answers.take);
      socket.bind({ fd: sandbox.socket() });
      await asksWithoutDescriptors('udp.test', (bytes) => socket.send(bytes, 53, '127.0.0.11'), answers);
      expect(answers.get(1)).toEqual(['192.0.2.61']);
      socket.close();
    } finally {
      world = before;
      await fresh.remove();
    }
  });

  it('to servers of a container, by TCP', async () => {
    const forwarding = { from: 'inside', servers: [{ address: '127.0.0.1', port: 53 }] } as const;
    const sandbox = await world.sandbox('without', { forwarding }, ['dial-tcp4']);
    sandbox.inside(() => serve('127.0.0.1', (asked) => [addressOf(asked, '192.0.2.1')]));
    const options = { fd: sandbox.socket('tcp'), manualStart: true };
    const socket = new Socket(options as ConstructorParameters<typeof Socket>[0]);
    const answers = new Answers();
    socket.on('data', (bytes: Buffer) => {
      for (let at = 0; at < bytes.length; at += 2 + bytes.readUInt16BE(at)) {
        answers.take(bytes.subarray(at + 2, at + 2 + bytes.readUInt16BE(at)));
      }
    });
    socket.connect(53, '127.0.0.11');
    const send = (bytes: Buffer) => socket.write(Buffer.concat([Buffer.from([0, bytes.length]), bytes]));
    // It is taken while there are descriptors.
    send(asking(3, 'web'));
    await until('the connection is served', () => answers.has(3));
    await asksWithoutDescriptors('tcp.test', send, answers);
    expect(answers.get(1)).toEqual(['192.0.2.1']);
    socket.destroy();
  });
});

describe('servers of a container itself', () => {
  const ROLES = ['dial-udp4', 'dial-udp4', 'dial-tcp4', 'dial-udp6', 'dial-tcp6'] as const;

  it('are asked from inside its sandbox, by UDP and TCP, over and over by the same sockets', async () => {
    const elsewhere = serve('127.0.0.1', (asked) => [addressOf(asked, '192.0.2.66')]);
    const forwarding = { from: 'inside', servers: [{ address: '127.0.0.1', port: 53 }] } as const;
    const sandbox = await world.sandbox('inside', { forwarding }, ROLES);
    const inside = sandbox.inside(() => serve('127.0.0.1', (asked) => [addressOf(asked, '192.0.2.1')]));
    for (let round = 0; round < 6; round++) {
      expect(await sandbox.short(`u${round}.test`)).toEqual(['192.0.2.1']);
      expect(await sandbox.short('+tcp', `t${round}.test`)).toEqual(['192.0.2.1']);
    }
    expect(elsewhere.asked).toEqual([]);
    expect(
      new Set(inside.asked.filter(({ transport }) => transport === 'udp').map(({ port }) => port)).size,
    ).toBeGreaterThan(3);
  });

  it('are reached over IPv6 too', async () => {
    const forwarding = { from: 'inside', servers: [{ address: '::1', port: 53 }] } as const;
    const sandbox = await world.sandbox('inside6', { forwarding }, ROLES);
    sandbox.inside(() => serve('::1', (asked) => [addressOf(asked, '192.0.2.6')]));
    expect(await sandbox.short('six.test')).toEqual(['192.0.2.6']);
    expect(await sandbox.short('+tcp', 'six-tcp.test')).toEqual(['192.0.2.6']);
  });

  it('have their answers kept for that container alone', async () => {
    const forwarding = { from: 'inside', servers: [{ address: '127.0.0.1', port: 53 }] } as const;
    for (const [id, address] of [
      ['one', '192.0.2.1'],
      ['two', '192.0.2.2'],
    ] as const) {
      const sandbox = await world.sandbox(id, { forwarding }, ROLES);
      sandbox.inside(() => serve('127.0.0.1', (asked) => [addressOf(asked, address)]));
      expect(await sandbox.short('same.test')).toEqual([address]);
      expect(await sandbox.short('same.test')).toEqual([address]);
    }
    expect(servers.map(({ names }) => names)).toEqual([['same.test'], ['same.test']]);
  });

  it('never are this resolver itself', async () => {
    const forwarding = { from: 'inside', servers: [{ address: '127.0.0.11', port: 53 }] } as const;
    const sandbox = await world.sandbox('circle', { forwarding }, ROLES);
    expect(await sandbox.dig('circle.test')).toContain('status: SERVFAIL');
  });
});

describe('answers of servers', () => {
  it('are kept as long as they say, and asked for once when many want the same', async () => {
    const held: (() => void)[] = [];
    const server = serve('127.0.1.1', (asked) => {
      held.push(() => undefined);
      return [addressOf(asked, '192.0.2.1')];
    });
    const sandbox = await forwarded('127.0.1.1');
    const before = await world.client.ask({ kind: 'stats' });
    const all = await Promise.all(Array.from({ length: 8 }, () => sandbox.short('+noedns', 'same.test')));
    expect(all.flat()).toEqual(Array(8).fill('192.0.2.1'));
    expect(server.names).toEqual(['same.test']);
    const after = await world.client.ask({ kind: 'stats' });
    expect(after.forwarded - before.forwarded).toBe(1);
    expect(after.cacheBytes).toBeGreaterThan(0);
    await forwarded('127.0.1.1');
    expect((await world.client.ask({ kind: 'stats' })).cacheBytes).toBeLessThan(after.cacheBytes);
  });

  it('are not taken with another id, another question, or from another address', async () => {
    const spoofer = createSocket('udp4');
    const server = serve('127.0.1.1', (asked) => {
      const wrongId = addressOf(asked, '192.0.2.66');
      wrongId.writeUInt16BE((wrongId.readUInt16BE(0) + 1) & 0xffff, 0);
      const other = {
        ...asked,
        packet: { ...asked.packet, questions: [{ type: 'A', class: 'IN', name: 'evil.test' }] },
      } as typeof asked;
      const right = addressOf(asked, '192.0.2.66');
      spoofer.send(right, asked.port, '127.0.0.1');
      const noAnswer = addressOf(asked, '192.0.2.66');
      noAnswer.writeUInt16BE(noAnswer.readUInt16BE(2) & 0x7fff, 2);
      return [
        wrongId,
        addressOf(other, '192.0.2.66'),
        noAnswer,
        Buffer.alloc(3),
        Buffer.alloc(0),
        addressOf(asked, '192.0.2.1'),
      ];
    });
    const sandbox = await forwarded('127.0.1.1');
    const before = await world.client.ask({ kind: 'stats' });
    for (let round = 0; round < 10; round++) expect(await sandbox.short(`r${round}.test`)).toEqual(['192.0.2.1']);
    spoofer.close();
    const after = await world.client.ask({ kind: 'stats' });
    expect(after.distrusted - before.distrusted).toBeGreaterThanOrEqual(40);
    const ports = new Set(server.asked.map(({ port }) => port));
    const ids = new Set(server.asked.map(({ packet }) => packet.id));
    expect(ports.size).toBeGreaterThan(5);
    expect(ids.size).toBeGreaterThan(5);
  });

  it('that are larger than the client takes are cut', async () => {
    const many = Array.from({ length: 60 }, (_, index) => `192.0.2.${index + 1}`);
    serve('127.0.1.1', (asked) => [addressOf(asked, ...many)]);
    const sandbox = await forwarded('127.0.1.1');
    expect(await sandbox.dig('+noedns', '+ignore', 'cut.test')).toMatch(/flags: qr tc rd ra/);
    expect(await sandbox.short('+noedns', 'cut.test')).toHaveLength(60);
  });

  it('are waited for by 1,024 questions of a container at most, while others are answered', async () => {
    serve('127.0.1.1', () => []);
    const flooder = await forwarded('127.0.1.1');
    const other = await world.sandbox('calm', {});
    const socket = createSocket('udp4');
    let failed = 0;
    socket.on('message', (bytes) => {
      if ((bytes.readUInt16BE(2) & 15) === SERVFAIL) failed++;
    });
    const fd = flooder.socket();
    socket.bind({ fd });
    let sent = 0;
    while (failed < 100) {
      for (let index = 0; index < 50; index++) {
        const packet = {
          type: 'query',
          id: sent & 0xffff,
          flags: 0x100,
          questions: [{ type: 'A', name: `q${sent++}.test` }],
        } as Packet;
        socket.send(encode(packet), 53, '127.0.0.11');
      }
      await new Promise(setImmediate);
    }
    const { waiting } = await world.client.ask({ kind: 'stats' });
    expect(waiting).toBe(1024);
    expect(await other.short('web')).toEqual(['10.1.0.2']);
    socket.close();
    await world.client.ask({ kind: 'remove-sandbox', id: flooder.id });
    await until('they are given up', async () => (await world.client.ask({ kind: 'stats' })).waiting === 0, 60_000);
  });
});
