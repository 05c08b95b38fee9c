/**
 * `docker compose` (Debian's docker-compose) with one project, from its first start to its last removal. Its transcript is
 * that of Debian's dockerd 26.1, in test/fixtures/compose-on-dockerd.txt. With TSD_DOCKERD=1 the same steps are taken on a
 * dockerd of the test's own (docker.io), beside the supervisor, and compared with the file too; TSD_DOCKERD=write writes it.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { composeScenario, transcript } from '../support/compose-scenario.ts';
import { docker } from '../support/docker-client.ts';
import { DOCKER_INSTALLED, PrivateDocker } from '../support/private-docker.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const COMPOSE_INSTALLED = spawnSync('docker-compose', ['version']).error === undefined;
const FIXTURE = join(import.meta.dirname, '../fixtures/compose-on-dockerd.txt');
const BESIDE = process.env.TSD_DOCKERD ?? '';
const LIMIT_MS = 600_000;

/** Programs that the steps use beside those of every test. */
const APPLETS = ['nslookup', 'grep', 'mkdir', 'rm', 'tar', 'test'];
const archive = (): Buffer => busyboxArchive('busybox:latest', {}, APPLETS);

async function load(socket: string): Promise<void> {
  const loaded = await docker(socket, ['load'], { input: archive() });
  expect(loaded.status, loaded.stderr).toBe(0);
}

describe.skipIf(!COMPOSE_INSTALLED)('docker compose (needs docker-compose and docker-cli)', () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-test-compose-'));
  const supervisor = new TestSupervisor();

  beforeAll(async () => {
    await supervisor.start();
    await load(supervisor.socket);
  }, 60_000);
  afterAll(async () => {
    await supervisor.destroy();
    rmSync(directory, { recursive: true, force: true });
  }, 60_000);

  test('every command says and does what it does with dockerd', { timeout: LIMIT_MS }, async () => {
    const made = await docker(supervisor.socket, ['network', 'create', 'probe']);
    expect(made.status, made.stderr).toBe(0);
    const { stdout } = await docker(supervisor.socket, [
      'network',
      'inspect',
      '-f',
      '{{(index .IPAM.Config 0).Subnet}}',
      'probe',
    ]);
    await docker(supervisor.socket, ['network', 'rm', 'probe']);
    const subnet = stdout.trim().replace(/\.0\/24$/, '');
    const steps = await composeScenario({ socket: supervisor.socket, directory: join(directory, 'ours'), subnet });
    expect(transcript(steps)).toBe(readFileSync(FIXTURE, 'utf8'));
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    expect(await supervisor.containers()).toEqual([]);
  });

  test.runIf(BESIDE !== '' && DOCKER_INSTALLED)(
    'the transcript is that of dockerd (needs docker.io)',
    { timeout: LIMIT_MS },
    async () => {
      const group = `tsd-test-compose-${process.pid}`;
      const dockerd = new PrivateDocker(['--cgroup-parent', `/${group}`, '--exec-opt', 'native.cgroupdriver=cgroupfs']);
      await dockerd.start();
      try {
        await load(dockerd.socket);
        const steps = await composeScenario({
          socket: dockerd.socket,
          directory: join(directory, 'dockerd'),
          subnet: '10.77.0',
        });
        if (BESIDE === 'write') writeFileSync(FIXTURE, transcript(steps));
        expect(transcript(steps)).toBe(readFileSync(FIXTURE, 'utf8'));
      } finally {
        await dockerd.stop();
        for (const hierarchy of ['.', ...readdirSync('/sys/fs/cgroup')]) {
          const path = join('/sys/fs/cgroup', hierarchy, group);
          if (existsSync(path)) rmdirSync(path);
        }
      }
    },
  );
});
