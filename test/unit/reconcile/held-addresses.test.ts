import { expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { handedBack, heldAddresses, takenOver } from '../../../src/reconcile/ops/networks/held-addresses.ts';
import type { ContainerRecord, RecordedEndpoint } from '../../../src/state/containers/container-record.ts';
import { containerRecord } from '../../support/container-record.ts';

const NETWORK = 'network/app/back' as ResourceKey;

function endpoint(ipv4: string, former?: string): RecordedEndpoint {
  return {
    network: NETWORK,
    bridge: 'br0',
    interfaceName: 'eth0',
    ipv4: `${ipv4}/24`,
    ipv6: null,
    mac: null,
    gateway4: null,
    gateway6: null,
    defaultRoute: { ipv4: true, ipv6: false },
    aliases: [],
    ...(former && { former: { ipv4: `${former}/24`, ipv6: null } }),
  };
}

function record(key: string, on: RecordedEndpoint): ContainerRecord {
  const made = containerRecord();
  const owner = { ...(made.owner as NonNullable<ContainerRecord['owner']>), key: key as ResourceKey };
  return { ...made, owner, endpoints: [on] };
}

const holders = (one: ContainerRecord, base?: ContainerRecord): string[] =>
  heldAddresses(one, base).map(({ owner, address }) => `${owner} ${address}`);

test('a successor that took over an address holds it, and its own under another key', () => {
  const web = record('container/app/web', takenOver(endpoint('10.80.0.3'), endpoint('10.80.0.2')));
  expect(holders(web, web)).toEqual(['container/app/web 10.80.0.2', 'container/app/web.former 10.80.0.3']);
});

test('a predecessor holds nothing of what it shares, but what it had before it took over itself', () => {
  const web = record('container/app/web', endpoint('10.80.0.2', '10.80.0.4'));
  const old = record('container/app/web.old', endpoint('10.80.0.2', '10.80.0.3'));
  expect(holders(old, web)).toEqual(['container/app/web.old 10.80.0.3']);
  expect(holders(old)).toEqual(['container/app/web.old 10.80.0.2', 'container/app/web.old 10.80.0.3']);
});

test('taking over again keeps the first address, and handing back restores it', () => {
  const taken = takenOver(endpoint('10.80.0.3'), endpoint('10.80.0.2'));
  expect(takenOver(taken, endpoint('10.80.0.2'))).toEqual(taken);
  expect(handedBack(taken)).toEqual(endpoint('10.80.0.3'));
  expect(handedBack(endpoint('10.80.0.3'))).toEqual(endpoint('10.80.0.3'));
});
