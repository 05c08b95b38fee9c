/** What rtnetlink messages of ours do, and what ours read of the kernel's, in namespaces that ip(8) looks into too. */
import { closeSync } from 'node:fs';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import { deleteUnlessGone } from '../../../src/drivers/network/link-removal.ts';
import { deleteAddress, listAddresses, newAddress } from '../../../src/ffi/network/link-addresses.ts';
import { deleteLink, findLink } from '../../../src/ffi/network/links.ts';
import { namespaceId } from '../../../src/ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { listRoutes, newRoute } from '../../../src/ffi/network/routes.ts';
import { createNetns, inNetns } from '../../../src/ffi/process/namespaces.ts';
import { shell } from './private-host.ts';

const LINK = 'tsdq0';
let netns: number;
let socket: NetlinkSocket;
let link: number;

beforeEach(() => {
  netns = createNetns(() => shell(`ip link add ${LINK} type bridge && ip link set ${LINK} up && ip link set lo up`));
  socket = inNetns(netns, () => new NetlinkSocket(NETLINK_ROUTE));
  link = findLink(socket, LINK)?.index ?? 0;
});

afterEach(() => {
  socket.close();
  closeSync(netns);
});

const ip = (command: string): string => inNetns(netns, () => shell(`ip ${command}`));

const ours = (): string[] =>
  listAddresses(socket, null)
    .filter((entry) => entry.link === link && !entry.address.startsWith('fe80'))
    .map(({ address }) => address);

test('addresses of both families are added, listed and removed', () => {
  const both = ['10.231.1.1/24', 'fd00:231:1::1/64'];
  socket.request(both.map((address) => newAddress({ link, address }, { prefixRoute: true })));
  expect(ours()).toEqual(both);
  expect(listAddresses(socket, 'ipv4').map(({ address }) => address)).toContain('10.231.1.1/24');
  expect(listAddresses(socket, 'ipv4').some(({ address }) => address.includes(':'))).toBe(false);
  expect(listAddresses(socket, 'ipv6').every(({ address }) => address.includes(':'))).toBe(true);
  socket.request(both.map((address) => deleteAddress({ link, address })));
  expect(ours()).toEqual([]);
});

test('an IPv6 address can be used at once, on a link where duplicates are looked for', () => {
  ip(`link add ${LINK}a type veth peer name ${LINK}b`);
  ip(`link set ${LINK}b up`);
  ip(`link set ${LINK}a up`);
  const veth = findLink(socket, `${LINK}a`)?.index ?? 0;
  socket.request([newAddress({ link: veth, address: 'fd00:231:2::1/64' }, { prefixRoute: true })]);
  expect(ip(`-6 -o address show dev ${LINK}a tentative`)).not.toContain('fd00:231:2::1');
  // The other way round: one that the kernel has to look for is listed there.
  ip(`address add fd00:231:2::2/64 dev ${LINK}a`);
  expect(ip(`-6 -o address show dev ${LINK}a tentative`)).toContain('fd00:231:2::2');
});

test('an interface that is gone by the time it is deleted counts as deleted, and no other answer does', () => {
  const found = deleteLink(link, LINK);
  ip(`link delete ${LINK}`);
  deleteUnlessGone(socket, found);
  const loopback = findLink(socket, 'lo')?.index ?? 0;
  expect(() => deleteUnlessGone(socket, deleteLink(loopback, 'lo'))).toThrow('delete link lo');
});

test('no route to the subnet where none is wanted', () => {
  const address = 'fd00:231:1::1/64';
  socket.request([newAddress({ link, address }, { prefixRoute: false })]);
  expect(listAddresses(socket, 'ipv6').find((entry) => entry.address === address)?.prefixRoute).toBe(false);
  expect(listRoutes(socket, 'ipv6').map(({ destination }) => destination)).not.toContain('fd00:231:1::/64');
});

test('addresses of both families in another namespace', () => {
  socket.request([newAddress({ link, address: 'fd00:231:1::1/64' }, { prefixRoute: true })]);
  socket.request([newAddress({ link, address: '10.231.1.1/24' }, { prefixRoute: true })]);
  const here = new NetlinkSocket(NETLINK_ROUTE, true);
  onTestFinished(() => here.close());
  const seen = listAddresses(here, null, namespaceId(here, netns)).map(({ address }) => address);
  expect(seen).toEqual(expect.arrayContaining(['10.231.1.1/24', 'fd00:231:1::1/64', '127.0.0.1/8', '::1/128']));
});

test('routes of both families are added, replaced and listed', () => {
  socket.request([
    newAddress({ link, address: '10.231.1.9/24' }, { prefixRoute: true }),
    newAddress({ link, address: 'fd00:231:1::9/64' }, { prefixRoute: true }),
    newRoute({ destination: '0.0.0.0/0', gateway: '10.231.1.7', link }),
    newRoute({ destination: '::/0', gateway: 'fd00:231:1::7', link }),
    newRoute({ destination: '0.0.0.0/0', gateway: '10.231.1.1', link }),
    newRoute({ destination: '::/0', gateway: 'fd00:231:1::1', link }),
    newRoute({ destination: 'fd00:231:9::/64', gateway: null, link }),
  ]);
  const route = (destination: string, gateway: string | null) => ({ destination, gateway, link, advertised: false });
  const routes = listRoutes(socket, null);
  expect(routes).toEqual(
    expect.arrayContaining([
      route('0.0.0.0/0', '10.231.1.1'),
      route('10.231.1.0/24', null),
      route('::/0', 'fd00:231:1::1'),
      route('fd00:231:1::/64', null),
      route('fd00:231:9::/64', null),
    ]),
  );
  expect(routes.filter(({ destination }) => destination.endsWith('/0'))).toHaveLength(2);
  expect(listRoutes(socket, 'ipv4').some(({ destination }) => destination.includes(':'))).toBe(false);
  expect(ip('-6 route show default')).toContain('via fd00:231:1::1');
});

test("a route of a router's advertisement is told apart", () => {
  ip(`address add fd00:231:1::9/64 dev ${LINK}`);
  ip(`-6 route add default via fd00:231:1::1 dev ${LINK} proto ra`);
  expect(listRoutes(socket, 'ipv6').filter(({ advertised }) => advertised)).toEqual([
    { destination: '::/0', gateway: 'fd00:231:1::1', link, advertised: true },
  ]);
});
