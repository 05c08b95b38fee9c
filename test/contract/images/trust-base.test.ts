/** Statements fetched from a real server: over TLS, with libtrust's signatures, by the jobs of the engine. */
import type { KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { keyId } from '../../../src/images/trust/daemon-key.ts';
import { fetchBase } from '../../../src/images/trust/trust-base.ts';
import { TrustStore } from '../../../src/images/trust/trust-store.ts';
import { registerTrustJobs, trustJobs } from '../../../src/supervisor/requests/trust-jobs.ts';
import { temporaryDirectory } from '../../support/images.ts';
import { jwkOf, newKey, signed, statement, TrustServer } from '../../support/trust-statements.ts';
import { until } from '../../support/wait.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const clock = { now: () => ({ wallMs: NOW_MS, bootMs: 0 }) };
const signer = newKey();
const publisher = newKey();

let temporary: ReturnType<typeof temporaryDirectory>;
let server: TrustServer;
let logged: string[];
const opened: TrustStore[] = [];
const at = (name: string) => join(temporary.path, name);
beforeEach(async () => {
  temporary = temporaryDirectory();
  server = await new TrustServer().start(at('tls'));
  const certs = at(`certs.d/${server.url.host}`);
  mkdirSync(certs, { recursive: true });
  writeFileSync(join(certs, 'ca.crt'), readFileSync(at('tls/ca.crt')));
  logged = [];
});
afterEach(async () => {
  for (const store of opened.splice(0)) store.close();
  await server.stop();
  temporary.remove();
});

/** Certificates are looked at: nothing is insecure here. */
function openStore(certificates = [at('certs.d')]): TrustStore {
  const settings = { mirrors: [], insecure: [], certificates };
  const base = { name: server.url.href, fetch: (signal: AbortSignal) => fetchBase(server.url, settings, signal) };
  const store = new TrustStore({
    directory: at('trust'),
    base,
    clock,
    timers: systemTimers,
    log: (text) => logged.push(text),
  });
  opened.push(store);
  return store;
}

function jobsOf(store: TrustStore) {
  const engine = new Engine({ clock, timers: systemTimers });
  registerTrustJobs(engine, clock, store);
  return trustJobs(engine);
}
const ask = (store: TrustStore, key: KeyObject, name = '/library/nginx') =>
  jobsOf(store).checkKey(name, JSON.stringify(jwkOf(key)));

test('trust_update_base fetches official.json over TLS, and trust_key_check goes by it', async () => {
  const store = openStore();
  expect(await ask(store, publisher)).toBe('no graph');
  server.serve(signed(statement(keyId(publisher)), signer));
  await jobsOf(store).updateBase();
  expect(statSync(at('trust/official.json')).mode & 0o777).toBe(0o600);
  expect(await ask(store, publisher)).toBe('verified');
  expect(await ask(store, newKey())).toBe('not verified');
  expect(await ask(openStore(), publisher)).toBe('verified');
  expect(logged).toEqual([`trust base ${server.url.href} is signed by ${keyId(signer)}, which is kept`]);
});

test('a later statement of the same key takes a grant away', async () => {
  const store = openStore();
  server.serve(signed(statement(keyId(publisher)), signer));
  await store.update();
  const revocations = [{ subject: '/library', revocation: 15, grantee: keyId(publisher) }];
  server.serve(signed(statement(keyId(newKey()), { issuedAt: '2015-01-01T00:00:00Z', revocations }), signer));
  await store.update();
  expect(await ask(store, publisher)).toBe('not verified');
});

test('statements are fetched by themselves: at once without one, again before they expire', async () => {
  const store = openStore();
  const inOneSecond = new Date(NOW_MS + 1_000).toISOString();
  server.serve(signed(statement(keyId(publisher), { expiration: inOneSecond }), signer));
  store.begin();
  await until('the first fetch', () => existsSync(at('trust/official.json')));
  await until('another one', () => server.requests > 1);
});

test('who asks while a fetch goes on waits for the same one', async () => {
  const store = openStore();
  server.serve(signed(statement(keyId(publisher)), signer));
  await Promise.all([store.update(), store.update(), store.update()]);
  expect(server.requests).toBe(1);
});

test('without a base the job fails and says what to set', async () => {
  const store = new TrustStore({ directory: at('trust'), base: null, clock, timers: systemTimers, log: () => {} });
  await expect(jobsOf(store).updateBase()).rejects.toMatchObject({
    code: 'TSD_TRUST_BASE',
    hint: expect.stringContaining('--trust-base'),
  });
});

test('a server whose certificate nothing vouches for is not believed', async () => {
  server.serve(signed(statement(keyId(publisher)), signer));
  await expect(openStore([]).update()).rejects.toMatchObject({ class: 'denied', message: /certificate/ });
  expect(existsSync(at('trust/official.json'))).toBe(false);
});
