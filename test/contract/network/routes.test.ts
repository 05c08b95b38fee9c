import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { SandboxRoutes } from '../../../src/drivers/network/bridge/sandbox-routes.ts';
import { namespaceId } from '../../../src/ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { enterPrivateHost, Namespaces } from './private-host.ts';

/** More than are asked in turn at one look. */
const NAMESPACES = 12;
const LAST = NAMESPACES - 1;
const DEFAULT = '0.0.0.0/0';
const UP = 'link set lo up\naddress add 10.231.1.9/24 dev lo\nroute add default via 10.231.1.1 dev lo';

const namespaces = new Namespaces(NAMESPACES);
let routes: SandboxRoutes;

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  onTestFinished(() => socket.close());
  const numbers = new Map(namespaces.fds.map((netns, index) => [namespaceId(socket, netns), `container ${index}`]));
  routes = new SandboxRoutes((number) => numbers.get(number));
  for (const containerId of numbers.values()) {
    routes.hold(containerId);
    routes.want(containerId, [DEFAULT]);
  }
});

afterEach(() => {
  routes.close();
});

/** By number of the namespace, whether it has a default route; null where that is not known. */
function look(): (boolean | null)[] {
  routes.look(namespaces.held);
  return namespaces.fds.map((_, index) => routes.of(`container ${index}`)?.has(DEFAULT) ?? null);
}

test('a few are asked at each look until all are known; what goes and what is put back is found by the next one', () => {
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  // Told before anybody listened.
  expect(look().filter((known) => known !== null)).toHaveLength(4);
  look();
  expect(look()).toEqual(Array.from({ length: NAMESPACES }, () => true));
  namespaces.change(LAST, 'route delete default');
  namespaces.change(0, 'route add blackhole 10.231.9.0/24');
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
  namespaces.change(LAST, 'route add default via 10.231.1.1 dev lo');
  expect(look()).toEqual(namespaces.fds.map(() => true));
});

test('routes that go with an interface that is set down are found missing by the next look', () => {
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 3; looks++) look();
  namespaces.change(LAST, 'link set lo down');
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
});

test('an unreported loss is found in turn', () => {
  const bridge = 'link add tsdq0 type bridge\nlink set tsdq0 up\nroute add default dev tsdq0';
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, bridge);
  for (let looks = 0; looks < 3; looks++) look();
  // Of an interface that is deleted it would be told at each removal of a container.
  namespaces.change(LAST, 'link delete tsdq0');
  expect(look()[LAST]).toBe(true);
  let looks = 0;
  while (look()[LAST] !== false) expect(looks++).toBeLessThan(NAMESPACES);
});

test('a look reports the containers whose answer changed', () => {
  for (let index = 0; index < LAST; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 3; looks++) look();
  expect(routes.look(namespaces.held)).toEqual([]);
  namespaces.change(LAST, UP);
  expect(routes.look(namespaces.held)).toEqual([`container ${LAST}`]);
});

test('routes that were made are known without asking, and asked for once one of them went', () => {
  for (let index = 0; index < NAMESPACES; index++) {
    namespaces.change(index, UP);
    routes.made(`container ${index}`, [DEFAULT]);
  }
  expect(look()).toEqual(namespaces.fds.map(() => true));
  namespaces.change(LAST, 'route delete default');
  expect(routes.look(namespaces.held)).toEqual([`container ${LAST}`]);
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
});

test('of many with a missing route each is asked at one of the next looks; news is not kept waiting by them', () => {
  for (let looks = 0; looks < 3; looks++) look();
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 2; looks++) look();
  expect(look()).toEqual(namespaces.fds.map(() => true));
  for (let index = 0; index < LAST; index++) namespaces.change(index, 'route delete default');
  look();
  namespaces.change(LAST, 'route delete default');
  namespaces.change(0, 'route add default via 10.231.1.1 dev lo');
  routes.changed('container 0');
  expect(look()).toEqual(namespaces.fds.map((_, index) => index === 0));
});

test('what is wanted only after it was seen missing is asked for too', () => {
  for (let index = 0; index < NAMESPACES; index++) routes.want(`container ${index}`, []);
  for (let looks = 0; looks < 3; looks++) look();
  routes.want(`container ${LAST}`, [DEFAULT]);
  namespaces.change(LAST, UP);
  expect(look()[LAST]).toBe(true);
});

test('more changes than the kernel keeps for us hide none', () => {
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 3; looks++) look();
  const busy = Array.from({ length: 1500 }, (_, index) => {
    const route = `10.${index >> 8}.${index & 255}.0/24`;
    return `route add blackhole ${route}\nroute delete blackhole ${route}`;
  });
  namespaces.change(0, busy.join('\n'));
  namespaces.change(LAST, 'route delete default');
  for (let looks = 0; looks < 2; looks++) look();
  expect(look()[LAST]).toBe(false);
});

test('what is forgotten is not known, and a namespace in its place is asked again', () => {
  namespaces.change(0, UP);
  expect(look()[0]).toBe(true);
  routes.forget('container 0');
  expect(routes.of('container 0')).toBeNull();
  namespaces.replace(0);
  routes.hold('container 0');
  for (let looks = 0; looks < 2; looks++) look();
  expect(look()[0]).toBe(false);
});
