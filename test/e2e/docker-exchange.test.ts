import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { busyboxRootfs, dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { DOCKER_INSTALLED, PrivateDocker } from '../support/private-docker.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
let supervisor: TestSupervisor;
let docker: PrivateDocker;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
  docker = await new PrivateDocker().start();
});
afterEach(async () => {
  await docker.stop();
  await supervisor.destroy();
});

const file = (name: string): string => join(supervisor.base, name);
const idOf = async (tag: string): Promise<string | null | undefined> =>
  (JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[]).find(({ tags }) => tags.includes(tag))?.id;

describe.skipIf(!DOCKER_INSTALLED || busybox === null)(
  'images go both ways (needs docker.io, docker-cli, busybox)',
  () => {
    const config = { Cmd: ['/bin/busybox', 'cat', '/marker'], Labels: { a: 'b' } };
    function bring(): string {
      const rootfs = file('rootfs');
      mkdirSync(rootfs);
      busyboxRootfs(rootfs, busybox ?? '');
      const base = execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 2 ** 28 });
      const layers = [base, tarOf({ path: 'marker', content: 'mine' }, { path: 'etc/.wh.group' })];
      return supervisor.file('in.tar', dockerArchive({ layers, config, names: ['app:1', 'app:same'] }));
    }

    test.each(['docker', 'oci'])('docker loads our %s archive, and we load the archive of docker', async (format) => {
      await supervisor.ok('load', '-i', bring());
      const id = await idOf('app:1');
      await supervisor.ok('save', '--format', format, '-o', file('out.tar'), 'app:1');
      docker.run('load', '-q', '-i', file('out.tar'));
      const [inspected] = JSON.parse(docker.run('inspect', 'app:1'));
      expect(inspected.Id).toBe(`sha256:${id}`);
      expect(inspected.Config).toMatchObject(config);
      docker.run('tag', 'app:1', 'from/docker:2');
      docker.run('save', '-o', file('docker.tar'), 'from/docker:2');
      await supervisor.ok('load', '-i', file('docker.tar'));
      expect(await idOf('from/docker:2')).toBe(id);
    });

    test('each imports the filesystem that the other exports', async () => {
      docker.run('load', '-q', '-i', bring());
      const container = docker.run('create', 'app:1').trim();
      docker.run('export', '-o', file('exported.tar'), container);
      await supervisor.ok('import', file('exported.tar'), 'flat:1', '-c', 'CMD ["/bin/busybox", "cat", "/marker"]');
      await supervisor.ok('save', '-o', file('flat.tar'), 'flat:1');
      supervisor.drop(
        'flat.yaml',
        `images: { flat: { archive: ${file('flat.tar')} } }\ncontainers:\n  flat: { image: flat, restart: "no" }\n`,
      );
      await supervisor.waitFor('flat', 'ended', ({ exitCode }) => exitCode === 0);
      expect(await supervisor.ok('logs', 'flat')).toBe('mine');
      await supervisor.ok('export', 'flat', '-o', file('back.tar'));
      docker.run('import', file('back.tar'), 'back:1');
      docker.run('create', '--name', 'back', 'back:1', '/bin/busybox');
      docker.run('cp', 'back:/marker', file('marker'));
      expect(execFileSync('cat', [file('marker')], { encoding: 'utf8' })).toBe('mine');
    });
  },
);
