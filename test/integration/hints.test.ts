/** Hints: the next command to type, in every view that shows a wait. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { app, FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = new TestSupervisor();
  await supervisor.start();
});

afterEach(async () => {
  await supervisor.destroy();
});

/** All commands that show a waiting resource have the same hint. */
async function expectHint(file: string, resource: string, hint: string): Promise<void> {
  const applied = await supervisor.cli('apply', '-f', file, '--wait=4s');
  expect(applied).toMatchObject({ status: 1, stderr: expect.stringContaining(`hint: ${hint}`) });
  const planned = await until('the plan to give the hint', async () => {
    const plan = await supervisor.cli('plan');
    return plan.status === 2 && plan.stdout.includes(`hint: ${hint}`) ? plan : null;
  });
  // While it is tried once more there is nothing to do.
  for (const command of ['why', 'describe'])
    await until(`${command} to give the hint`, async () => (await supervisor.ok(command, resource)).includes(hint));
  for (const { stdout } of [planned, applied]) expect(stdout).not.toContain('nothing else has to be done');
}

test('a bind source that is missing', async () => {
  const source = join(supervisor.base, 'data');
  const bind = `  web: { image: busybox, command: ${FOREVER}, volumes: ["${source}:/data"] }\n`;
  const file = supervisor.file('app.yaml', app(bind));
  await expectHint(file, 'web', `Create it with \`mkdir -p ${source}\`, or write \`create: true\` at that mount.`);
  mkdirSync(source);
  await supervisor.waitFor('web', 'running', ({ pid }) => pid !== null);
  expect((await supervisor.cli('plan')).status).toBe(0);
});

test('a bind source that is missing and has the name of a file', async () => {
  const source = join(supervisor.base, 'ngnix.conf');
  const bind = `  misread: { image: busybox, command: ${FOREVER}, volumes: ["${source}:/nginx.conf:ro"] }\n`;
  const file = supervisor.file('misread.yaml', app(bind));
  await expectHint(file, 'misread', `Correct the path in the manifest, or create the file ${source}.`);
});

test('a command that is not in the image, also after a restart of the supervisor', async () => {
  const file = supervisor.file('app.yaml', app('  web: { image: busybox, command: [no-such-program] }\n'));
  const hint = 'Check command and entrypoint against the image.';
  await expectHint(file, 'web', hint);
  await supervisor.crash();
  await supervisor.start();
  await supervisor.waitFor('web', 'waits again', ({ message }) => message.includes('no-such-program'));
  await until('why to give the hint', async () => (await supervisor.ok('why', 'web')).includes(`hint: ${hint}`));
});

test.skipIf(!REGISTRY_INSTALLED)('an image missing from its registry', async () => {
  const server = new RegistryServer();
  try {
    await server.start();
    const name = `${server.host}/team/absent`;
    const file = supervisor.file(
      'app.yaml',
      `images:\n  app: { pull: "${name}:v9" }\ncontainers:\n  web: { image: app, command: ${FOREVER} }\n`,
    );
    const hint = `Check the name: \`tsdocker tags ${name}\` lists its tags.`;
    await expectHint(file, 'image/app/app', hint);
    // What waits for it says the same.
    await supervisor.waitFor('web', 'waits', ({ hint: own }) => own.includes(hint));
    expect((await supervisor.cli('pull', `${name}:v9`)).stderr).toContain(hint);
  } finally {
    await server.stop();
  }
});
