import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ExitRecorder } from '../../../src/reconcile/exits.ts';
import { ContainerStore } from '../../../src/state/containers/containers.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { CONTAINER_TEXTS, containerRecord } from '../../support/container-record.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('exits');

async function recorder(status: 'created' | 'running') {
  const root = directory();
  for (const name of ['tmp', 'containers']) mkdirSync(join(root, name));
  const files = new StateFiles(join(root, 'tmp'));
  const containers = new ContainerStore(root, files);
  const batch = files.batch();
  const idle = containerRecord();
  const record = { ...idle, run: 1, state: { ...idle.state, status, pid: 1 } };
  containers.create(record, CONTAINER_TEXTS, batch);
  await batch.commit();
  const exits = new ExitRecorder(containers, { now: () => ({ wallMs: 5_000, bootMs: 1_000 }) }, 'boot');
  return { containers, record, exits };
}

const END = { exitCode: 3, signal: null, oomKilled: false, finishedAtMs: 4_000 };

it('an end before its recorded start is kept while the container exists', async () => {
  for (const [forgets, status] of [
    [false, 'exited'],
    [true, 'running'],
  ] as const) {
    const { containers, record, exits } = await recorder('created');
    exits.record({ containerId: record.id, run: 1, ...END });
    if (forgets) exits.forget(record.id);
    containers.updateSoon({ ...record, state: { ...record.state, status: 'running' } });
    exits.started(record.id, 1);
    await containers.flushed();
    expect(containers.get(record.id)?.state.status).toBe(status);
  }
});

it('a wait for the end of a run ends with the run or its caller', async () => {
  const { containers, record, exits } = await recorder('running');
  const leaving = new AbortController();
  const reported: string[] = [];
  const waits = [
    exits.ended(record.id, leaving.signal).then(() => reported.push('left')),
    exits.ended(record.id).then(() => reported.push('ended')),
  ];
  leaving.abort();
  await waits[0];
  expect(reported).toEqual(['left']);
  const aborted = AbortSignal.abort();
  await exits.ended(record.id, aborted);
  exits.record({ containerId: record.id, run: 1, ...END });
  await waits[1];
  expect(reported).toEqual(['left', 'ended']);
  await exits.ended(record.id);
  await containers.flushed();
  expect(containers.get(record.id)?.state).toMatchObject({ status: 'exited', exitCode: 3 });
});
