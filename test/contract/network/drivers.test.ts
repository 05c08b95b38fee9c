import { afterAll, beforeAll, expect, it } from 'vitest';
import { openNetworks } from '../../../src/drivers/network/open.ts';
import { withRouteSocket } from '../../../src/drivers/network/route-socket.ts';
import { NETWORK_DRIVERS } from '../../../src/drivers/registry.ts';
import { knowsKind, type L2Kind } from '../../../src/ffi/network/l2-links.ts';
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

const { bridge, none, host, macvlan, ipvlan } = NETWORK_DRIVERS;

beforeAll(() => {
  enterPrivateHost();
});
afterAll(stopServers);

const onHost = { sandbox: true, onHost: true, ownMac: true, bandwidth: false, networks: true };
const onWire = { sandbox: true, ports: false, onHost: false, bandwidth: false, networks: true };
const without = { ports: false, onHost: false, ownMac: false, bandwidth: false, networks: false };

/** Why this kernel cannot have networks of a driver; null when it can. */
const lacking = (kind: L2Kind) => () =>
  withRouteSocket((socket) => knowsKind(socket, kind)) ? null : `this kernel has no ${kind} (the guest has)`;

describeNetworkDriver('bridge', { create: bridge, capabilities: { ...onHost, ports: true, bandwidth: true } });
describeNetworkDriver('none', { create: none, capabilities: { ...without, sandbox: true } });
describeNetworkDriver('host', { create: host, capabilities: { ...without, sandbox: false } });
describeNetworkDriver('cable', { create: createCableDriver, capabilities: { ...onHost, ports: false } });
describeNetworkDriver('macvlan', {
  create: macvlan,
  capabilities: { ...onWire, ownMac: true },
  options: { parent: 'uplink' },
  problem: lacking('macvlan'),
});
describeNetworkDriver('ipvlan', {
  create: ipvlan,
  capabilities: { ...onWire, ownMac: false },
  options: { parent: 'uplink' },
  problem: lacking('ipvlan'),
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
