/** Filters of system calls in manifests, and the reports about runs without one. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { DoctorCheck } from '../../src/api/views/host-views.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(() => supervisor.destroy());

const modeOf = (pid: number | null): string | undefined =>
  /^Seccomp:\t(\d)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];

async function doctor(): Promise<DoctorCheck | undefined> {
  const { stdout } = await supervisor.cli('doctor', '-o', 'json');
  return (JSON.parse(stdout) as DoctorCheck[]).find(({ name }) => name === 'seccomp');
}

test('a run without a filter has a warning in plan, get, why and doctor', async () => {
  const manifest = app(
    `  web: { image: busybox, command: ${FOREVER} }\n  open: { image: busybox, command: ${FOREVER}, seccomp: unconfined }\n`,
  );
  writeFileSync(join(supervisor.base, 'app.yaml'), manifest);
  const plan = await supervisor.cli('plan', '-f', join(supervisor.base, 'app.yaml'));
  expect(plan.stdout).toMatch(/^warning {2}.*app\.yaml:\d+:\d+: open runs without a filter of system calls/m);
  supervisor.drop('app.yaml', manifest);
  const web = await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  expect(modeOf(web.pid)).toBe('2');
  expect(web.conditions.some(({ type }) => type === 'Unfiltered')).toBe(false);
  expect(await supervisor.ok('why', 'web')).not.toContain('without a filter');
  const open = await supervisor.waitFor('open', 'runs', ({ ready }) => ready);
  expect(modeOf(open.pid)).toBe('0');
  expect(open.conditions.find(({ type }) => type === 'Unfiltered')).toMatchObject({ reason: 'AsDeclared' });
  expect(await supervisor.ok('why', 'open')).toContain('without a filter of system calls (seccomp: unconfined)');
  expect((await doctor())?.message).toBe('runs without a filter of system calls: app-open (seccomp: unconfined)');
  await supervisor.crash();
  await supervisor.start();
  expect(await supervisor.waitFor('web', 'goes on', ({ ready }) => ready)).toMatchObject({ pid: web.pid });
  expect((await doctor())?.message).toContain('app-open');
});

test('a changed profile restarts its container, which keeps its layer', async () => {
  const profile = join(supervisor.base, 'p.json');
  const refuse = (errno: number) =>
    writeFileSync(
      profile,
      JSON.stringify({
        defaultAction: 'SCMP_ACT_ALLOW',
        syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: errno }],
      }),
    );
  refuse(28);
  supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER}, seccomp: ${profile} }\n`));
  const web = await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  expect((await supervisor.cli('exec', 'web', 'busybox', 'mkdir', '/x')).stderr).toContain('No space left on device');
  refuse(122);
  const again = await supervisor.waitFor('web', 'runs again', ({ ready, pid }) => ready && pid !== web.pid);
  expect(again.id).toBe(web.id);
  expect((await supervisor.cli('exec', 'web', 'busybox', 'mkdir', '/x')).stderr).toContain('quota exceeded');
});
