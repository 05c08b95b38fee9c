import type { KeyObject } from 'node:crypto';
import { mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { keyId, openDaemonKey } from '../../../src/images/trust/daemon-key.ts';
import { verifyPrettyJws } from '../../../src/images/trust/pretty-jws.ts';
import { TrustStore } from '../../../src/images/trust/trust-store.ts';
import { registerTrustJobs } from '../../../src/supervisor/requests/trust-jobs.ts';
import { tarOf, temporaryDirectory } from '../../support/images.ts';
import { REGISTRY_INSTALLED, RegistryServer, SKOPEO_INSTALLED } from '../../support/registry.ts';
import { jwkOf, newKey, signed, statement } from '../../support/trust-statements.ts';

let temporary: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  temporary = temporaryDirectory();
  mkdirSync(at('trust'));
});
afterEach(() => temporary.remove());

const at = (name: string): string => join(temporary.path, name);
const invalid = (message: RegExp) =>
  expect.objectContaining({ code: 'TSD_TRUST_STORE', message: expect.stringMatching(message) });
const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const clock = { now: () => ({ wallMs: NOW_MS, bootMs: 0 }) };
const openStore = () =>
  new TrustStore({ directory: at('trust'), base: null, clock, timers: systemTimers, log: () => {} });

async function check(key: KeyObject, name: string, permission?: string): Promise<string> {
  const engine = new Engine({ clock, timers: systemTimers });
  registerTrustJobs(engine, clock, openStore());
  const job = engine.job('trust_key_check', [name]);
  job.env.set('PublicKey', JSON.stringify(jwkOf(key)));
  if (permission !== undefined) job.env.set('Permission', permission);
  let answer = '';
  job.stdout.add((text) => {
    answer += text;
  });
  await job.run();
  return answer;
}

describe('the key of a supervisor', () => {
  it('is created once, for root only, in the format of libtrust', () => {
    const key = openDaemonKey(at('key.json'));
    const text = readFileSync(at('key.json'), 'utf8');
    expect(Object.keys(JSON.parse(text))).toEqual(['crv', 'd', 'kid', 'kty', 'x', 'y']);
    expect(text).toContain('\n    "crv": "P-256"');
    expect(JSON.parse(text).kid).toMatch(/^(?:[A-Z2-7]{4}:){11}[A-Z2-7]{4}$/);
    expect(statSync(at('key.json')).mode & 0o777).toBe(0o600);
    expect(keyId(openDaemonKey(at('key.json')))).toBe(keyId(key));
    writeFileSync(at('key.json'), '{}');
    expect(() => openDaemonKey(at('key.json'))).toThrow(invalid(/no P-256 key/));
    expect(() => openDaemonKey(at('key.json'))).toThrow(
      expect.objectContaining({ hint: expect.stringContaining(`mv ${at('key.json')} ${at('key.json')}.damaged-1`) }),
    );
    expect(readFileSync(at('key.json'), 'utf8')).toBe('{}');
  });
});

describe('the trust directory', () => {
  it('answers whether a key may publish under a name', async () => {
    const key = newKey();
    expect(await check(key, '/library')).toBe('no graph\n');
    writeFileSync(at('trust/official.json'), signed(statement(keyId(key)), newKey()));
    expect(await check(key, '/library/nginx')).toBe('verified\n');
    expect(await check(key, '/library/nginx', '16')).toBe('not verified\n');
    expect(await check(newKey(), '/library/nginx')).toBe('not verified\n');
    writeFileSync(at('trust/more.json'), signed(statement('OTHER', { expiration: '2015-01-01T00:00:00Z' }), newKey()));
    expect(await check(key, '/library/nginx')).toBe('expired\n');
  });

  it('is refused with a changed, unsigned or invalid statement', () => {
    const good = signed(statement('KEY'), newKey());
    for (const [text, message] of [
      [good.replace('"KEY"', '"BAD"'), /official.json: a signature is wrong$/],
      [JSON.stringify(statement('KEY')), /official.json: .*signatures/s],
      [signed({ grants: [] }, newKey()), /official.json: .*expiration/s],
      ['{', /official.json: it is not JSON/],
    ] as const) {
      writeFileSync(at('trust/official.json'), text);
      expect(() => openStore(), text).toThrow(invalid(message));
    }
  });
});

describe.skipIf(!REGISTRY_INSTALLED || !SKOPEO_INSTALLED)('what libtrust signs (needs docker-registry, skopeo)', () => {
  it('verifies, and its keys have the same ids', async () => {
    const server = new RegistryServer();
    try {
      await server.start({ schema1: true });
      await server.fill(
        'app:1',
        { layers: [tarOf({ path: 'a' })], history: [{ created: '2024-01-01T00:00:00Z' }] },
        '--format=v2s2',
      );
      const accept = 'application/vnd.docker.distribution.manifest.v1+prettyjws';
      const response = await fetch(`http://${server.host}/v2/app/manifests/1`, { headers: { accept } });
      const bytes = Buffer.from(await response.arrayBuffer());
      const { payload, keys } = verifyPrettyJws(bytes, 'manifest');
      expect(payload).toMatchObject({ schemaVersion: 1, name: 'app', tag: '1' });
      const kids = (JSON.parse(bytes.toString()).signatures as { header: { jwk: { kid: string } } }[]).map(
        ({ header }) => header.jwk.kid,
      );
      expect(keys.map(keyId)).toEqual(kids);
      const changed = Buffer.from(bytes.toString().replace('"app"', '"api"'));
      expect(() => verifyPrettyJws(changed, 'manifest')).toThrow(invalid(/a signature is wrong/));
    } finally {
      await server.stop();
    }
  });
});
