/** Ports at ::1 and [::], which the kernel cannot translate: relayed while the supervisor is away, and after their relay died. */

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { appendFileSync, readdirSync, readlinkSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bindSocket } from '../../src/drivers/network/bound-socket.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { inNetworkOf } from '../support/names.ts';
import { otherBuild } from '../support/other-build.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
const sockets: Socket[] = [];

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await supervisor.destroy();
});

const resolvers = () => supervisor.resolvers();

async function ready(name: string) {
  const view = await supervisor.waitFor(name, 'ready', (found) => found.ready);
  return { ...view, pid: view.pid ?? 0 };
}

async function fetched(host: string, port: number): Promise<string> {
  const socket = connect({ host, port });
  sockets.push(socket);
  await once(socket, 'connect');
  socket.write('GET / HTTP/1.0\r\n\r\n');
  return (await text(socket)).split('\r\n\r\n')[1] ?? '';
}

const answers = (host: string, port: number, word: string) =>
  until(`[${host}]:${port} answers`, async () => (await fetched(host, port).catch(() => '')) === `${word}\n`);

const refused = async (host: string, port: number): Promise<boolean> =>
  await fetched(host, port).then(
    () => false,
    ({ code }: NodeJS.ErrnoException) => code === 'ECONNREFUSED',
  );

const SERVE = shell(`mkdir -p /www; echo here > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`);
/** Answers what it is sent, for as long as a connection is open. */
const ECHO = shell('exec busybox nc -ll -p 80 -e busybox cat');

/** One on every address of the host, one at ::1, on a network with IPv4 alone. */
function serving(any: number, loopback: number, command = SERVE): string {
  return `${BUSYBOX_IMAGE}networks: { back: { ipv6: false } }
containers:
  any: { image: busybox, command: ${command}, network: back, ports: ["${any}:80"] }
  loopback: { image: busybox, command: ${command}, network: back, ports: ["[::1]:${loopback}:80"] }
`;
}

const bothPorts = async () => [await freePort(), await freePort()] as const;

test('they answer while no supervisor runs, and its next start takes the sockets over as they are', async () => {
  const [any, loopback] = await bothPorts();
  supervisor.drop('app.yaml', serving(any, loopback));
  const before = [await ready('any'), await ready('loopback')].map(({ pid }) => pid);
  await answers('::1', any, 'here');
  await answers('::1', loopback, 'here');
  const [relay] = resolvers();
  await supervisor.crash();
  for (const port of [any, loopback]) expect(await fetched('::1', port)).toBe('here\n');
  await supervisor.start();
  for (const port of [any, loopback]) expect(await fetched('::1', port)).toBe('here\n');
  expect(await supervisor.ok('plan')).toBe('Nothing to do.\n');
  expect([await ready('any'), await ready('loopback')].map(({ pid }) => pid)).toEqual(before);
  expect(resolvers()).toEqual([relay]);
  await supervisor.ok('stop', 'loopback');
  await until('nothing listens at [::1]', () => refused('::1', loopback));
  await answers('::1', any, 'here');
});

test('a relay that is killed comes back, with a supervisor and at the start of the next one', async () => {
  const [any, loopback] = await bothPorts();
  supervisor.drop('app.yaml', serving(any, loopback));
  await ready('any');
  await answers('::1', loopback, 'here');
  const [first = 0] = resolvers();
  process.kill(first, 'SIGKILL');
  await until('another one', () => resolvers().some((pid) => pid !== first));
  await answers('::1', loopback, 'here');
  await answers('::1', any, 'here');
  await supervisor.crash();
  for (const pid of resolvers()) process.kill(pid, 'SIGKILL');
  await until('nothing listens', () => refused('::1', loopback));
  await supervisor.start();
  await answers('::1', loopback, 'here');
  await answers('::1', any, 'here');
});

test('a port goes to the next container that wants it, also where the one before was at another address', async () => {
  const [any, loopback] = await bothPorts();
  supervisor.drop('app.yaml', serving(any, loopback));
  await answers('::1', loopback, 'here');
  for (let round = 0; round < 3; round++) {
    await supervisor.ok('restart', 'loopback', 'any');
    await answers('::1', loopback, 'here');
    await answers('::1', any, 'here');
  }
  const third = await freePort();
  supervisor.drop('app.yaml', serving(third, any));
  await answers('::1', third, 'here');
  await answers('::1', any, 'here');
  await until('nothing listens where it was', () => refused('::1', loopback));
  expect((await supervisor.cli('doctor')).stdout).toMatch(/relays 2 ports/);
});

test('a relay of another version hands its sockets over with no refused connection, and ends after those it has', async () => {
  const [any, loopback] = await bothPorts();
  supervisor.drop('app.yaml', serving(any, loopback, ECHO));
  await ready('any');
  const talk = async (socket: Socket, word: string): Promise<string> => {
    socket.write(word);
    const [chunk] = await once(socket, 'data');
    return String(chunk);
  };
  const opened = async (): Promise<Socket> => {
    const socket = connect({ host: '::1', port: loopback });
    sockets.push(socket);
    await once(socket, 'connect');
    return socket;
  };
  await until(
    'it echoes',
    async () =>
      (await opened()
        .then((socket) => talk(socket, 'x'))
        .catch(() => '')) === 'x',
  );
  const long = await opened();
  expect(await talk(long, 'one')).toBe('one');
  const [before] = resolvers();
  await supervisor.crash();
  supervisor.program = otherBuild(supervisor.base, (path) => appendFileSync(path, '// another build\n'));
  const failures: unknown[] = [];
  let [isOver, tried] = [false, 0];
  const trying = (async () => {
    while (!isOver) {
      const socket = await opened().catch((error: unknown) => void failures.push(error));
      if (socket && (await talk(socket, 'y')) !== 'y') failures.push('another answer');
      socket?.destroy();
      tried++;
    }
  })();
  await supervisor.start();
  await until('another relay', () => supervisor.log.includes('handed its sockets to'));
  const after = tried;
  await until('connections after it', () => tried > after + 10);
  isOver = true;
  await trying;
  expect(failures).toEqual([]);
  expect(await talk(long, 'two')).toBe('two');
  expect(resolvers()).toContain(before);
  for (const socket of sockets) socket.destroy();
  await until('the one before has ended', () => !resolvers().includes(before ?? 0));
});

test('datagrams are relayed too', async () => {
  const port = await freePort();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { ipv6: false } }
containers:
  echo: { image: busybox, command: ${FOREVER}, network: back, ports: ["[::1]:${port}:5353/udp"] }
`,
  );
  const { pid } = await ready('echo');
  const server = createSocket('udp4');
  server.on('message', (message, from) => server.send(message, from.port, from.address));
  server.bind({ fd: inNetworkOf(pid, () => bindSocket({ address: '0.0.0.0', port: 5353, protocol: 'udp' })) });
  const client = createSocket('udp6');
  const heard: string[] = [];
  client.on('message', (message) => heard.push(String(message)));
  const answered = (word: string) =>
    until(`${word} comes back`, () => {
      client.send(word, port, '::1');
      return heard.includes(word);
    });
  try {
    await answered('one');
    await supervisor.crash();
    await answered('two');
  } finally {
    client.close();
    server.close();
  }
});

test('a relay holds no descriptor that the supervisor was started with by mistake', async () => {
  await supervisor.stop();
  const careless = new TestSupervisor([], ['bash', '-c', 'exec 30</proc/self/ns/net 31</dev/zero "$0" "$@"']);
  try {
    await careless.start();
    const port = await freePort();
    careless.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${SERVE}, ports: ["[::1]:${port}:80"] }
`,
    );
    await careless.waitFor('web', 'ready', (found) => found.ready);
    await answers('::1', port, 'here');
    const nameOf = (path: string): string[] => {
      try {
        return [readlinkSync(path)];
      } catch {
        // Closed meanwhile, as the one by which the directory was read.
        return [];
      }
    };
    const heldBy = (pid: number) => readdirSync(`/proc/${pid}/fd`).flatMap((fd) => nameOf(`/proc/${pid}/fd/${fd}`));
    expect(heldBy(careless.pid)).toContain('/dev/zero');
    const [pid = 0] = careless.resolvers();
    // Its log, its sockets, and what node opens for itself.
    expect(heldBy(pid).filter((name) => !/^(socket:|anon_inode:|\/dev\/null$|pipe:)/.test(name))).toEqual([
      expect.stringContaining(careless.runDir),
    ]);
    const pipes = (of: number) => heldBy(of).filter((name) => name.startsWith('pipe:'));
    expect(pipes(pid).filter((name) => [...pipes(careless.pid), ...pipes(process.pid)].includes(name))).toEqual([]);
  } finally {
    await careless.destroy();
    await supervisor.start();
  }
});
