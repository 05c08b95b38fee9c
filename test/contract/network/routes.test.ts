import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { SandboxRoutes } from '../../../src/drivers/network/sandbox-routes.ts';
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

test('each observe reads a few until all are known; the next one finds lost and restored routes', () => {
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  // Sent before anything listened.
  expect(look().filter((known) => known !== null)).toHaveLength(4);
  look();
  expect(look()).toEqual(Array.from({ length: NAMESPACES }, () => true));
  namespaces.change(LAST, 'route delete default');
  namespaces.change(0, 'route add blackhole 10.231.9.0/24');
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
  namespaces.change(LAST, 'route add default via 10.231.1.1 dev lo');
  expect(look()).toEqual(namespaces.fds.map(() => true));
});

test('the next observe misses the routes of an interface that is set down', () => {
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 3; looks++) look();
  namespaces.change(LAST, 'link set lo down');
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
});

test('an unreported loss is found when its turn comes', () => {
  const bridge = 'link add tsdq0 type bridge\nlink set tsdq0 up\nroute add default dev tsdq0';
  for (let index = 0; index < NAMESPACES; index++) namespaces.change(index, bridge);
  for (let looks = 0; looks < 3; looks++) look();
  // Messages about deleted interfaces would arrive at each removal of a container.
  namespaces.change(LAST, 'link delete tsdq0');
  expect(look()[LAST]).toBe(true);
  let looks = 0;
  while (look()[LAST] !== false) expect(looks++).toBeLessThan(NAMESPACES);
});

test('observe reports the containers whose routes changed', () => {
  for (let index = 0; index < LAST; index++) namespaces.change(index, UP);
  for (let looks = 0; looks < 3; looks++) look();
  expect(routes.look(namespaces.held)).toEqual([]);
  namespaces.change(LAST, UP);
  expect(routes.look(namespaces.held)).toEqual([`container ${LAST}`]);
});

test('added routes are known without a read, and read once one of them is lost', () => {
  for (let index = 0; index < NAMESPACES; index++) {
    namespaces.change(index, UP);
    routes.made(`container ${index}`, [DEFAULT]);
  }
  expect(look()).toEqual(namespaces.fds.map(() => true));
  namespaces.change(LAST, 'route delete default');
  expect(routes.look(namespaces.held)).toEqual([`container ${LAST}`]);
  expect(look()).toEqual(namespaces.fds.map((_, index) => index !== LAST));
});

test('many containers with missing routes are read in turn and do not delay changes', () => {
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

test('a route that is wanted after it was seen missing is read too', () => {
  for (let index = 0; index < NAMESPACES; index++) routes.want(`container ${index}`, []);
  for (let looks = 0; looks < 3; looks++) look();
  routes.want(`container ${LAST}`, [DEFAULT]);
  namespaces.change(LAST, UP);
  expect(look()[LAST]).toBe(true);
});

test('an overflow of the change queue hides no change', () => {
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

test('a forgotten namespace is unknown, and its replacement is read again', () => {
  namespaces.change(0, UP);
  expect(look()[0]).toBe(true);
  routes.forget('container 0');
  expect(routes.of('container 0')).toBeNull();
  namespaces.replace(0);
  routes.hold('container 0');
  for (let looks = 0; looks < 2; looks++) look();
  expect(look()[0]).toBe(false);
});
