/** Pulls that ask the trust jobs of the engine, as Docker 1.4's did: a real registry that signs, and one that lies. */
import { createPublicKey, type KeyObject } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { systemClock } from '../../../src/ffi/boot-clock.ts';
import { keyId } from '../../../src/images/trust/daemon-key.ts';
import type { TrustBase } from '../../../src/images/trust/trust-store.ts';
import { TrustStore } from '../../../src/images/trust/trust-store.ts';
import { registerTrustJobs, trustJobs } from '../../../src/supervisor/requests/trust-jobs.ts';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { tarOf, temporaryDirectory } from '../../support/images.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../../support/registry.ts';
import { TestHost } from '../../support/registry-client.ts';
import { newKey, signed, statement } from '../../support/trust-statements.ts';

const SIGNED = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
const layers = [tarOf({ path: 'app', content: 'x' }), tarOf({ path: 'more', content: 'y' })];

let temporary: ReturnType<typeof temporaryDirectory>;
let log: string[];
let hosts: TestHost[];
beforeEach(() => {
  temporary = temporaryDirectory();
  mkdirSync(join(temporary.path, 'trust'));
  log = [];
  hosts = [];
});
afterEach(() => {
  for (const host of hosts) host.remove();
  temporary.remove();
});

/** A host whose pulls ask an engine with this statement. @param base null: there is nothing to fetch */
function hostWith(written: string | null, base: TrustBase | null = null): TestHost {
  if (written !== null) writeFileSync(join(temporary.path, 'trust/official.json'), written);
  const engine = new Engine({ clock: systemClock, timers: systemTimers, log: (line) => log.push(line) });
  const directory = join(temporary.path, 'trust');
  const store = new TrustStore({
    directory,
    base,
    clock: systemClock,
    timers: { after: () => () => {} },
    log: () => {},
  });
  registerTrustJobs(engine, systemClock, store);
  const host = new TestHost({}, trustJobs(engine));
  hosts.push(host);
  return host;
}
const said = (host: TestHost) => host.events.flatMap((event) => (event.type === 'reading' ? [event.what] : []));

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('a pull (needs docker-registry and skopeo)', () => {
  let server: RegistryServer;
  beforeEach(async () => {
    server = await new RegistryServer().start({ schema1: true });
    const history = layers.map(() => ({ created: '2024-01-01T00:00:00Z' }));
    await server.fill('team/app:1', { layers, history }, '--format=v2s2');
  });
  afterEach(() => server.stop());

  /** The key that this registry signs with. */
  async function signer(): Promise<KeyObject> {
    const answer = await fetch(`http://${server.host}/v2/team/app/manifests/1`, { headers: { accept: SIGNED } });
    const { signatures } = (await answer.json()) as { signatures: [{ header: { jwk: { kty: string } } }] };
    return createPublicKey({ key: signatures[0].header.jwk, format: 'jwk' });
  }

  it('says that an image is verified whose signer has the name', async () => {
    const grant = statement(keyId(await signer()), { subject: '/team' });
    const host = hostWith(signed(grant, newKey()));
    const image = await host.pull(`${server.host}/team/app:1`);
    expect(image.layers).toHaveLength(2);
    expect(said(host)).toContain('The image you are pulling has been verified');
    const jobs = log.filter((line) => line.startsWith('+'));
    expect(jobs).toEqual(['+job trust_update_base()', '+job trust_key_check(/team/app)']);
  });

  it('goes on without a grant, and says so', async () => {
    const host = hostWith(signed(statement(keyId(newKey()), { subject: '/team' }), newKey()));
    await host.pull(`${server.host}/team/app:1`);
    expect(said(host).join('\n')).toMatch(/team\/app:1 is not verified: not verified/);
  });

  it('says that a grant expired, or that there are no statements at all', async () => {
    const without = hostWith(null);
    await without.pull(`${server.host}/team/app:1`);
    expect(said(without).join('\n')).toMatch(/is not verified: no graph/);
    const past = { subject: '/team', expiration: '2015-01-01T00:00:00Z' };
    const expired = hostWith(signed(statement(keyId(await signer()), past), newKey()));
    await expired.pull(`${server.host}/team/app:1`);
    expect(said(expired).join('\n')).toMatch(/is not verified: expired/);
  });

  it('goes on by what is held when the base cannot be fetched', async () => {
    const grant = statement(keyId(await signer()), { subject: '/team' });
    const unreachable = { name: 'the base', fetch: () => Promise.reject(new Error('no route')) };
    const host = hostWith(signed(grant, newKey()), unreachable);
    await host.pull(`${server.host}/team/app:1`);
    expect(said(host).join('\n')).toMatch(/the trust base could not be updated: no route/);
    expect(said(host)).toContain('The image you are pulling has been verified');
  });
});

describe('a registry that lies', () => {
  let registry: FakeRegistry;
  beforeEach(async () => {
    registry = await new FakeRegistry().start();
    registry.add('team/app:1', { layers });
  });
  afterEach(() => registry.stop());

  const answering = (body: string) => {
    registry.intercept = (request, response) => {
      if (request.headers.accept !== SIGNED) return false;
      response.writeHead(200, { 'content-type': SIGNED }).end(body);
      return true;
    };
  };
  const manifest = (name: string) => ({
    schemaVersion: 1,
    name,
    tag: '1',
    architecture: 'amd64',
    fsLayers: [],
    history: [],
  });

  it('with a signed manifest that was changed is refused', async () => {
    const host = hostWith(null);
    answering(signed(manifest('team/app'), newKey()).replace('amd64', 'arm64'));
    await expect(host.pull(`${registry.host}/team/app:1`)).rejects.toMatchObject({
      code: 'TSD_IMAGE_UNTRUSTED',
      message: expect.stringMatching(/a signature is wrong/),
    });
    expect(host.graph.list()).toEqual([]);
  });

  it('with the signed manifest of another image is refused', async () => {
    const host = hostWith(null);
    answering(signed(manifest('team/other'), newKey()));
    await expect(host.pull(`${registry.host}/team/app:1`)).rejects.toMatchObject({
      code: 'TSD_IMAGE_UNTRUSTED',
      message: expect.stringMatching(/is for team\/other:1/),
    });
  });

  it('with a right signature over other layers verifies nothing', async () => {
    const key = newKey();
    const host = hostWith(signed(statement(keyId(key), { subject: '/team' }), newKey()));
    answering(signed(manifest('team/app'), key));
    await host.pull(`${registry.host}/team/app:1`);
    expect(said(host).join('\n')).toMatch(/is not verified: the signed manifest has other layers/);
  });
});
