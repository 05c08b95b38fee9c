import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNetworks } from '../../../src/drivers/network/open.ts';
import { NETWORK_DRIVERS } from '../../../src/drivers/registry.ts';
import { createCableDriver } from './cable-driver.ts';
import {
  endpoint,
  enterPrivateHost,
  INSTANCE,
  idOf,
  inMemory,
  network,
  reaches,
  serve,
  start,
  stopServers,
} from './private-host.ts';
import { describeNetworkDriver } from './suite.ts';

const { bridge, none, host } = NETWORK_DRIVERS as Record<'bridge' | 'none' | 'host', (typeof NETWORK_DRIVERS)[string]>;

beforeAll(() => {
  enterPrivateHost();
});
afterAll(stopServers);

describeNetworkDriver('bridge', { create: bridge, capabilities: { sandbox: true, ports: true, networks: true } });
describeNetworkDriver('none', { create: none, capabilities: { sandbox: true, ports: false, networks: false } });
describeNetworkDriver('host', { create: host, capabilities: { sandbox: false, ports: false, networks: false } });
describeNetworkDriver('cable', {
  create: createCableDriver,
  capabilities: { sandbox: true, ports: false, networks: true },
});

it('networks of two drivers exist side by side, and one is removed without the other', () => {
  const instance = { id: INSTANCE, root: '/nonexistent', runDir: '/nonexistent' };
  const drivers = { ...NETWORK_DRIVERS, cable: createCableDriver };
  const networks = openNetworks(drivers, { instance, iptables: true, ipForward: true, originals: inMemory() });
  try {
    networks.ensureNetwork(network(1));
    networks.ensureNetwork({ ...network(2), driver: 'cable', options: {} });
    serve(start(networks, endpoint('a', 1, 2)), 80);
    const b = start(networks, endpoint('b', 2, 2));
    serve(b, 80);
    expect(reaches(null, '10.231.2.2', 80)).toBe(true);
    const { networks: seen, endpoints } = networks.observe();
    expect([...seen].sort()).toEqual([1, 2].map((n) => [network(n).key, { found: true, drift: [] }]));
    expect([...endpoints.keys()].sort()).toEqual(['a', 'b'].map(idOf));
    networks.detach(idOf('b'));
    networks.removeNetwork(network(2).key);
    expect([...networks.observe().networks.keys()]).toEqual([network(1).key]);
    expect(reaches(null, '10.231.1.2', 80)).toBe(true);
  } finally {
    networks.giveBack();
    networks.close();
  }
});
