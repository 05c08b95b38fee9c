import { execFileSync, spawn } from 'node:child_process';
import { closeSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { beforeAll, expect, test } from 'vitest';
import { namespaceId } from '../../../src/ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { RouteChanges, RTMGRP } from '../../../src/ffi/network/route-changes.ts';
import { RulesetGeneration } from '../../../src/ffi/network/ruleset-generation.ts';
import { createNetns, inNetns } from '../../../src/ffi/process/namespaces.ts';
import { enterPrivateHost } from './private-host.ts';

beforeAll(() => {
  enterPrivateHost();
});

const ip = (...args: string[]) => execFileSync('ip', args);
const nft = (command: string) => execFileSync('nft', [command]);

test('only changes of links and addresses are reported, each once', () => {
  const changes = new RouteChanges(RTMGRP.LINK | RTMGRP.IPV4_IFADDR, false);
  try {
    expect(changes.take()).toEqual({ here: false, elsewhere: new Set() });
    for (const change of [
      ['link', 'add', 'tsdq0', 'type', 'bridge'],
      ['addr', 'add', '10.231.9.1/32', 'dev', 'tsdq0'],
      ['link', 'set', 'tsdq0', 'up'],
      ['addr', 'del', '10.231.9.1/32', 'dev', 'tsdq0'],
      ['link', 'del', 'tsdq0'],
    ]) {
      ip(...change);
      expect(changes.take(), change.join(' ')).toMatchObject({ here: true });
      expect(changes.take(), change.join(' ')).toMatchObject({ here: false });
    }
    ip('rule', 'add', 'from', '10.231.9.1', 'table', '100');
    expect(changes.take()).toMatchObject({ here: false });
  } finally {
    changes.close();
  }
});

test('of routes and links, only removals are reported unless more is requested', () => {
  const changes = new RouteChanges(RTMGRP.LINK | RTMGRP.IPV4_ROUTE, true, 'losses');
  const netns = createNetns(() => ip('link', 'set', 'lo', 'up'));
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    const elsewhere = new Set([namespaceId(socket, netns)]);
    const inside = (...args: string[]) => inNetns(netns, () => ip(...args));
    const none = { here: false, elsewhere: new Set() };
    ip('link', 'add', 'tsdq0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', `/proc/${process.pid}/fd/${netns}`);
    ip('link', 'set', 'tsdq0', 'up');
    inside('link', 'set', 'eth0', 'up');
    inside('link', 'set', 'eth0', 'mtu', '1400');
    // All of which is part of making and repairing an interface.
    expect(changes.take()).toEqual(none);
    inside('link', 'set', 'eth0', 'down');
    expect(changes.take()).toEqual({ here: false, elsewhere });
    inside('link', 'set', 'eth0', 'up');
    expect(changes.take()).toEqual(none);
    inside('route', 'add', 'blackhole', '10.231.9.0/24');
    expect(changes.take()).toEqual(none);
    inside('route', 'delete', 'blackhole', '10.231.9.0/24');
    expect(changes.take()).toEqual({ here: false, elsewhere });
    ip('link', 'delete', 'tsdq0');
    expect(changes.take()).toEqual(none);
  } finally {
    changes.close();
    socket.close();
    closeSync(netns);
  }
});

test("an overflow of the kernel's change queue is reported", () => {
  const changes = new RouteChanges(RTMGRP.IPV4_IFADDR, false);
  try {
    const all = Array.from({ length: 4000 }, (_, n) => `addr add 10.231.${n >> 8}.${n & 255}/32 dev lo`);
    execFileSync('ip', ['-batch', '-'], { input: all.join('\n') });
    expect(changes.take()).toBeNull();
    expect(changes.take()).toMatchObject({ here: false });
  } finally {
    changes.close();
  }
});

test('the generation of the rules changes with every change by any process', () => {
  const generation = new RulesetGeneration();
  try {
    const seen = [generation.read()];
    expect(generation.read()).toBe(seen[0]);
    for (const change of [
      'add table ip tsdq',
      'add set ip tsdq s { type inet_service; }',
      'add element ip tsdq s { 80 }',
      'delete table ip tsdq',
    ]) {
      nft(change);
      const now = generation.read();
      expect(seen, change).not.toContain(now);
      seen.push(now);
    }
    expect(generation.read()).toBe(seen.at(-1));
  } finally {
    generation.close();
  }
});

/** In a process of its own: signals are the main thread's. */
const LISTENS = `
const { onArrivals } = await import('./src/ffi/network/arrivals.ts');
const { RouteChanges, RTMGRP } = await import('./src/ffi/network/route-changes.ts');
const { RulesetGeneration } = await import('./src/ffi/network/ruleset-generation.ts');
const changes = new RouteChanges(RTMGRP.IPV4_IFADDR, false);
const rules = new RulesetGeneration();
onArrivals(() => {
  const { here } = changes.take();
  process.stdout.write(here ? 'address\\n' : 'rules ' + rules.read() + '\\n');
});
process.stdout.write('ready\\n');
setTimeout(() => {}, 60_000);
`;

test('a process is told of changes when they happen, without asking', async () => {
  const root = join(import.meta.dirname, '../../..');
  const typescript = join(root, 'test/support/run-typescript.mjs');
  const child = spawn(process.execPath, ['--import', typescript, '--input-type=module', '-e', LISTENS], {
    cwd: root,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  const next = async (): Promise<string> => String((await lines.next()).value);
  try {
    expect(await next()).toBe('ready');
    ip('addr', 'add', '10.231.99.2/32', 'dev', 'lo');
    expect(await next()).toBe('address');
    nft('add table inet tsd-heard');
    expect(await next()).toMatch(/^rules \d+$/);
    nft('delete table inet tsd-heard');
    expect(await next()).toMatch(/^rules \d+$/);
  } finally {
    child.kill();
    ip('addr', 'del', '10.231.99.2/32', 'dev', 'lo');
  }
});
