import { mkdirSync, renameSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PlanView } from '../../src/api/views/plan-views.ts';
import { asked } from '../support/asked.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop('a.yaml', `${BUSYBOX_IMAGE}containers: { web: { image: busybox, command: ${FOREVER} } }\n`);
  supervisor.drop('b.yaml', 'volumes: { data: {} }\n');
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
});
afterEach(() => supervisor.destroy());

/** Waits until the plan of this moment says something, and returns all of it. */
async function planWith(text: string) {
  return await until(`a plan with ${text}`, async () => {
    const plan = await supervisor.cli('plan');
    return plan.stdout.includes(text) ? plan : null;
  });
}

test('the plan shows a missing directory, and its removal waits for an approval', async () => {
  const { manifests } = supervisor;
  expect(await supervisor.cli('plan')).toMatchObject({ status: 0, stdout: 'Nothing to do.\n' });
  renameSync(manifests, `${manifests}.away`);
  const { status, stdout } = await planWith('needs approval');
  expect(status).toBe(2);
  expect(stdout).toContain(`needs approval  ${manifests}: ${manifests} is gone; its 2 manifests stay`);
  expect(stdout).toContain('    - container/a/web\n');
  expect(stdout).toContain('No operations, 1 approval pending, 2 manifests held.');
  const json = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout) as PlanView;
  expect(json.approvals).toMatchObject([{ name: manifests, kind: 'directory' }]);
  for (const command of [['get'], ['get', 'volumes'], ['diff'], ['info']]) {
    expect((await supervisor.cli(...command)).stderr).toContain('2 manifests held: `tsdocker get manifests`');
  }

  const refused = await supervisor.cli('approve');
  expect(refused).toMatchObject({ status: 1, stdout: expect.stringContaining('- container/a/web') });
  expect(refused.stderr).toContain('removes 1 container');
  expect(refused.stderr).toContain('tsdocker approve --yes');
  expect(await asked(supervisor, ['approve'], { question: 'Go on? [y/N]', answer: 'n' })).toBe(1);
  expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });

  expect(await supervisor.ok('approve', '--yes')).toContain(`approved ${manifests}`);
  await until('the container gone', async () => (await supervisor.containers()).length === 0);
  mkdirSync(manifests);
});

test('yes on a terminal approves', async () => {
  const { manifests } = supervisor;
  renameSync(manifests, `${manifests}.away`);
  await planWith('needs approval');
  const answer = { question: 'Go on? [y/N]', answer: 'y', shown: `approved ${manifests}` } as const;
  expect(await asked(supervisor, ['approve'], answer)).toBe(0);
});

test('the plan shows a rejected manifest and a held app', async () => {
  const file = supervisor.drop('b.yaml', 'volumes: { data: { x: 1 } }\n');
  const { status, stdout } = await planWith('rejected');
  expect(status).toBe(2);
  expect(stdout).toContain(`rejected  ${file}:1:20: unknown field "x"`);
  expect(stdout).toContain('No operations, 1 manifest rejected.');

  supervisor.drop('b.yaml', 'volumes: { data: {}, more: {} }\n');
  await until('the edit taken over', async () => (await supervisor.ok('get', 'volumes')).includes('more'));
  await supervisor.ok('rollback', '--to', '1', '--hold', '--wait');
  const held = await planWith('needs approval  b: rolled back to generation 1');
  expect(held.status).toBe(2);
  expect(held.stdout).toContain('    + volume/b/more\n');
  expect(await supervisor.ok('approve')).toContain('approved b');
  await until('the edit taken over', async () => (await supervisor.cli('plan')).status === 0);
});
