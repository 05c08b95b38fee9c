import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { DYNAMIC_PORTS } from '../../../src/model/addresses.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { nextKey } from '../../../src/model/update.ts';
import { LeaseBook } from '../../../src/reconcile/ops/networks/lease-book.ts';
import { hasNoStrayLease } from '../../../src/reconcile/ops/networks/stray-leases.ts';
import { isContainer } from '../../../src/reconcile/plan/references.ts';
import type { ContainerNetwork } from '../../../src/state/containers/container-record.ts';
import { ContainerStore } from '../../../src/state/containers/containers.ts';
import { writtenSpec } from '../../../src/state/containers/written-spec.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import { CONTAINER_TEXTS, containerRecord } from '../../support/container-record.ts';
import { declare } from '../../support/declare.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const WEB: ResourceKey = 'container/blog/web';
const ADDRESS = '10.80.0.2';

const directory = temporaryDirectories('stray-leases');
let history: History | undefined;
afterEach(() => history?.close());

const on = (network: string) =>
  declare({
    blog: { networks: { [network]: { subnet: '10.80.0.0/29' } }, containers: { web: { image: 'app', network } } },
  });

/** A successor that runs on a network while its container's lease is of another one. */
async function worldWith(successorOn: string, leaseOn: string) {
  const root = directory();
  for (const name of ['tmp', 'containers']) mkdirSync(join(root, name));
  const files = new StateFiles(join(root, 'tmp'));
  const containers = new ContainerStore(root, files);
  const record = containerRecord();
  if (!record.owner) throw new Error('nobody declared the container');
  const declared = on(successorOn).resources.get(WEB);
  if (!(declared && isContainer(declared))) throw new Error('nothing is declared');
  const written = writtenSpec(declared.spec);
  const network: ContainerNetwork = {
    address: ADDRESS,
    prefixLength: 29,
    mac: '02:42:0a:50:00:02',
    gateway: '10.80.0.1',
    bridge: 'tsdbridge',
    ports: [],
    exposed: [],
  };
  const batch = files.batch();
  containers.create(
    { ...record, owner: { ...record.owner, key: nextKey(WEB), written }, network },
    CONTAINER_TEXTS,
    batch,
  );
  await batch.commit();
  history = openHistory(join(root, 'history.db'));
  const leases = new LeaseBook(
    history.leases,
    { commit: () => Promise.reject(new Error('nothing is saved here')) },
    () => DYNAMIC_PORTS,
  );
  leases.reassign(`network/blog/${leaseOn}`, [[WEB, ADDRESS]]);
  return { desired: () => on('front'), containers, leases };
}

test('keeps an address for the successor that uses it', async () => {
  expect(hasNoStrayLease(await worldWith('back', 'back'), WEB)).toBe(true);
});

test('releases an address of another network, also when the successor has the same one', async () => {
  expect(hasNoStrayLease(await worldWith('front', 'back'), WEB)).toBe(false);
});
