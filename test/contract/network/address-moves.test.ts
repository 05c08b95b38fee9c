/** An address moves from one container to another under load: nobody notices but those who open a connection afterwards. */
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { openSync } from 'node:fs';
import { Socket } from 'node:net';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { EndpointConfig, Networks } from '../../../src/drivers/contract/network.ts';
import { NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { Nftables } from '../../../src/ffi/network/nftables.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { macOfAddress } from '../../../src/model/addresses.ts';
import { Load, startServer } from '../../support/load/load.ts';
import { until } from '../../support/wait.ts';
import {
  dial,
  endpoint6,
  enterPrivateHost,
  INSTANCE,
  idOf,
  network6,
  newDriver,
  readAll,
  serveUdp,
  shell,
  start,
  stopServers,
  strayLinks,
  udpClient,
} from './private-host.ts';

const A = '10.231.1.2';
const A6 = 'fd00:231:0:1::2';
const B = '10.231.1.3';
const B6 = 'fd00:231:0:1::3';
const PEER = '10.231.1.9';
const PEER6 = 'fd00:231:0:1::9';
const PORT = 80;

let driver: Networks;
const children: ChildProcess[] = [];
const loads: Load[] = [];

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  driver = newDriver();
  driver.ensureNetwork(network6(1));
});

afterEach(async () => {
  // Connections end while both of their ends can say so: what they do not get rid of keeps a namespace.
  for (const load of loads.splice(0)) await load.end();
  for (const child of children.splice(0)) {
    child.kill('SIGKILL');
    await once(child, 'exit');
  }
  stopServers();
  for (const name of ['old', 'new', 'peer', 'third']) driver.detach(idOf(name));
  driver.removeNetwork(network6(1).key);
  driver.close();
  await until('no interface is left', () => strayLinks().length === 0);
  expect(shell('nft list ruleset')).toBe('');
});

const OLD = endpoint6('old', 1, 2);
const NEW = endpoint6('new', 1, 3);

/** The successor at the address of its predecessor: its own stays beside, and so does its MAC. */
function successor(changes: Partial<EndpointConfig> = {}): EndpointConfig {
  const former = { ipv4: `${B}/24`, ipv6: `${B6}/64` };
  return { ...NEW, ipv4: OLD.ipv4, ipv6: OLD.ipv6, former, ...changes };
}

async function serving(config: EndpointConfig, name: string): Promise<number> {
  const netns = start(driver, config);
  children.push(await startServer(netns, name, PORT));
  return netns;
}

function loadFrom(netnsFd: number | null, rate: number, open: number, addresses: readonly string[] = [A, A6]): Load {
  const load = new Load(netnsFd, { port: PORT, rate, open, addresses });
  loads.push(load);
  return load;
}

const moveTables = (): string[] =>
  shell('nft list tables')
    .split('\n')
    .filter((line) => line.includes(`tsd-${INSTANCE}-move`));
const inside = (netns: number, command: string): string => inNetns(netns, () => shell(command));
const macAtPeer = (netns: number): string => /lladdr (\S+)/.exec(inside(netns, `ip neigh show ${A}`))?.[1] ?? '';

describe('an address moves', () => {
  test('under 200 new connections a second and 20 open ones, of a neighbour and of the host: none fails', async () => {
    await serving(OLD, 'old');
    await serving(NEW, 'new');
    const peer = start(driver, endpoint6('peer', 1, 9));
    const clients = [loadFrom(peer, 100, 10), loadFrom(null, 100, 10)];
    for (const load of clients) {
      await until('all connections are open', async () => ((await load.look()).start?.slow.old ?? 0) >= 10);
      await load.mark('moving');
    }
    driver.handOver(idOf('old'), successor());
    for (const load of clients) await load.mark('moved');
    for (const load of clients) {
      await until('connections that were open go on', async () => {
        const { moved } = await load.look();
        return (moved?.slow.old ?? 0) >= 30 && (moved?.answers.new ?? 0) >= 300;
      });
    }
    for (const [load, sources] of [
      [clients[0], [PEER, PEER6]],
      [clients[1], ['10.231.1.1', 'fd00:231:0:1::1']],
    ] as const) {
      const { start: before, moving, moved } = (await load?.look()) ?? {};
      for (const part of [before, moving, moved]) expect(part).toMatchObject({ failed: [], slowFailed: [] });
      expect(Object.keys(before?.answers ?? {})).toEqual(['old']);
      expect(Object.keys(moved?.answers ?? {})).toEqual(['new']);
      expect(Object.keys(moved?.slow ?? {})).toEqual(['old']);
      expect(Object.keys(moved?.seen ?? {}).sort()).toEqual([...sources].sort());
    }
  }, 60_000);

  test('and leaves nothing behind: when the first one is gone the address is the other one’s alone', async () => {
    start(driver, OLD);
    const next = await serving(NEW, 'new');
    const peer = start(driver, endpoint6('peer', 1, 9));
    inside(peer, `busybox ping -qc 1 -W 5 ${A}`);
    expect(macAtPeer(peer)).toBe(macOfAddress(A));
    driver.handOver(idOf('old'), successor());
    expect(moveTables()).toHaveLength(2);
    // Answers without a choice of the program come from the address; what a program opens meanwhile does not.
    expect(inside(next, `ip route get ${PEER} ipproto udp`)).toContain(`src ${A}`);
    expect(inside(next, `ip route get ${PEER} ipproto tcp`)).toContain(`src ${B}`);
    expect(inside(next, `ip route get ${PEER6} ipproto udp`)).toContain(`src ${A6}`);
    expect(inside(next, `ip route get ${PEER6} ipproto tcp`)).toContain(`src ${B6}`);
    driver.detach(idOf('old'));
    expect(moveTables()).toEqual([]);
    expect(macAtPeer(peer)).toBe(macOfAddress(B));
    expect(inside(next, `ip route get ${PEER} ipproto tcp`)).toContain(`src ${A}`);
    expect(inside(next, `ip route get ${PEER6} ipproto tcp`)).toContain(`src ${A6}`);
    expect(inside(next, 'ip rule; ip -6 rule')).not.toContain('ipproto');
    expect(inside(next, 'ip -o -4 addr show eth0').match(/10\.231\.1\.\d+/g)).toEqual(expect.arrayContaining([A, B]));
    const load = loadFrom(peer, 100, 0);
    await until('answers', async () => ((await load.look()).start?.answers.new ?? 0) > 20);
    expect((await load.look()).start?.failed).toEqual([]);
  });

  test('a connection that says nothing meanwhile stays where it is', async () => {
    await serving(OLD, 'old');
    await serving(NEW, 'new');
    const peer = start(driver, endpoint6('peer', 1, 9));
    const idle = [peer, null].map((from) => new Socket({ fd: dial(from, A, PORT) }));
    driver.handOver(idOf('old'), successor());
    for (const socket of idle) {
      socket.write('GET / HTTP/1.0\r\n\r\n');
      expect(await readAll(socket)).toContain('old');
    }
  });

  test('back again, with the connections of both', async () => {
    await serving(OLD, 'old');
    await serving(NEW, 'new');
    const peer = start(driver, endpoint6('peer', 1, 9));
    const first = loadFrom(peer, 50, 5);
    await until('open', async () => ((await first.look()).start?.slow.old ?? 0) >= 5);
    driver.handOver(idOf('old'), successor());
    const second = loadFrom(peer, 50, 5);
    await until('open', async () => ((await second.look()).start?.slow.new ?? 0) >= 5);
    driver.handOver(idOf('new'), OLD);
    for (const load of [first, second]) await load.mark('back');
    await until('the first goes on', async () => ((await first.look()).back?.slow.old ?? 0) >= 15);
    await until('the second goes on', async () => ((await second.look()).back?.slow.new ?? 0) >= 15);
    for (const load of [first, second]) {
      const { start: before, back } = await load.look();
      for (const part of [before, back]) expect(part).toMatchObject({ failed: [], slowFailed: [] });
      expect(Object.keys(back?.answers ?? {})).toEqual(['old']);
    }
    driver.detach(idOf('new'));
    expect(moveTables()).toEqual([]);
    expect(macAtPeer(peer)).toBe(macOfAddress(A));
  }, 60_000);

  test('datagrams go to the new one at once, unless the old one is answering', async () => {
    const old = start(driver, OLD);
    const next = start(driver, NEW);
    const peer = start(driver, endpoint6('peer', 1, 9));
    serveUdp(old, 53, 'old');
    serveUdp(next, 53, 'new');
    driver.handOver(idOf('old'), successor());
    const client = udpClient(peer, A, 53);
    expect(await client.answer()).toBe('new');
    client.close();
  });
});

/**
 * Does what a supervisor does that is killed right before its call of that number: no later one reaches the kernel. Returns
 * whether it lived to the end.
 */
function dieBefore(step: number, work: () => void): boolean {
  const { request } = NetlinkSocket.prototype;
  const { run } = Nftables.prototype;
  let calls = 0;
  const live = (): void => {
    if (calls++ >= step) throw new Error('killed');
  };
  NetlinkSocket.prototype.request = function dying(this: NetlinkSocket, messages) {
    for (const message of messages) {
      live();
      request.call(this, [message]);
    }
  };
  Nftables.prototype.run = function dying(this: Nftables, what, commands) {
    live();
    return run.call(this, what, commands);
  };
  try {
    work();
  } catch {
    expect(calls).toBeGreaterThan(step);
  } finally {
    NetlinkSocket.prototype.request = request;
    Nftables.prototype.run = run;
  }
  return calls <= step;
}

/** A supervisor that finds the two. */
function laterSupervisor(namespaces: readonly [EndpointConfig, number][]): Networks {
  const later = newDriver();
  later.ensureNetwork(network6(1));
  for (const [config, netns] of namespaces) {
    later.adoptSandbox(config.containerId, openSync(`/proc/self/fd/${netns}`, 'r'));
    later.resume(config);
  }
  return later;
}

/** Who answers what is asked from now on, on connections of their own. */
async function owners(load: Load, name: string): Promise<string[]> {
  await load.mark(name);
  const answers = async () => (await load.look())[name]?.answers ?? {};
  await until('answers', async () => Object.values(await answers()).some((n) => n >= 20));
  return Object.keys(await answers());
}

test('a supervisor killed at any step leaves one owner, and the next one ends the move', async () => {
  const old = await serving(OLD, 'old');
  const peer = start(driver, endpoint6('peer', 1, 9));
  const load = loadFrom(peer, 100, 3);
  await until('open', async () => ((await load.look()).start?.slow.old ?? 0) >= 3);
  const seen = new Set<string>();
  for (let steps = 0, lived = false; !lived; steps++) {
    const next = await serving(NEW, 'new');
    const both: readonly [EndpointConfig, number][] = [
      [OLD, old],
      [NEW, next],
    ];
    const dying = laterSupervisor(both);
    lived = dieBefore(steps, () => dying.handOver(OLD.containerId, successor()));
    dying.close();
    const [owner, ...others] = await owners(load, `dead-${steps}`);
    expect(others).toEqual([]);
    seen.add(owner ?? '');
    const later = laterSupervisor(both);
    expect(await owners(load, `resumed-${steps}`)).toEqual([owner]);
    if (steps % 2 === 0) {
      later.handOver(OLD.containerId, successor());
      expect(await owners(load, `moved-${steps}`)).toEqual(['new']);
      later.handOver(NEW.containerId, OLD);
    }
    // Given up where it was, or taken back: the address is the first one's again.
    later.detach(NEW.containerId);
    expect(moveTables()).toEqual([]);
    later.close();
    driver.detach(NEW.containerId);
    const server = children.pop() as ChildProcess;
    server.kill('SIGKILL');
    await once(server, 'exit');
    expect(await owners(load, `given-up-${steps}`)).toEqual(['old']);
  }
  expect([...seen].sort()).toEqual(['new', 'old']);
  for (const part of Object.values(await load.look())) expect(part).toMatchObject({ slowFailed: [] });
}, 180_000);
