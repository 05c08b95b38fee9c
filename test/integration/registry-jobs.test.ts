/** Jobs about registries and trust, by name through the engine of a running supervisor. */
import { createPublicKey } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { keyId } from '../../src/images/trust/daemon-key.ts';
import { tarOf } from '../support/images.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../support/registry.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { jwkOf, newKey, signed, statement, TrustServer } from '../support/trust-statements.ts';

const IMAGE = { layers: [tarOf({ path: 'app', content: 'x' })], history: [{ created: '2024-01-01T00:00:00Z' }] };

let registry: RegistryServer;
let base: TrustServer;
let supervisor: TestSupervisor;
const env = (variables: Readonly<Record<string, string>>): string[] =>
  Object.entries(variables).flatMap(([name, value]) => ['--env', `${name}=${value}`]);
const job = (...args: readonly string[]): Promise<CliResult> => supervisor.cli('job', ...args);
const at = (name: string): string => `${registry.host}/${name}`;

async function start(...flags: readonly string[]): Promise<void> {
  supervisor = await new TestSupervisor(flags).start();
}
beforeEach(async () => {
  registry = new RegistryServer();
  base = await new TrustServer().start(null);
});
afterEach(async () => {
  await supervisor.destroy();
  await base.stop();
  await registry.stop();
});

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('jobs of registries (need docker-registry, skopeo)', () => {
  test('an image is searched, pulled, tagged, pushed and listed', async () => {
    await registry.start();
    await registry.fill('team/app:1', IMAGE, '--format=v2s2');
    await start();
    const found = await job('search', 'app', ...env({ registry: registry.host }));
    expect(JSON.parse(found.stdout)).toMatchObject([{ name: expect.stringContaining('team/app') }]);
    expect(await job('pull', at('team/app:1'))).toMatchObject({ status: 0, stderr: '' });
    expect(await job('tag', at('team/app:1'), at('team/app:2'))).toMatchObject({ status: 0 });
    expect(await job('push', at('team/app:2'))).toMatchObject({ status: 0, stderr: '' });
    expect(JSON.parse((await job('tags', at('team/app'))).stdout)).toEqual(['1', '2']);
    const missing = await job('pull', at('team/none:1'));
    expect(missing.status).toBe(1);
    expect(missing.stdout + missing.stderr).toContain('team/none');
  });

  test('auth takes the right login and no other', async () => {
    const login = { username: 'alice', password: 'right' };
    await registry.start({ basic: login });
    await start();
    const serveraddress = registry.host;
    expect(await job('auth', ...env({ serveraddress, ...login }))).toMatchObject({ status: 0 });
    const refused = await job('auth', ...env({ serveraddress, ...login, password: 'wrong' }));
    expect(refused.status).toBe(1);
    expect(supervisor.log).not.toContain('wrong');
  });
});

describe('jobs of trust', () => {
  test('trust_update_base fetches statements, and trust_key_check answers by them', async () => {
    const [publisher, signer] = [newKey(), newKey()];
    const key = env({ PublicKey: JSON.stringify(jwkOf(publisher)) });
    await start('--trust-base', base.url.href);
    expect(await job('trust_key_check', '/team/app', ...key)).toMatchObject({ status: 0, stdout: 'no graph\n' });
    expect(await job('trust_update_base')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('the trust base does not exist there'),
    });
    base.serve(signed(statement(keyId(createPublicKey(publisher)), { subject: '/team' }), signer));
    expect(await job('trust_update_base')).toMatchObject({ status: 0, stderr: '' });
    expect((await job('trust_key_check', '/team/app', ...key)).stdout).toBe('verified\n');
    expect((await job('trust_key_check', '/other', ...key)).stdout).toBe('not verified\n');
    expect((await job('trust_key_check', '/team/app', ...key, ...env({ Permission: '16' }))).stdout).toBe(
      'not verified\n',
    );
    expect((await job('trust_key_check', '/team/app', ...key, ...env({ Permission: 'abc' }))).stderr).toContain(
      'Permission is a whole number, not abc',
    );
    expect(await job('trust_key_check', '/team/app')).toMatchObject({
      status: 1,
      stderr: expect.stringContaining('PublicKey is missing'),
    });
  });

  test('without a base trust_update_base fails and names the flag', async () => {
    await start();
    const failed = await job('trust_update_base');
    expect(failed).toMatchObject({ status: 1, stderr: expect.stringContaining('there is no trust base to fetch') });
    expect(failed.stderr).toContain('--trust-base');
    expect(base.requests).toBe(0);
  });
});
