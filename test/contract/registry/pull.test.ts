import { randomBytes } from 'node:crypto';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PushProgress } from '../../../src/images/registry/push.ts';
import { ociLayout, sha256, tarOf, writeFiles } from '../../support/images.ts';
import {
  makeCertificates,
  REGISTRY_INSTALLED,
  RegistryServer,
  SKOPEO_INSTALLED,
  skopeo,
} from '../../support/registry.ts';
import { reference, TestHost } from '../../support/registry-client.ts';
import { TokenServer } from '../../support/token-server.ts';

const layers = [
  tarOf({ path: 'bin', type: 'directory' }, { path: 'bin/app', content: randomBytes(300_000) }),
  tarOf({ path: 'etc/new', content: 'y' }, { path: 'bin/.wh.app' }),
];

let server: RegistryServer;
let host: TestHost;
beforeEach(() => {
  server = new RegistryServer();
  host = new TestHost();
});
afterEach(async () => {
  host.remove();
  await server.stop();
});

const LOGIN = { username: 'me', password: 'se:cret' };
const parts = () => (existsSync(host.downloads) ? readdirSync(host.downloads) : []);
const layerFile = (id: string, path: string): string => readFileSync(join(host.graph.openLayer(id).path, path), 'utf8');

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('docker-registry (needs docker-registry and skopeo)', () => {
  it('gives an image by tag, then by digest, and leaves no part of the download', async () => {
    await server.start();
    await server.fill('team/app:v1', { layers, config: { Cmd: ['/bin/app'] } });
    const image = await host.pull(`${server.host}/team/app:v1`);
    expect(image.references).toEqual([`${server.host}/team/app:v1`]);
    expect(image.config.cmd).toEqual(['/bin/app']);
    expect(image.layers.map(({ diffId }) => diffId)).toEqual(layers.map(sha256));
    expect(layerFile(image.topLayer ?? '', 'etc/new')).toBe('y');
    expect(parts()).toEqual([]);
    const digest = await skopeo(
      'inspect',
      '--tls-verify=false',
      '--format={{.Digest}}',
      `docker://${server.host}/team/app:v1`,
    );
    const again = await host.pull(`${server.host}/team/app@${digest.trim()}`);
    expect(again.id).toBe(image.id);
    expect(again.references).toEqual([]);
    expect(host.events.filter(({ type }) => type === 'layer-exists')).toHaveLength(2);
  });

  it('names the missing image or registry', async () => {
    await server.start();
    await expect(host.pull(`${server.host}/none:1`)).rejects.toMatchObject({
      code: 'TSD_REGISTRY_NOT_FOUND',
      message: `manifest none:1: ${server.host} answers 404: manifest unknown`,
    });
    await expect(host.pull('127.0.0.1:1/none')).rejects.toMatchObject({ code: 'TSD_REGISTRY', class: 'unavailable' });
  });

  it('requires the login of htpasswd and refuses a wrong one', async () => {
    await server.start({ basic: LOGIN });
    await server.fill('app:1', { layers }, `--dest-creds=${LOGIN.username}:${LOGIN.password}`);
    await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
    const wrong = { type: 'password', username: 'me', password: 'x' } as const;
    await expect(host.pull(`${server.host}/app:1`, { credentials: wrong })).rejects.toMatchObject({
      code: 'TSD_REGISTRY_DENIED',
    });
    const { signal } = new AbortController();
    await expect(host.registry.checkLogin(server.host, wrong, signal)).rejects.toMatchObject({ class: 'denied' });
    const right = { type: 'password', ...LOGIN } as const;
    await host.registry.checkLogin(server.host, right, signal);
    await host.logins.set(server.host, right);
    expect((await host.pull(`${server.host}/app:1`)).layers).toHaveLength(2);
  });

  it('is trusted over TLS by the CA of its folder, and asked with the client certificate in it', async () => {
    host.remove();
    host = new TestHost({ insecure: [] });
    const made = makeCertificates(join(server.directory, 'certs'));
    await server.start({ tls: { cert: made.cert, key: made.key, clientCa: made.ca } });
    await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({
      class: 'denied',
      message: expect.stringMatching(/certificate of .* is not trusted/),
    });
    const folder = join(host.path, 'certs.d', server.host);
    mkdirSync(folder, { recursive: true });
    copyFileSync(made.ca, join(folder, 'ca.crt'));
    copyFileSync(made.cert, join(folder, 'client.cert'));
    copyFileSync(made.key, join(folder, 'client.key'));
    await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_NOT_FOUND' });
  });

  it('serves an index: the image of this platform, or of the one asked for', async () => {
    await server.start();
    const layout = join(host.path, 'multi');
    mkdirSync(layout);
    await server.fill('multi:native', { layers: layers.slice(0, 1) });
    await server.fill('multi:other', { layers: layers.slice(1), architecture: 's390x' });
    const describe = async (tag: string, architecture: string) => {
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${server.host}/multi:${tag}`);
      return {
        mediaType: 'application/vnd.oci.image.manifest.v1+json',
        digest: `sha256:${sha256(raw)}`,
        size: raw.length,
        platform: { os: 'linux', architecture },
      };
    };
    const native = process.arch === 'x64' ? 'amd64' : process.arch;
    const mediaType = 'application/vnd.oci.image.index.v1+json';
    const index = JSON.stringify({
      schemaVersion: 2,
      mediaType,
      manifests: [await describe('other', 's390x'), await describe('native', native)],
    });
    const put = await fetch(`http://${server.host}/v2/multi/manifests/all`, {
      method: 'PUT',
      body: index,
      headers: { 'content-type': mediaType },
    });
    expect(put.status).toBe(201);
    expect((await host.pull(`${server.host}/multi:all`)).layers[0]?.diffId).toBe(sha256(layers[0] ?? ''));
    expect((await host.pull(`${server.host}/multi:all`, { platform: 'linux/s390x' })).layers[0]?.diffId).toBe(
      sha256(layers[1] ?? ''),
    );
    await expect(host.pull(`${server.host}/multi:all`, { platform: 'linux/mips' })).rejects.toThrow(
      /for linux\/s390x, linux\/amd64, not for linux\/mips/,
    );
  });

  it('holds layers compressed with zstd, and Docker manifests', async () => {
    await server.start();
    const at = (name: string) => join(host.path, name);
    writeFiles(at('oci'), ociLayout({ layers, names: ['it'] }));
    // Skopeo compresses what it finds uncompressed.
    await skopeo('copy', '--dest-decompress', `oci:${at('oci')}:it`, `dir:${at('plain')}`);
    const zstd = ['--dest-tls-verify=false', '--dest-compress-format=zstd'];
    await skopeo('copy', ...zstd, `dir:${at('plain')}`, `docker://${server.host}/app:zstd`);
    await server.fill('app:schema2', { layers }, '--format=v2s2');
    const expected = layers.map(sha256);
    expect((await host.pull(`${server.host}/app:schema2`)).layers.map(({ diffId }) => diffId)).toEqual(expected);
    const other = new TestHost();
    try {
      const raw = await skopeo('inspect', '--raw', '--tls-verify=false', `docker://${server.host}/app:zstd`);
      expect(raw).toContain('tar+zstd');
      expect((await other.pull(`${server.host}/app:zstd`)).layers.map(({ diffId }) => diffId)).toEqual(expected);
    } finally {
      other.remove();
    }
  });

  it('serves an image to a valid login while it refuses an invalid one', async () => {
    await server.start({ basic: LOGIN });
    await server.fill('app:1', { layers }, `--dest-creds=${LOGIN.username}:${LOGIN.password}`);
    const right = { type: 'password', ...LOGIN } as const;
    const wrong = host.pull(`${server.host}/app:1`, { credentials: { ...right, password: 'no' } });
    const refused = expect(wrong).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
    const image = await host.pull(`${server.host}/app:1`, { credentials: right });
    await refused;
    expect(image.layers).toHaveLength(2);
  });

  it('gets one request for two pulls of the same image', async () => {
    await server.start();
    await server.fill('app:1', { layers });
    const [first, second] = await Promise.all([host.pull(`${server.host}/app:1`), host.pull(`${server.host}/app:1`)]);
    expect(second).toBe(first);
    expect(host.events).toContainEqual({
      type: 'reading',
      what: `Repository ${server.host}/app:1 already being pulled by another client. Waiting.`,
    });
  });

  it('lists tags, and its catalog where it has no search', async () => {
    await server.start();
    for (const tag of ['b', 'a']) await server.fill(`team/app:${tag}`, { layers });
    const asked = { credentials: null, signal: new AbortController().signal };
    expect(await host.registry.tags(reference(`${server.host}/team/app`), asked)).toEqual(['a', 'b']);
    expect(await host.registry.search(server.host, 'APP', asked)).toMatchObject([{ name: 'team/app' }]);
    expect(await host.registry.search(server.host, 'nothing', asked)).toEqual([]);
  });

  it('accepts a push, and skopeo reads it back', async () => {
    await server.start();
    await server.fill('app:1', { layers, config: { Labels: { a: 'b' } } });
    const image = await host.pull(`${server.host}/app:1`);
    const digest = await host.push(image, `${server.host}/copy/app:2`);
    const inspected = JSON.parse(await skopeo('inspect', '--tls-verify=false', `docker://${server.host}/copy/app:2`));
    expect(inspected).toMatchObject({ Digest: digest, Labels: { a: 'b' } });
    const other = new TestHost();
    try {
      expect((await other.pull(`${server.host}/copy/app:2`)).id).toBe(image.id);
    } finally {
      other.remove();
    }
    const second = await new RegistryServer().start();
    try {
      await host.push(image, `${second.host}/far/app:1`);
      const config = await skopeo(
        'inspect',
        '--config',
        '--raw',
        '--tls-verify=false',
        `docker://${second.host}/far/app:1`,
      );
      expect(sha256(config)).toBe(image.id);
      expect(await host.push(image, `${second.host}/far/app:1`)).toMatch(/^sha256:/);
    } finally {
      await second.stop();
    }
  });

  it('needs no login to pull a public image, and one to push', async () => {
    const made = makeCertificates(join(server.directory, 'certs'));
    const tokens = await new TokenServer({ ...made, ...LOGIN }).start();
    const login = { type: 'password', ...LOGIN } as const;
    try {
      await server.start({ token: tokens.config });
      await server.fill('public/app:1', { layers }, `--dest-creds=${LOGIN.username}:${LOGIN.password}`);
      const image = await host.pull(`${server.host}/public/app:1`);
      await expect(host.push(image, `${server.host}/own/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
      const wrong = { ...login, password: 'x' };
      await expect(host.push(image, `${server.host}/own/app:1`, wrong)).rejects.toMatchObject({ class: 'denied' });
      const events: PushProgress[] = [];
      const digest = await host.push(image, `${server.host}/own/app:1`, login, events);
      expect(events.map(({ stage }) => stage)).toEqual(['mounted', 'mounted']);
      expect(tokens.asked).toContainEqual(['repository:own/app:pull,push', 'repository:public/app:pull']);
      await expect(host.pull(`${server.host}/own/app@${digest}`)).rejects.toMatchObject({ class: 'denied' });
      expect((await host.pull(`${server.host}/own/app:1@${digest}`, { credentials: login })).id).toBe(image.id);
      const asked = { credentials: login, signal: new AbortController().signal };
      expect(await host.registry.search(server.host, 'own', asked)).toMatchObject([{ name: 'own/app' }]);
    } finally {
      await tokens.stop();
    }
  });

  it('gets a layer from another of its repositories without a transfer', async () => {
    await server.start();
    await server.fill('app:1', { layers });
    const image = await host.pull(`${server.host}/app:1`);
    const stages = async (name: string): Promise<string[]> => {
      const events: PushProgress[] = [];
      await host.push(image, `${server.host}/${name}`, null, events);
      return events.map(({ stage }) => stage);
    };
    expect(await stages('other/app:1')).toEqual(['mounted', 'mounted']);
    expect(await stages('other/app:2')).toEqual(['exists', 'exists']);
  });

  it('is trusted without a certificate only in the configured address range', async () => {
    const made = makeCertificates(join(server.directory, 'certs'));
    await server.start({ tls: { cert: made.cert, key: made.key }, address: '127.0.0.2' });
    await server.fill('app:1', { layers });
    const strict = new TestHost({ insecure: ['127.0.0.3/32', '10.0.0.0/8'] });
    const lax = new TestHost({ insecure: ['127.0.0.2/31'] });
    const named = new TestHost({ insecure: [server.host] });
    try {
      await expect(strict.pull(`${server.host}/app:1`)).rejects.toMatchObject({ class: 'denied' });
      for (const trusting of [lax, named]) expect((await trusting.pull(`${server.host}/app:1`)).layers).toHaveLength(2);
    } finally {
      for (const used of [strict, lax, named]) used.remove();
    }
  });
});
