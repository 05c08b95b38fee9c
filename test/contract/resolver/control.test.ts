/** The program of the build (npm run build), and supervisors that come and go. */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { chmodSync, closeSync, openSync, readdirSync, readlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { decode, encode, type Packet } from 'dns-packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { encodeMessage } from '../../../src/resolver/protocol.ts';
import { enterOwnHost, UNPRIVILEGED, World } from '../../support/resolver/fixture.ts';
import { addressOf, StubServer } from '../../support/resolver/stub-server.ts';
import { until } from '../../support/wait.ts';

enterOwnHost();

let world: World;
const others: World[] = [];

beforeEach(async () => {
  world = await World.start();
});
afterEach(async () => {
  for (const each of [...others.splice(0), world]) await each.remove();
});

/** What the program holds open beside its own, as the kernel names it. */
const sockets = (): string[] =>
  readdirSync(`/proc/${world.resolver.pid}/fd`)
    .map((fd) => readlinkSync(`/proc/${world.resolver.pid}/fd/${fd}`))
    .filter((name) => name.startsWith('socket:'));

describe('a supervisor', () => {
  it('finds what was told to the program by one before it, and the names go on meanwhile', async () => {
    await world.network('n1', { web: '10.1.0.2' });
    await world.client.ask({ kind: 'set-host-servers', digest: 'servers', servers: [] });
    const sandbox = await world.sandbox('s1');
    world.client.close();
    expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
    const { client, hello } = await world.resolver.connect();
    expect(hello).toEqual({
      version: 1,
      pid: world.resolver.pid,
      program: 'test',
      hostServers: 'servers',
      networks: [{ key: 'n1', digest: 'first' }],
      sandboxes: [{ id: 's1', digest: 'first', roles: ['udp', 'tcp'] }],
      relays: [],
    });
    world.client = client;
  });

  it('ends the connection of another that is still there', async () => {
    const { client } = await world.resolver.connect();
    await world.client.closed;
    world.client = client;
    expect(await client.ask({ kind: 'stats' })).toMatchObject({ sandboxes: 0 });
  });

  it('has to be the user that started the program', () => {
    chmodSync(world.resolver.directory, 0o755);
    for (const file of ['control.sock', 'descriptors.sock']) chmodSync(join(world.resolver.directory, file), 0o777);
    const script = `
      const socket = require('node:net').connect(${JSON.stringify(join(world.resolver.directory, 'control.sock'))});
      socket.on('close', () => console.log('closed'));
      socket.on('error', () => undefined);
    `;
    const { stdout } = spawnSync(process.execPath, ['-e', script], {
      uid: UNPRIVILEGED,
      gid: UNPRIVILEGED,
      encoding: 'utf8',
    });
    expect(stdout).toBe('closed\n');
  });

  it('is refused what is not there, and what is no socket of its role; nothing of it stays open', async () => {
    const before = sockets().length;
    const change = {
      key: 'n1',
      from: 'first',
      digest: 'second',
      set: [],
      unset: [],
      setPointers: [],
      unsetPointers: [],
    };
    await expect(world.client.ask({ kind: 'change-network', change })).rejects.toThrow('stale');
    await expect(world.client.ask({ kind: 'give-sockets', id: 's', parcel: 7, roles: ['udp'] })).rejects.toThrow(
      'no-parcel',
    );
    await expect(world.client.give('s', [['udp', openSync('/dev/null', 'r')]])).rejects.toThrow('bad-request');
    const sandbox = await world.sandbox('right');
    await expect(world.client.give('s', [['tcp', sandbox.socket('tcp')]])).rejects.toThrow('bad-request');
    await expect(world.client.give('s', [['dial-udp6', sandbox.socket()]])).rejects.toThrow('bad-request');
    await expect(world.client.ask({ kind: 'dance' } as never)).rejects.toThrow('does not know "dance"');
    await expect(world.client.ask({ kind: 'set-network', network: null } as never)).rejects.toThrow('bad-request');
    await world.client.ask({ kind: 'remove-sandbox', id: 'right' });
    await until('the sockets are closed', () => sockets().length === before);
  });

  it('that says what is no request loses its connection, and the program goes on', async () => {
    const socket = connect(join(world.resolver.directory, 'control.sock'));
    socket.write(Buffer.from([0, 0, 0, 2, 0x5b, 0x5d]));
    await once(socket, 'close');
    const early = connect(join(world.resolver.directory, 'control.sock'));
    early.write(encodeMessage({ id: 1, request: { kind: 'stats' } }));
    const [reply] = await once(early, 'data');
    expect(String(reply)).toContain('hello comes first');
    early.destroy();
    expect(await world.client.ask({ kind: 'stats' })).toMatchObject({ sandboxes: 0 });
  });
});

describe('sockets', () => {
  it('are replaced by those of the same role', async () => {
    await world.network('n1', { web: '10.1.0.2' });
    const sandbox = await world.sandbox('s1');
    const before = sockets().length;
    const { client } = world;
    const taken = await client.take('s1');
    expect(taken.map(([role]) => role)).toEqual(['udp', 'tcp']);
    await client.ask({
      kind: 'set-sandbox',
      sandbox: {
        id: 's1',
        digest: 'second',
        scope: null,
        networks: ['n1'],
        aliases: [],
        ndots: null,
        forwarding: { from: 'nowhere' },
      },
    });
    await client.give('s1', taken);
    await client.give('s1', [['dial-udp4', sandbox.socket()]]);
    await client.give('s1', [
      ['dial-udp4', sandbox.socket()],
      ['dial-udp4', sandbox.socket()],
    ]);
    expect(sockets().length).toBe(before + 2);
    expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
    expect(await sandbox.short('+tcp', 'web')).toEqual(['10.1.0.2']);
  });

  it('go from one program to the next without a lost question', async () => {
    await world.network('n1', { web: '10.1.0.2' });
    const sandbox = await world.sandbox('s1');
    const next = await World.start('next');
    others.push(next);
    await next.network('n1', { web: '10.1.0.9' });
    await next.client.ask({
      kind: 'set-sandbox',
      sandbox: {
        id: 's1',
        digest: 'first',
        scope: null,
        networks: ['n1'],
        aliases: [],
        ndots: null,
        forwarding: { from: 'nowhere' },
      },
    });
    const socket = createSocket('udp4');
    socket.bind({ fd: sandbox.socket() });
    const answers = new Map<number, string>();
    socket.on('message', (bytes) => {
      const { id, answers: records } = decode(bytes);
      answers.set(id ?? -1, String((records?.[0] as { data?: unknown } | undefined)?.data));
    });
    let sent = 0;
    const ask = () => {
      const packet = { type: 'query', id: sent++, flags: 0x100, questions: [{ type: 'A', name: 'web' }] } as Packet;
      socket.send(encode(packet), 53, '127.0.0.11');
    };
    const asking = setInterval(ask, 1);
    await until('questions are answered', () => answers.size > 20);
    const taken = await world.client.take('s1');
    const atTaken = sent;
    await until('questions wait', () => sent > atTaken + 20);
    await next.client.give('s1', taken);
    await until(
      'the next program answers',
      () => [...answers.values()].filter((data) => data === '10.1.0.9').length > 40,
    );
    clearInterval(asking);
    await until('all are answered', () => answers.size === sent);
    expect(new Set(answers.values())).toEqual(new Set(['10.1.0.2', '10.1.0.9']));
    socket.close();
    await world.client.ask({ kind: 'end' });
    expect(await world.resolver.ended).toBe(0);
  });
});

it('a question that waits for a server is answered by the program that has read it', async () => {
  const held: (() => void)[] = [];
  const server = new StubServer('127.0.0.53', (asked, send) => {
    held.push(() => send(addressOf(asked, '192.0.2.1')));
    return [];
  });
  await world.client.ask({ kind: 'set-host-servers', digest: 's', servers: [{ address: '127.0.0.53', port: 53 }] });
  const sandbox = await world.sandbox('s1', { forwarding: { from: 'host' } });
  const answered = sandbox.short('slow.test');
  await until('it is asked', () => held.length > 0);
  const taken = await world.client.take('s1');
  await world.client.ask({ kind: 'end' });
  for (const send of held) send();
  expect(await answered).toEqual(['192.0.2.1']);
  expect(await world.resolver.ended).toBe(0);
  for (const [, fd] of taken) closeSync(fd);
  server.close();
});

it('a program that ends lets its connection go, and says how it is started', async () => {
  await world.client.ask({ kind: 'end' });
  expect(await world.resolver.ended).toBe(0);
  const run = (...args: string[]) => spawnSync(process.execPath, ['dist/resolver.js', ...args], { encoding: 'utf8' });
  expect(run('--help').stdout).toContain('Example: node dist/resolver.js --program');
  expect(run()).toMatchObject({ status: 1, stderr: expect.stringContaining('--program is missing') });
  expect(run('--program', 'x').stderr).toContain('another user');
});

it('a program that no supervisor knows ends, unless it has sockets', async () => {
  const other = await World.start('test', [], ['--unused-ms', '20']);
  others.push(other);
  await other.network('n1', { web: '10.1.0.2' });
  const sandbox = await other.sandbox('s1');
  other.client.close();
  expect(await sandbox.short('web')).toEqual(['10.1.0.2']);
  const { client, hello } = await other.resolver.connect();
  other.client = client;
  expect(hello.pid).toBe(other.resolver.pid);
  await client.ask({ kind: 'remove-sandbox', id: 's1' });
  expect(await client.ask({ kind: 'stats' })).toMatchObject({ sandboxes: 0 });
  client.close();
  expect(await other.resolver.ended).toBe(0);
});

it('a program that gets a namespace by mistake does not keep it open', async () => {
  const namespace = openSync('/proc/self/ns/net', 'r');
  const careless = await World.start('careless', [namespace]);
  others.push(careless);
  const { pid } = careless.resolver;
  const held = readdirSync(`/proc/${pid}/fd`).map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`));
  expect(held).not.toContain(readlinkSync(`/proc/self/fd/${namespace}`));
  closeSync(namespace);
});
