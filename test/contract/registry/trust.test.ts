import { generateKeyPairSync } from 'node:crypto';
import { existsSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { sha256, tarOf } from '../../support/images.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED, skopeo } from '../../support/registry.ts';
import { TestHost } from '../../support/registry-client.ts';
import { copySigned, makeSigningKey, type SigningKey } from '../../support/signing.ts';

const layers = [tarOf({ path: 'app', content: 'x' })];
const OCI = 'application/vnd.oci.image.manifest.v1+json';

let server: RegistryServer;
let host: TestHost;
let key: SigningKey;
beforeEach(async () => {
  server = await new RegistryServer().start();
  host = new TestHost();
  key = makeSigningKey(join(host.path, 'keys'), 'ours');
});
afterEach(async () => {
  host.remove();
  await server.stop();
});

const rules = (...lines: readonly string[]): void =>
  writeFileSync(host.policy, `images:\n${lines.map((line) => `  ${server.host}${line}\n`).join('')}`);
const signedByUs = (prefix: string, more = '') => rules(`${prefix}: { signedBy: keys/ours.pub${more} }`);

const expectRefused = async (name: string, message: RegExp): Promise<void> => {
  await expect(host.pull(`${server.host}/${name}`)).rejects.toMatchObject({
    code: 'TSD_IMAGE_UNTRUSTED',
    class: 'denied',
    message: expect.stringMatching(message),
  });
  expect(host.graph.list()).toEqual([]);
  expect(existsSync(host.downloads) ? readdirSync(host.downloads) : []).toEqual([]);
};

const digestOf = async (name: string): Promise<string> =>
  sha256(await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${server.host}/${name}`));

/** Moves the signatures of one image to where those of another are looked for. */
async function moveSignatures(from: string, to: string): Promise<void> {
  const [fromName = '', toName = ''] = [from, to].map((name) => name.split(':')[0]);
  const tag = (digest: string) => `sha256-${digest}.sig`;
  const source = `docker://${server.host}/${fromName}:${tag(await digestOf(from))}`;
  const target = `docker://${server.host}/${toName}:${tag(await digestOf(to))}`;
  await skopeo('copy', '--src-tls-verify=false', '--dest-tls-verify=false', source, target);
}

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('a trust policy (needs docker-registry and skopeo)', () => {
  it('accepts only images that are signed with the key, by tag and by digest', async () => {
    await server.fill('staging/app:1', { layers });
    await copySigned(`${server.host}/staging/app:1`, `${server.host}/team/app:1`, key);
    await server.fill('team/bare:1', { layers });
    signedByUs('/team');
    await expectRefused('team/bare:1', /by the rule for .*\/team of .*policy.yaml, sha256:\w{64} is not signed/);
    const image = await host.pull(`${server.host}/team/app:1`);
    expect(image.layers).toHaveLength(1);
    const again = await host.pull(`${server.host}/team/app@sha256:${await digestOf('team/app:1')}`);
    expect(again.id).toBe(image.id);
    expect((await host.pull(`${server.host}/staging/app:1`)).id).toBe(image.id);
  });

  it('refuses a signature of another key, for another image and for another name', async () => {
    const other = makeSigningKey(join(host.path, 'keys'), 'theirs');
    await server.fill('from/one:1', { layers });
    await server.fill('from/two:1', { layers: [tarOf({ path: 'app', content: 'y' })] });
    const at = (name: string) => `${server.host}/${name}`;
    await copySigned(at('from/two:1'), at('team/theirs:1'), other);
    await copySigned(at('from/one:1'), at('team/one:1'), key);
    await copySigned(at('from/one:1'), at('team/renamed:1'), key, `${at('old/name')}:1`);
    await skopeo('copy', '--src-tls-verify=false', '--dest-tls-verify=false',
      `docker://${at('from/two:1')}`, `docker://${at('team/one:2')}`); // biome-ignore format: one call
    await moveSignatures('team/one:1', 'team/one:2');
    signedByUs('/team');
    await expectRefused('team/theirs:1', /no valid signature: one is not made with a key of the rule$/);
    await expectRefused('team/one:2', /one is for another image$/);
    await expectRefused('team/renamed:1', /one is for the name .*\/old\/name, not .*\/team\/renamed$/);
    signedByUs('/team', `, signedAs: ${at('old')}`);
    expect((await host.pull(at('team/renamed:1'))).layers).toHaveLength(1);
    rules('/team: { signedBy: [keys/ours.pub, keys/theirs.pub] }');
    expect((await host.pull(at('team/theirs:1'))).layers).toHaveLength(1);
  });

  it('refuses invalid data in place of signatures', async () => {
    await server.fill('team/app:1', { layers });
    const digest = await digestOf('team/app:1');
    const manifest = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${server.host}/team/app:1`);
    const put = await fetch(`http://${server.host}/v2/team/app/manifests/sha256-${digest}.sig`, {
      method: 'PUT',
      body: manifest,
      headers: { 'content-type': OCI },
    });
    expect(put.status).toBe(201);
    signedByUs('/team/app');
    await expectRefused('team/app:1', /holds no signature$/);
  });

  it('applies the longest prefix of whole name components', async () => {
    for (const name of ['team/app:1', 'teams/app:1', 'team/open/app:1']) await server.fill(name, { layers });
    rules('/team: reject', '/team/open/: accept');
    await expectRefused('team/app:1', /by the rule for .*\/team of .*, it is rejected$/);
    for (const name of ['teams/app:1', 'team/open/app:1']) await host.pull(`${server.host}/${name}`);
    writeFileSync(host.policy, `default: reject\nimages: { "${server.host}/team/open": accept }\n`);
    await expect(host.pull('nginx')).rejects.toThrow(/nginx:latest: by the rule for default of .*, it is rejected/);
    await host.pull(`${server.host}/team/open/app:1`);
  });

  it('accepts nothing while it is invalid, and reports where', async () => {
    const { publicKey } = generateKeyPairSync('ed25519');
    writeFileSync(join(host.path, 'ed.pub'), publicKey.export({ type: 'spki', format: 'pem' }));
    for (const [text, message, line, column] of [
      ['images: [', /must/i, 1, 10],
      ['default: maybe\n', /^default: must be accept or reject/, 1, 10],
      ['images:\n  docker.io/x: { signedBy: none.pub }\n', /cannot read the public key .*none.pub/, 2, 16],
      ['images:\n  docker.io/x: { signedBy: ed.pub }\n', /no ECDSA key of curve P-256/, 2, 16],
      ['images:\n  docker.io/x: { signedBy: ed.pub, or: 1 }\n', /Unrecognized key: "or"/, 2, 16],
      ['images:\n  nginx: accept\n', /write the name with its registry/, 2, 10],
      ['images:\n  docker.io/a: accept\n  index.docker.io/a: reject\n', /two rules for docker.io\/a/, 3, 22],
      ['imges: {}\n', /imges/, 1, 1],
    ] as const) {
      writeFileSync(host.policy, text);
      await expect(host.pull(`${server.host}/team/app:1`), text).rejects.toMatchObject({
        code: 'TSD_TRUST_POLICY',
        message: expect.stringMatching(message),
        source: { file: host.policy, line, column },
      });
    }
  });
});
