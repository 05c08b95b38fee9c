import { closeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, expect, onTestFinished, test } from 'vitest';
import { SandboxAddresses } from '../../../src/drivers/network/bridge/sandbox-addresses.ts';
import { namespaceId } from '../../../src/ffi/namespace-ids.ts';
import { createNetns, inNetns } from '../../../src/ffi/namespaces.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/netlink.ts';
import { until } from '../../support/wait.ts';
import { enterPrivateHost, heldAs, shell } from './private-host.ts';

/** More than are asked in turn at one look. */
const NAMESPACES = 12;
/** Asked in turn at none of the next two looks. */
const LAST = NAMESPACES - 1;

let namespaces: number[];
let addresses: SandboxAddresses;

beforeAll(() => {
  enterPrivateHost();
});

beforeEach(() => {
  namespaces = Array.from({ length: NAMESPACES }, () => createNetns(() => {}));
  addresses = new SandboxAddresses();
});

afterEach(() => {
  addresses.close();
  for (const netns of namespaces) closeSync(netns);
});

/** What a look finds, by number of the namespace; those without addresses are left out. */
function look(): Record<number, readonly string[]> {
  addresses.look(heldAs(namespaces));
  const found = namespaces.map((_, index) => [index, addresses.of(`container ${index}`) ?? []] as const);
  return Object.fromEntries(found.filter(([, { length }]) => length > 0));
}

function change(index: number, commands: string): void {
  inNetns(namespaces[index] as number, () => shell(`ip -batch - <<'END'\n${commands}\nEND`));
}

test('a look tells of whom the answer is another', () => {
  for (let looks = 0; looks < 3; looks++) look();
  expect(addresses.look(heldAs(namespaces))).toEqual([]);
  change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(addresses.look(heldAs(namespaces))).toEqual([`container ${LAST}`]);
});

test('a change is found by the next look, whoever is asked in turn', () => {
  expect(look()).toEqual({});
  change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
  change(LAST, 'address delete 10.231.1.9/24 dev lo');
  change(0, 'address add 10.231.1.8/24 dev lo');
  expect(look()).toEqual({ 0: ['10.231.1.8/24'] });
});

test('an interface that goes takes its addresses with it', () => {
  change(LAST, 'link add eth0 type bridge\naddress add 10.231.1.9/24 dev eth0');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
  change(LAST, 'link delete eth0');
  expect(look()).toEqual({});
});

test('more changes than the kernel keeps for us hide none', () => {
  look();
  const busy = Array.from({ length: 1_000 }, (_, index) => {
    const address = `10.231.${2 + (index >> 8)}.${index & 255}/32 dev lo`;
    return `address add ${address}\naddress delete ${address}`;
  });
  change(0, busy.join('\n'));
  change(LAST, 'address add 10.231.1.9/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.9/24'] });
});

test('a namespace that takes the place of another is asked anew', () => {
  change(LAST, 'address add 10.231.1.9/24 dev lo');
  look();
  addresses.forget(`container ${LAST}`);
  closeSync(namespaces[LAST] as number);
  namespaces[LAST] = createNetns(() => {});
  expect(look()).toEqual({});
  change(LAST, 'address add 10.231.1.7/24 dev lo');
  expect(look()).toEqual({ [LAST]: ['10.231.1.7/24'] });
});

test('those of which nothing is told are asked in turn', async () => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  onTestFinished(() => socket.close());
  look();
  const number = namespaceId(socket, namespaces[LAST] as number);
  closeSync(namespaces[LAST] as number);
  // Its number goes to another one, which got its address when it had none: the kernel told nobody.
  await until('the number is free', () => {
    const netns = createNetns(() => shell('ip link set lo up'));
    namespaces[LAST] = netns;
    if (namespaceId(socket, netns) === number) return true;
    // Kept, so that it does not get the next smaller number again and again.
    onTestFinished(() => closeSync(netns));
    return false;
  });
  expect(look()).toEqual({});
  for (let looks = 0; look()[LAST] === undefined; looks++) expect(looks).toBeLessThan(NAMESPACES);
  expect(look()).toEqual({ [LAST]: ['127.0.0.1/8'] });
});
