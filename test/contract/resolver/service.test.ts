/** A supervisor finds, replaces and feeds its resolver, and what goes wrong in between. The program is that of the build. */
import { closeSync, readdirSync, readlinkSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { systemTimers } from '../../../src/engine/timers.ts';
import { connectTo, listenAt } from '../../../src/ffi/sockets/sockets.ts';
import type { Timers } from '../../../src/model/clock.ts';
import { findResolvers } from '../../../src/supervisor/resolver/resolver-adoption.ts';
import { ResolverLink, UnseenError } from '../../../src/supervisor/resolver/resolver-link.ts';
import { enterOwnHost, type TestSandbox } from '../../support/resolver/fixture.ts';
import { LOOK_MS, ServiceHost } from '../../support/resolver/service.ts';
import { addressOf, StubServer } from '../../support/resolver/stub-server.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';
import { until } from '../../support/wait.ts';

enterOwnHost();

const newDirectory = temporaryDirectories('resolver');
let host: ServiceHost;

beforeEach(() => {
  host = new ServiceHost(newDirectory());
});
afterEach(() => host.remove());

const finds = (sandbox: TestSandbox, name: string, address: string) =>
  until(`${name} leads to ${address}`, async () => (await sandbox.short(name)).join() === address);

/** Does something with each request that comes, by its kind. */
const onRequest = (body: string): string => `{
  const parse = JSON.parse;
  JSON.parse = (text, ...more) => {
    const message = parse(text, ...more);
    const request = message?.request;
    if (request) { ${body} }
    return message;
  };
}`;

it('a take-over that ends in the middle is taken up again: all are answered, by one program', async () => {
  const dying = onRequest(`
    globalThis.taken = (globalThis.taken ?? 0) + (request.kind === 'take-sockets' ? 1 : 0);
    if (globalThis.taken === 2) process.kill(process.pid, 'SIGKILL');
  `);
  const askers = ['web', 'db', 'cache'].map((name) => host.add(name));
  const first = await host.start(host.program('dying', dying));
  const before = await host.running(first);
  for (const asker of askers) await finds(asker, 'db', '10.0.0.3');
  const second = await host.start('dist/resolver.js');
  await until('another one runs', () => ![null, before].includes(second.view().pid));
  for (const asker of askers) await finds(asker, 'db', '10.0.0.3');
  expect(host.pids).toEqual([second.view().pid]);
  expect(askers.map(({ id }) => second.problemOf(id))).toEqual([null, null, null]);
});

it('has the state of a container before its sockets, also where a look comes between record and hand-over', async () => {
  const strict = onRequest(`
    globalThis.known = globalThis.known ?? new Set();
    if (request.kind === 'set-sandbox') globalThis.known.add(request.sandbox.id);
    if (request.kind === 'give-sockets' && !globalThis.known.has(request.id)) process.kill(process.pid, 'SIGKILL');
  `);
  let look = (): void => {};
  const after: Timers['after'] = (ms, task) => {
    if (ms !== LOOK_MS) return systemTimers.after(ms, task);
    look = task;
    return () => undefined;
  };
  const asker = host.add('web');
  const service = await host.start(host.program('strict', strict), { timers: { after } });
  const pid = await host.running(service);
  await finds(asker, 'web', '10.0.0.2');
  const late = host.add('late');
  expect(service.serve(late.id)).toBe(true);
  look();
  await finds(late, 'web', '10.0.0.2');
  expect(service.view()).toMatchObject({ pid, restarts: 0 });
});

it('a resolver that cannot be looked at stays, with its directory', async () => {
  const asker = host.add('web');
  const pid = await host.running(await host.start('dist/resolver.js'));
  await finds(asker, 'web', '10.0.0.2');
  await host.leave();
  const [directory = ''] = host.places.list();
  const socket = join(directory, 'control.sock');
  renameSync(socket, `${socket}.away`);
  symlinkSync('control.sock', socket);
  await expect(findResolvers(host.parts)).rejects.toBeInstanceOf(UnseenError);
  expect([host.pids, host.places.list()]).toEqual([[pid], [directory]]);
  rmSync(socket);
  renameSync(`${socket}.away`, socket);
  const [found] = await findResolvers(host.parts);
  expect(found?.process.pid).toBe(pid);
  found?.link.close();
  expect(await asker.short('web')).toEqual(['10.0.0.2']);
});

it('a queue of connections that is full is waited for', async () => {
  const directory = newDirectory();
  const path = join(directory, 'control.sock');
  const listener = listenAt(path, 0);
  const waiting = connectTo(path);
  expect(() => connectTo(path)).toThrow('connect');
  let waits = 0;
  const timers = {
    after: (ms: number, task: () => void) => {
      if (++waits === 2) closeSync(listener);
      return systemTimers.after(ms, task);
    },
  };
  // Where it is closed, nobody listens any more.
  await expect(ResolverLink.open(directory, timers)).rejects.toMatchObject({ class: 'not-found' });
  expect(waits).toBe(2);
  closeSync(waiting);
});

it('containers on a network that is not known yet keep their names, and follow changes when it is', async () => {
  const [web, db] = [host.add('web'), host.add('db')];
  const pid = await host.running(await host.start('dist/resolver.js'));
  await finds(web, 'db', '10.0.0.3');
  const [network] = [...host.networks];
  host.networks.clear();
  const service = await host.start('dist/resolver.js');
  expect(await host.running(service)).toBe(pid);
  // What was decided at its start has been told when this one is answered.
  await until('it has asked', () => service.view().stats !== null);
  expect(await web.short('db')).toEqual(['10.0.0.3']);
  host.networks.set(...(network as NonNullable<typeof network>));
  host.add('late');
  await finds(db, 'late', '10.0.0.4');
  host.records.remove({ id: db.id } as Parameters<typeof host.records.remove>[0]);
  await until('the name goes', async () => (await web.short('db')).length === 0);
});

it('sockets that are refused or cannot be opened are tried again, and the container says so meanwhile', async () => {
  const refusing = onRequest(`
    globalThis.given = (globalThis.given ?? 0) + (request.kind === 'give-sockets' ? 1 : 0);
    if (request.kind === 'give-sockets' && globalThis.given < 4) request.roles = ['tcp'];
  `);
  const asker = host.add('web', { dns: ['127.0.0.1'] });
  const server = asker.inside(() => new StubServer('127.0.0.1', (asked) => [addressOf(asked, '192.0.2.1')]));
  const { network } = host.parts;
  let failures = 2;
  const openSockets: typeof network.openSockets = (id, wanted) => {
    if (failures-- > 0) throw new Error('no descriptor is left');
    return network.openSockets(id, wanted);
  };
  const service = await host.start(host.program('refusing', refusing), { network: { ...network, openSockets } });
  await until('it says so', () => service.problemOf(asker.id)?.includes('not handed over'));
  await finds(asker, 'web', '10.0.0.2');
  await finds(asker, 'outside.test', '192.0.2.1');
  await until('all is well', () => service.problemOf(asker.id) === null);
  server.close();
});

it('sockets for servers of a container stay with the resolver that a new supervisor finds', async () => {
  const asker = host.add('web', { dns: ['127.0.0.1', '::1'] });
  const server = asker.inside(() => new StubServer('127.0.0.1', (asked) => [addressOf(asked, '192.0.2.1')]));
  const pid = await host.running(await host.start('dist/resolver.js'));
  await finds(asker, 'outside.test', '192.0.2.1');
  const sockets = () =>
    readdirSync(`/proc/${pid}/fd`)
      .map((fd) => readlinkSync(`/proc/${pid}/fd/${fd}`))
      .filter((name) => name.startsWith('socket:'));
  const before = sockets();
  const service = await host.start('dist/resolver.js');
  expect(await host.running(service)).toBe(pid);
  await until('it has asked', () => service.view().stats !== null);
  // Two are the connection of the supervisor and its lane.
  expect(sockets().filter((name) => before.includes(name)).length).toBeGreaterThanOrEqual(before.length - 2);
  expect(await asker.short('later.test')).toEqual(['192.0.2.1']);
  server.close();
});
