import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { busyboxRootfs, dockerArchive, findBusybox } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { copySigned, makeSigningKey } from '../support/signing.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const busybox = findBusybox();
let supervisor: TestSupervisor;
let server: RegistryServer;

beforeEach(async () => {
  server = await new RegistryServer().start();
  supervisor = new TestSupervisor();
});
afterEach(async () => {
  await supervisor.destroy();
  await server.stop();
});

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED || busybox === null)(
  'a trust policy (needs docker-registry, skopeo and busybox)',
  () => {
    test('signed images run, others are refused, and an edit of the policy takes effect at once', async () => {
      const rootfs = join(server.directory, 'rootfs');
      mkdirSync(rootfs);
      busyboxRootfs(rootfs, busybox ?? '');
      const layers = [execFileSync('tar', ['-C', rootfs, '-cf', '-', '.'], { maxBuffer: 2 ** 28 })];
      const key = makeSigningKey(join(supervisor.base, 'keys'), 'ours');
      await server.fill('staging/app:1', { layers });
      await server.fill('team/bare:1', { layers });
      await copySigned(`${server.host}/staging/app:1`, `${server.host}/team/app:1`, key);
      const policy = supervisor.file('trust.yaml', `images: { "${server.host}/team": { signedBy: ours.pub } }\n`);
      await expect(supervisor.start('--trust-policy', policy)).rejects.toThrow(
        /trust\.yaml:1:\d+: cannot read the public key/,
      );
      supervisor.file('trust.yaml', `images: { "${server.host}/team": { signedBy: keys/ours.pub } }\n`);
      await supervisor.start('--trust-policy', policy);
      const image = (name: string) => `{ image: "${server.host}/${name}", command: ${FOREVER} }`;
      supervisor.drop(
        'app.yaml',
        `containers:\n  good: ${image('team/app:1')}\n  bad: ${image('team/bare:1')}\n  free: ${image('staging/app:1')}\n`,
      );
      for (const name of ['good', 'free']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);
      await supervisor.waitFor('bad', 'told', ({ message }) =>
        /team\/bare:1: by the rule for .* is not signed/.test(message),
      );
      const archive = supervisor.file('a.tar', dockerArchive({ layers, names: [`${server.host}/team/own:1`] }));
      const refused = await supervisor.cli('load', '-i', archive);
      expect(refused.status).toBe(1);
      expect(refused.stderr).toMatch(/team\/own:1: by the rule for .* a file has no signatures/);
      supervisor.file('trust.yaml', 'default: accept\n');
      await supervisor.ok('load', '-i', archive);
      await supervisor.ok('pull', `${server.host}/team/bare:1`);
    });
  },
);
