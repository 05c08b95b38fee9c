import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { ExitRecorder } from '../../../src/reconcile/exits.ts';
import { ContainerStore } from '../../../src/state/containers.ts';
import { StateFiles } from '../../../src/state/durable.ts';
import { CONTAINER_TEXTS, containerRecord } from '../../support/container-record.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('exits');

it('a wait for the end of a run ends with it, and with the one who waits', async () => {
  const root = directory();
  for (const name of ['tmp', 'containers']) mkdirSync(join(root, name));
  const files = new StateFiles(join(root, 'tmp'));
  const containers = new ContainerStore(root, files);
  const batch = files.batch();
  const idle = containerRecord();
  const record = { ...idle, run: 1, state: { ...idle.state, status: 'running' as const, pid: 1 } };
  containers.create(record, CONTAINER_TEXTS, batch);
  await batch.commit();
  const exits = new ExitRecorder(containers, { now: () => ({ wallMs: 5_000, bootMs: 1_000 }) }, 'boot');
  const leaving = new AbortController();
  const told: string[] = [];
  const waits = [
    exits.ended(record.id, leaving.signal).then(() => told.push('left')),
    exits.ended(record.id).then(() => told.push('ended')),
  ];
  leaving.abort();
  await waits[0];
  expect(told).toEqual(['left']);
  const aborted = AbortSignal.abort();
  await exits.ended(record.id, aborted);
  exits.record({ containerId: record.id, run: 1, exitCode: 3, signal: null, oomKilled: false, finishedAtMs: 4_000 });
  await waits[1];
  expect(told).toEqual(['left', 'ended']);
  await exits.ended(record.id);
  await containers.flushed();
  expect(containers.get(record.id)?.state).toMatchObject({ status: 'exited', exitCode: 3 });
});
