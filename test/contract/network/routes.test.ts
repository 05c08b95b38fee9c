import { writeFileSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { routeFact, SandboxRoutes } from '../../../src/drivers/network/sandbox-routes.ts';
import { namespaceId } from '../../../src/ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { inNetns } from '../../../src/ffi/process/namespaces.ts';
import { enterPrivateHost, Namespaces, shell } from './private-host.ts';

/** More than are asked in turn at one look. */
const NAMESPACES = 12;
const LAST = NAMESPACES - 1;
const DEFAULT = routeFact({ destination: '0.0.0.0/0', gateway: '10.231.1.1', link: 1 });
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
    routes.want(containerId, 'eth0', [DEFAULT]);
  }
});

afterEach(() => {
  routes.close();
});

/** By number of the namespace, whether it has a default route; null where that is not known. */
function look(): (boolean | null)[] {
  routes.look(namespaces.held);
  return namespaces.fds.map((_, index) => {
    const facts = routes.of(`container ${index}`);
    return facts && [...facts].some((fact) => fact.startsWith('route 0.0.0.0/0 '));
  });
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
  const up = 'link set tsdq0 addrgenmode none\nlink set tsdq0 up\nroute add default dev tsdq0';
  const bridge = `link add tsdq0 type bridge\n${up}`;
  for (let index = 0; index < NAMESPACES; index++) {
    routes.want(`container ${index}`, 'eth0', []);
    namespaces.change(index, bridge);
  }
  for (let looks = 0; looks < 3; looks++) look();
  // Of IPv4 there is no message about the routes of a deleted interface.
  const silent = '/proc/sys/net/ipv6/route/skip_notify_on_dev_down';
  inNetns(namespaces.at(LAST), () => writeFileSync(silent, '1'));
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

test('the next observe finds a lost route of IPv6, and a gateway that changed', () => {
  namespaces.change(LAST, 'link add tsdq0 type bridge\nlink set tsdq0 up\naddress add fd00:231::9/64 dev tsdq0');
  namespaces.change(LAST, 'route add default via fd00:231::1 dev tsdq0');
  const [link] = JSON.parse(inNetns(namespaces.at(LAST), () => shell('ip -json link show tsdq0'))) as {
    ifindex: number;
  }[];
  const wanted = routeFact({ destination: '::/0', gateway: 'fd00:231::1', link: link?.ifindex ?? 0 });
  const has = (): boolean => {
    routes.look(namespaces.held);
    return routes.of(`container ${LAST}`)?.has(wanted) === true;
  };
  routes.want(`container ${LAST}`, 'eth0', [wanted]);
  for (let looks = 0; looks < 3; looks++) look();
  expect(has()).toBe(true);
  namespaces.change(LAST, 'route delete default via fd00:231::1');
  expect(has()).toBe(false);
  namespaces.change(LAST, 'route add default via fd00:231::1 dev tsdq0');
  for (let looks = 0; looks < 3 && !has(); looks++);
  expect(has()).toBe(true);
  namespaces.change(LAST, 'route change default via fd00:231::2 dev tsdq0');
  for (let looks = 0; has(); looks++) expect(looks).toBeLessThan(NAMESPACES);
});

test('the name and the MAC of an interface are seen in turn', () => {
  namespaces.change(LAST, 'link add tsdq0 address 02:00:00:00:00:01 type bridge');
  const has = (name: string, mac: string): boolean => {
    routes.look(namespaces.held);
    return [...(routes.of(`container ${LAST}`) ?? [])].some((fact) => fact.endsWith(` ${name} ${mac}`));
  };
  for (let looks = 0; !has('tsdq0', '02:00:00:00:00:01'); looks++) expect(looks).toBeLessThan(NAMESPACES);
  namespaces.change(LAST, 'link set tsdq0 name tsdq1 address 02:00:00:00:00:02');
  for (let looks = 0; !has('tsdq1', '02:00:00:00:00:02'); looks++) expect(looks).toBeLessThan(NAMESPACES);
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
  for (let index = 0; index < NAMESPACES; index++) routes.want(`container ${index}`, 'eth0', []);
  for (let looks = 0; looks < 3; looks++) look();
  routes.want(`container ${LAST}`, 'eth0', [DEFAULT]);
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
