/** A supervisor with a trust base: pulls ask the engine's jobs, and a base that is gone stops nothing. */
import { createPublicKey } from 'node:crypto';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyId } from '../../src/images/trust/daemon-key.ts';
import { tarOf } from '../support/images.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { newKey, signed, statement, TrustServer } from '../support/trust-statements.ts';
import { until } from '../support/wait.ts';

const SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('--trust-base (needs docker-registry and skopeo)', () => {
  let registry: RegistryServer;
  let base: TrustServer;
  let supervisor: TestSupervisor;
  beforeEach(async () => {
    registry = await new RegistryServer().start({ schema1: true });
    const layers = [tarOf({ path: 'app', content: 'x' })];
    await registry.fill('team/app:1', { layers, history: [{ created: '2024-01-01T00:00:00Z' }] }, '--format=v2s2');
    base = await new TrustServer().start(null);
    supervisor = new TestSupervisor(['--trust-base', base.url.href, '--debug']);
  });
  afterEach(async () => {
    await supervisor.destroy();
    await base.stop();
    await registry.stop();
  });

  test('lets a pull say whether the image is verified', async () => {
    const answer = await fetch(`http://${registry.host}/v2/team/app/manifests/1`, { headers: { accept: SIGNED } });
    const { signatures } = (await answer.json()) as { signatures: [{ header: { jwk: { kty: string } } }] };
    const signer = createPublicKey({ key: signatures[0].header.jwk, format: 'jwk' });
    base.serve(signed(statement(keyId(signer), { subject: '/team' }), newKey()));
    await supervisor.start();
    await until('the base being fetched by itself', () => existsSync(join(supervisor.root, 'trust/official.json')));
    expect(await supervisor.ok('pull', `${registry.host}/team/app:1`)).toContain(
      'The image you are pulling has been verified',
    );
    for (const job of ['trust_update_base()', 'trust_key_check(/team/app)'])
      expect(supervisor.log).toContain(`+job ${job}`);
  });

  test('that is not there stops neither the supervisor nor a pull', async () => {
    await supervisor.start();
    const pulled = await supervisor.ok('pull', `${registry.host}/team/app:1`);
    expect(pulled).toContain('the trust base could not be updated');
    expect(pulled).toContain('is not verified: no graph');
    await until('the log saying so', () => supervisor.log.includes('the trust base does not exist there'));
    await supervisor.stop();
  });
});
