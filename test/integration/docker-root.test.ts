/** A root that Docker 1.4 left behind, taken over by the real supervisor. */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { DOCKER_IDS, writeDockerRoot } from '../support/docker-root.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = new TestSupervisor();
  mkdirSync(supervisor.root, { recursive: true });
  writeDockerRoot(supervisor.root);
  await supervisor.start();
});

afterEach(async () => {
  await supervisor.stop();
  for (const name of ['web', 'db', 'old'] as const) {
    rmSync(join(supervisor.root, 'containers', DOCKER_IDS[name]), { recursive: true, force: true });
  }
  await supervisor.destroy();
});

test('shows its containers without changing them, knows its images and names, and runs ours beside them', async () => {
  const before = readFileSync(join(supervisor.root, 'containers', DOCKER_IDS.db, 'config.json'), 'utf8');
  // The pid of `web` in the fixture is this process: a signal to it would end the test.
  expect(await supervisor.container('web')).toMatchObject({
    phase: 'Exited',
    pid: null,
    engineName: 'web',
    source: null,
  });
  expect(await supervisor.container('db')).toMatchObject({ phase: 'Exited', exitCode: 3, restarts: 0 });
  const old = await supervisor.container('old');
  expect(old).toMatchObject({ phase: 'Exited', pid: null });
  expect(old?.message).toContain('aufs');

  const images = JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[];
  expect(images.map(({ id, tags }) => [id, [...tags].sort()]).sort()).toEqual([
    [DOCKER_IDS.baseImage, ['me/app:v1']],
    [DOCKER_IDS.image, ['busybox:latest', 'me/app:latest']],
  ]);

  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  ours: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('ours', 'ready', ({ ready }) => ready);
  await supervisor.crash();
  await supervisor.start();
  expect((await supervisor.containers()).map(({ name, phase }) => `${name} ${phase}`).sort()).toEqual([
    'db Exited',
    'old Exited',
    'ours Running',
    'web Exited',
  ]);
  expect(readFileSync(join(supervisor.root, 'containers', DOCKER_IDS.db, 'config.json'), 'utf8')).toBe(before);
  expect(existsSync(join(supervisor.root, 'vfs', 'dir', DOCKER_IDS.volume, 'kept'))).toBe(true);
});
