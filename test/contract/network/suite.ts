/** What every network driver promises, as far as its capabilities go. Drivers are opened as a supervisor opens them. */
import { fstatSync, openSync, statSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { EndpointConfig, NetworkConfig, NetworkDriver, Networks } from '../../../src/drivers/contract/network.ts';
import { type CreateNetworkDriver, openNetworks } from '../../../src/drivers/network/open.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { relayHere } from '../../support/relays.ts';
import { until } from '../../support/wait.ts';
import {
  blocked,
  endpoint,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  inMemory,
  network,
  PUBLISHED,
  reaches,
  serve,
  shell,
  start,
  stopServers,
  strayLinks,
} from './private-host.ts';

export interface TestedNetworkDriver {
  readonly create: CreateNetworkDriver;
  readonly capabilities: Omit<NetworkDriver['capabilities'], 'sharedAddresses'> & { readonly networks: boolean };
  /** Options of its networks. Left out, none. */
  readonly options?: NetworkConfig['options'];
  /** Why it cannot be tried on this machine; null when it can. */
  readonly problem?: () => string | null;
}

export function describeNetworkDriver(name: string, tested: TestedNetworkDriver): void {
  const { create, capabilities, options = {} } = tested;
  const problem = tested.problem?.() ?? null;
  if (problem !== null) {
    describe(`network driver ${name}`, () => it.skip(problem));
    return;
  }
  describe(`network driver ${name}`, () => {
    let networks: Networks;

    const open = (): Networks => {
      const instance = { id: INSTANCE, root: '/nonexistent', runDir: '/nonexistent' };
      const context = { instance, iptables: true, ipForward: true, originals: inMemory() };
      const opened = openNetworks({ other: OTHER, [name]: create }, context);
      relayHere(opened);
      return opened;
    };
    const config = (n: number): NetworkConfig => ({ ...network(n), driver: name, options });

    beforeEach(() => {
      networks = open();
    });
    afterEach(async () => {
      stopServers();
      networks.giveBack();
      networks.close();
      await until('no interface is left', () => strayLinks().length === 0);
    });

    it('is found by its name in the registry, works here and says what it can do', () => {
      const driver = networks.driver(name);
      expect({ ...driver.capabilities, networks: driver.connections !== null }).toMatchObject(capabilities);
      expect(driver.fingerprint()).toMatchObject({ works: true, problems: [] });
      expect(() => networks.driver('none of these')).toThrow(expect.objectContaining({ code: 'TSD_DRIVER_UNKNOWN' }));
    });

    it.runIf(capabilities.sandbox)('gives a container a namespace of its own with loopback up', () => {
      const { netnsFd } = networks.createSandbox(idOf('a'));
      expect(fstatSync(netnsFd).ino).not.toBe(statSync('/proc/self/ns/net').ino);
      expect(inNetns(netnsFd, () => shell('ip -o -4 addr show'))).toMatch(/^1: lo +inet 127\.0\.0\.1\/8[^\n]*\n$/);
      expect(networks.createSandbox(idOf('a')).netnsFd).toBe(netnsFd);
      networks.detach(idOf('a'));
      expect(networks.sandbox(idOf('a'))).toBeNull();
    });

    it.runIf(!capabilities.networks)('has no networks', () => {
      expect(() => networks.ensureNetwork(config(1))).toThrow(/has no networks/);
      expect(networks.observe()).toEqual({ networks: new Map(), endpoints: new Map() });
    });

    if (!capabilities.networks) return;

    /** Container `name` at 10.231.1.<host>. */
    const on = (container: string, host: number, changes: Partial<EndpointConfig> = {}) =>
      endpoint(container, 1, host, { ...(!capabilities.ownMac && { mac: null }), ...changes });
    const seen = (container: string) => networks.observe().endpoints.get(idOf(container))?.[0];

    it('connects containers of one network, again and again with the same result', () => {
      for (let times = 0; times < 2; times++) networks.ensureNetwork(config(1));
      const a = start(networks, on('a', 2));
      const b = start(networks, on('b', 3));
      networks.attach(on('a', 2));
      serve(b, 80);
      expect(reaches(a, '10.231.1.3', 80)).toBe(true);
      expect(networks.observe().networks).toEqual(new Map([[config(1).key, { found: true, drift: [] }]]));
      expect(seen('a')).toEqual({
        containerId: idOf('a'),
        network: config(1).key,
        connected: true,
        drift: [],
        ports: [],
      });
      const { container } = networks.driver(name).connections?.interfaces(idOf('a'), config(1).key) ?? {};
      expect(inNetns(a, () => shell(`ip -o -4 addr show ${container}`))).toContain('10.231.1.2/24');
    });

    it('refuses what it does not know: an option, a network, a container without a sandbox', () => {
      const unknown = { ...config(1), options: { ...options, colour: 'red' } };
      expect(() => networks.ensureNetwork(unknown)).toThrow(expect.objectContaining({ class: 'invalid' }));
      const precondition = expect.objectContaining({ class: 'precondition' });
      expect(() => networks.attach(on('a', 2))).toThrow(precondition);
      networks.ensureNetwork(config(1));
      expect(() => networks.attach(on('a', 2))).toThrow(precondition);
    });

    it('reports an interface that somebody deleted, and recreates it', () => {
      networks.ensureNetwork(config(1));
      const a = start(networks, on('a', 2));
      serve(start(networks, on('b', 3)), 80);
      const { host } = networks.driver(name).connections?.interfaces(idOf('a'), config(1).key) ?? {};
      if (capabilities.onHost) shell(`ip link delete ${host}`);
      else inNetns(a, () => shell('ip link delete eth0'));
      expect(seen('a')).toMatchObject({ connected: false, drift: [expect.any(String)] });
      networks.attach(on('a', 2));
      expect(seen('a')).toMatchObject({ connected: true, drift: [] });
      expect(reaches(a, '10.231.1.3', 80)).toBe(true);
    });

    it.runIf(capabilities.onHost)('reports a network whose interface somebody deleted, and recreates it', () => {
      networks.ensureNetwork(config(1));
      shell(`ip link delete ${config(1).interfaceName}`);
      expect(networks.observe().networks.get(config(1).key)).toEqual({ found: false, drift: [expect.any(String)] });
      networks.ensureNetwork(config(1));
      expect(networks.observe().networks.get(config(1).key)).toEqual({ found: true, drift: [] });
    });

    it.runIf(capabilities.onHost)('finds what an earlier supervisor left, goes on with it and removes it', () => {
      networks.ensureNetwork(config(1));
      serve(start(networks, on('b', 3)), 80);
      const held = shell(
        `ip -o link show ${networks.driver(name).connections?.interfaces(idOf('b'), config(1).key).host}`,
      ).split(':')[0];
      const next = open();
      try {
        expect(next.observe().networks.get(config(1).key)).toMatchObject({ found: true, drift: [expect.any(String)] });
        expect(next.observe().endpoints.get(idOf('b'))?.[0]).toMatchObject({ connected: true });
        next.ensureNetwork(config(1));
        next.createSandbox(idOf('b'));
        next.resume(on('b', 3));
        expect(
          shell(`ip -o link show ${next.driver(name).connections?.interfaces(idOf('b'), config(1).key).host}`).split(
            ':',
          )[0],
        ).toBe(held);
        expect(reaches(null, '10.231.1.3', 80)).toBe(true);
      } finally {
        next.close();
      }
    });

    it.runIf(!capabilities.onHost)('goes on with an interface that an earlier supervisor made', () => {
      networks.ensureNetwork(config(1));
      const a = start(networks, on('a', 2));
      const index = inNetns(a, () => shell('cat /sys/class/net/eth0/ifindex || ip -o link show eth0'));
      const next = open();
      try {
        next.ensureNetwork(config(1));
        next.adoptSandbox(idOf('a'), openSync(`/proc/self/fd/${a}`, 'r'));
        next.resume(on('a', 2));
        expect(next.observe().endpoints.get(idOf('a'))).toMatchObject([{ connected: true, drift: [] }]);
        expect(inNetns(a, () => shell('cat /sys/class/net/eth0/ifindex || ip -o link show eth0'))).toBe(index);
      } finally {
        next.close();
      }
    });

    it('removes a container and a network, and again what is absent', async () => {
      networks.ensureNetwork(config(1));
      start(networks, on('a', 2));
      for (let times = 0; times < 2; times++) {
        networks.detach(idOf('a'));
        networks.removeNetwork(config(1).key);
      }
      await until('no interface is left', () => strayLinks().length === 0);
      expect(networks.observe()).toEqual({ networks: new Map(), endpoints: new Map() });
    });

    it.runIf(capabilities.ports)('publishes ports, moves them to another container and withdraws them', () => {
      networks.ensureNetwork(config(1));
      serve(start(networks, on('a', 2, { ports: [PUBLISHED] })), 80);
      expect(reaches(null, HOST_ADDRESS, PUBLISHED.hostPort)).toBe(true);
      expect(seen('a')?.ports).toEqual([PUBLISHED]);
      networks.createSandbox(idOf('b'));
      networks.handOver(idOf('a'), on('b', 3, { ports: [PUBLISHED] }));
      expect([seen('a')?.ports, seen('b')?.ports]).toEqual([[], [PUBLISHED]]);
      networks.withdraw(idOf('b'));
      expect(blocked(null, HOST_ADDRESS, PUBLISHED.hostPort)).toBe(true);
    });

    it.runIf(!capabilities.bandwidth)('refuses to limit the bandwidth', () => {
      networks.ensureNetwork(config(1));
      networks.createSandbox(idOf('a'));
      const limited = on('a', 2, { bandwidth: { ingressBits: 1e6, egressBits: null } });
      expect(() => networks.attach(limited)).toThrow(expect.objectContaining({ class: 'unsupported' }));
    });

    it('sets what is wanted of the interface alone', () => {
      networks.ensureNetwork(config(1));
      const a = start(networks, on('a', 2, { sysctls: { 'net.ipv4.conf.IFNAME.log_martians': '1' } }));
      const { container = '' } = networks.driver(name).connections?.interfaces(idOf('a'), config(1).key) ?? {};
      const value = (of: string) => inNetns(a, () => shell(`cat /proc/sys/net/ipv4/conf/${of}/log_martians`).trim());
      expect([value(container), value('all')]).toEqual(['1', '0']);
      const unknown = on('a', 2, { sysctls: { 'net.ipv4.conf.IFNAME.none_such': '1' } });
      expect(() => networks.attach(unknown)).toThrow(/none_such/);
    });

    it.runIf(!capabilities.ports)('refuses to publish ports', () => {
      networks.ensureNetwork(config(1));
      networks.createSandbox(idOf('a'));
      const published = on('a', 2, { ports: [PUBLISHED] });
      expect(() => networks.attach(published)).toThrow(expect.objectContaining({ class: 'unsupported' }));
    });
  });
}

/** A second driver in the registry, which has nothing of the tested one's. */
const OTHER: CreateNetworkDriver = () => ({
  name: 'other',
  capabilities: { sandbox: true, ports: false, sharedAddresses: false, onHost: false, ownMac: false, bandwidth: false },
  connections: null,
  fingerprint: () => ({ works: true, problems: [], attributes: {} }),
  close: () => {},
});
