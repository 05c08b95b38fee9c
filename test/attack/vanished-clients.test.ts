/** Who asks for a commit or an export and goes away: the work ends, nothing half made stays, and the container continues. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { TransferEvent } from '../../src/api/images/transfer-event.ts';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { BUSYBOX_IMAGE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor(['-D']).start();
});
afterEach(() => supervisor.destroy());

/** Large enough to be read for longer than it takes to go away. */
const TICKS = shell(
  'dd if=/dev/zero of=/large bs=1M count=400; i=0; while :; do i=$((i+1)); echo tick $i; sleep 0.05; done',
);
const lastTick = async (): Promise<number> =>
  Number(/tick (\d+)\n$/.exec((await supervisor.cli('logs', '--tail', '1', 'web')).stdout)?.[1] ?? 0);
const layers = (): string[] => readdirSync(join(supervisor.root, 'overlay')).sort();
const recipes = (): string[] => readdirSync(join(supervisor.root, 'recipes')).sort();
const tags = async (): Promise<string[]> =>
  (JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[]).flatMap((image) => image.tags);

async function runTicks(): Promise<number | null> {
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${TICKS} }\n`);
  await until('the large file', async () => (await lastTick()) > 0, 60_000);
  return (await supervisor.container('web'))?.pid ?? null;
}

/** Asks, and goes away when it has begun. */
async function vanish(
  ask: (client: SupervisorClient, signal: AbortSignal) => AsyncIterable<TransferEvent>,
  hasBegun: () => boolean,
): Promise<void> {
  const gone = new AbortController();
  const asked = (async () => {
    for await (const _event of ask(new SupervisorClient(supervisor.socket), gone.signal));
  })().catch(() => {});
  await until('the beginning', hasBegun, 30_000, 1);
  gone.abort();
  await asked;
}

async function expectTicks(pid: number | null): Promise<void> {
  const at = await lastTick();
  await until('the payload going on', async () => (await lastTick()) > at + 2);
  expect(await supervisor.container('web')).toMatchObject({ pid, restarts: 0, phase: 'Running' });
}

test('a commit ends with its client', async () => {
  const pid = await runTicks();
  const before = [layers(), recipes()];
  const request = { name: 'web:made', changes: [], message: '', author: '' };
  await vanish(
    (client, signal) => client.imageFiles.commit('web', request, signal),
    () => supervisor.log.includes('+job commit(web)'),
  );
  await until('the end of the job', () => supervisor.log.includes('-job commit(web) = '));
  expect(supervisor.log).toContain('-job commit(web) = ERR');
  expect([layers(), recipes()]).toEqual(before);
  expect(await tags()).toEqual(['app/busybox:latest']);
  await expectTicks(pid);
});

test('an export ends with its client', async () => {
  const pid = await runTicks();
  const path = join(supervisor.base, 'web.tar');
  await vanish(
    (client, signal) => client.imageFiles.export('web', path, signal),
    () => readdirSync(supervisor.base).some((name) => name.endsWith('.part')),
  );
  await until('the end of the job', () => supervisor.log.includes(`-job export(web, ${path}) = `));
  expect(supervisor.log).toContain(`-job export(web, ${path}) = ERR`);
  expect(readdirSync(supervisor.base).filter((name) => name.includes('web.tar'))).toEqual([]);
  await expectTicks(pid);
});
