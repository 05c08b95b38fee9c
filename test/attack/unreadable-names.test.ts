/** A manifest whose name is not UTF-8 was ignored silently. */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, test } from 'vitest';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
});
afterAll(() => supervisor.destroy());

const listed = async (): Promise<string> => supervisor.ok('get', 'manifests');

test('is rejected alone and can be removed', async () => {
  const path = Buffer.from(`${join(supervisor.manifests, 'bad')}\xff.yaml`, 'latin1');
  writeFileSync(path, 'containers: {}\n');
  supervisor.drop('good.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
  await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
  await until('the refusal', async () => /bad.*Rejected/.test(await listed()));
  rmSync(path);
  await until('its end', async () => !(await listed()).includes('bad'));
});
