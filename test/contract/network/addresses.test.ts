import { closeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { SandboxAddresses } from '../../../src/drivers/network/sandbox-addresses.ts';
import { namespaceId } from '../../../src/ffi/network/namespace-ids.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { createNetns } from '../../../src/ffi/process/namespaces.ts';
import { until } from '../../support/wait.ts';
import { enterPrivateHost, Namespaces, shell } from './private-host.ts';

/** More than are asked in turn at one look. */
const NAMESPACES = 12;
/** Asked in turn at none of the next two looks. */
const LAST = NAMESPACES - 1;

const namespaces = new Namespaces(NAMESPACES);
let addresses: SandboxAddresses;

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  addresses = new SandboxAddresses();
});

afterEach(() => {
  addresses.close();
});

/** What a look finds, by number of the namespace; those without addresses are left out. */
function look(): Record<number, readonly string[]> {
  addresses.look(namespaces.held);
  const found = namespaces.fds.map(
    (_, index) => [index, (addresses.of(`container ${index}`) ?? []).map(({ address }) => address)] as const,
  );
  return Object.fromEntries(found.filter(([, { length }]) => length > 0));
}

test('observe reports the containers whose addresses changed', () => {
  for (let looks = 0; looks < 3; looks++) look();
  expect(addresses.look(namespaces.held)).toEqual([]);
  namespaces.change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(addresses.look(namespaces.held)).toEqual([`container ${LAST}`]);
});

test('the next observe finds a change, whichever namespace is due', () => {
  expect(look()).toEqual({});
  namespaces.change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
  namespaces.change(LAST, 'address delete 10.231.1.9/24 dev lo');
  namespaces.change(0, 'address add 10.231.1.8/24 dev lo');
  expect(look()).toEqual({ 0: ['10.231.1.8/24'] });
});

test('addresses of IPv6 are seen as those of IPv4', () => {
  expect(look()).toEqual({});
  namespaces.change(LAST, 'address add fd00:231::9/64 dev lo');
  expect(look()).toEqual({ [LAST]: ['fd00:231::9/64'] });
  namespaces.change(LAST, 'address delete fd00:231::9/64 dev lo');
  expect(look()).toEqual({});
});

test('a removed interface loses its addresses', () => {
  namespaces.change(LAST, 'link add eth0 type bridge\naddress add 10.231.1.9/24 dev eth0');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
  namespaces.change(LAST, 'link delete eth0');
  expect(look()).toEqual({});
});

test('an overflow of the change queue hides no change', () => {
  look();
  const busy = Array.from({ length: 1_000 }, (_, index) => {
    const address = `10.231.${2 + (index >> 8)}.${index & 255}/32 dev lo`;
    return `address add ${address}\naddress delete ${address}`;
  });
  namespaces.change(0, busy.join('\n'));
  namespaces.change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
});

test('a replaced namespace is read again', () => {
  namespaces.change(LAST, 'address add 10.231.1.9/24 dev lo');
  look();
  addresses.forget(`container ${LAST}`);
  namespaces.replace(LAST);
  expect(look()).toEqual({});
  namespaces.change(LAST, 'address add 10.231.1.7/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.7/24'] });
});

test('namespaces without a reported change are read in turn', async () => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  onTestFinished(() => socket.close());
  look();
  const number = namespaceId(socket, namespaces.at(LAST));
  closeSync(namespaces.at(LAST));
  // Its number goes to another one, which got its address without a number: the kernel sent no message.
  await until('the number is free', () => {
    const netns = createNetns(() => shell('ip link set lo up'));
    namespaces.fds[LAST] = netns;
    if (namespaceId(socket, netns) === number) return true;
    // Kept, so that it does not get the next smaller number again and again.
    onTestFinished(() => closeSync(netns));
    return false;
  });
  expect(look()).toEqual({});
  for (let looks = 0; look()[LAST] === undefined; looks++) expect(looks).toBeLessThan(NAMESPACES);
  expect(look()).toEqual({ [LAST]: ['127.0.0.1/8', '::1/128'] });
});
