/** Who stands where official.json is fetched from: whatever it answers, what is held stays in force. */
import type { KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { INSECURE_BY_DEFAULT } from '../../src/images/registry/endpoints.ts';
import { keyId } from '../../src/images/trust/daemon-key.ts';
import { fetchBase } from '../../src/images/trust/trust-base.ts';
import { checkKey, READ_WRITE } from '../../src/images/trust/trust-graph.ts';
import { TrustStore } from '../../src/images/trust/trust-store.ts';
import { temporaryDirectory } from '../support/images.ts';
import { newKey, signed, statement, TrustServer, type Written } from '../support/trust-statements.ts';

const NOW_MS = Date.parse('2026-01-01T00:00:00Z');
const signer = newKey();
const publisher = newKey();
const thief = newKey();

let temporary: ReturnType<typeof temporaryDirectory>;
let server: TrustServer;
let store: TrustStore;
let held: string;
const file = () => join(temporary.path, 'trust/official.json');
beforeEach(async () => {
  temporary = temporaryDirectory();
  server = await new TrustServer().start(null);
  const settings = { mirrors: [], insecure: INSECURE_BY_DEFAULT, certificates: [] };
  store = new TrustStore({
    directory: join(temporary.path, 'trust'),
    base: { name: 'the base', fetch: (signal) => fetchBase(server.url, settings, signal) },
    clock: { now: () => ({ wallMs: NOW_MS, bootMs: 0 }) },
    timers: { after: () => () => {} },
    log: () => {},
  });
  server.serve(signed(statement(keyId(publisher), { issuedAt: '2020-01-01T00:00:00Z' }), signer));
  await store.update();
  held = readFileSync(file(), 'utf8');
});
afterEach(async () => {
  store.close();
  await server.stop();
  temporary.remove();
});

const answerFor = (key: KeyObject) =>
  checkKey(store.graph, { key: keyId(key), name: '/library/nginx', permission: READ_WRITE, nowMs: NOW_MS });

async function expectRefused(expected: object): Promise<void> {
  await expect(store.update()).rejects.toMatchObject(expected);
  expect(readFileSync(file(), 'utf8')).toBe(held);
  expect(answerFor(publisher)).toBe('verified');
  expect(answerFor(thief)).toBe('not verified');
}

const forThief = (key: KeyObject, written: Written = {}) =>
  signed(statement(keyId(thief), { issuedAt: '2025-01-01T00:00:00Z', ...written }), key);

test('a statement signed by another key replaces nothing', async () => {
  server.serve(forThief(thief));
  await expectRefused({ code: 'TSD_TRUST_BASE', class: 'denied', message: expect.stringContaining(keyId(thief)) });
});

test('a statement that was changed after it was signed replaces nothing', async () => {
  server.serve(forThief(signer).replace(keyId(thief), keyId(newKey())));
  await expectRefused({ code: 'TSD_TRUST_STORE', message: expect.stringMatching(/a signature is wrong/) });
});

test('a statement without a signature replaces nothing', async () => {
  server.serve(JSON.stringify(statement(keyId(thief))));
  await expectRefused({ code: 'TSD_TRUST_STORE' });
});

test('an expired statement, and one older than what is held, replace nothing', async () => {
  server.serve(forThief(signer, { expiration: '2025-06-01T00:00:00Z' }));
  await expectRefused({ code: 'TSD_TRUST_BASE', message: expect.stringMatching(/expired at 2025-06-01/) });
  server.serve(forThief(signer, { issuedAt: '2019-01-01T00:00:00Z' }));
  await expectRefused({ code: 'TSD_TRUST_BASE', message: expect.stringMatching(/issued at 2019-01-01/) });
});

test('an answer without an end is not read to its end', async () => {
  server.answer = (_request, response) => {
    const piece = Buffer.alloc(64 * 1024, 0x20);
    const more = (): void => {
      while (!response.destroyed && response.write(piece));
      if (!response.destroyed) response.once('drain', more);
    };
    more();
  };
  await expectRefused({ code: 'TSD_REGISTRY_INVALID', message: expect.stringMatching(/more than \d+ bytes/) });
});

test('an answer byte by byte does not hold a pull for longer than the time it has', async () => {
  server.answer = (_request, response) => {
    const timer = setInterval(() => response.write(' '), 100);
    response.once('close', () => clearInterval(timer));
  };
  await expectRefused({ code: 'TSD_TRUST_BASE', message: expect.stringMatching(/no whole answer in \d+ s/) });
});

test('an error, a redirect and an answer that breaks off replace nothing', async () => {
  server.answer = (_request, response) => response.writeHead(500).end();
  await expectRefused({ code: 'TSD_TRUST_BASE', message: expect.stringMatching(/status 500/) });
  server.answer = (_request, response) => response.writeHead(302, { location: 'http://127.0.0.1:1/' }).end();
  await expectRefused({ code: 'TSD_TRUST_BASE', message: expect.stringMatching(/status 302/) });
  server.answer = (_request, response) => {
    response.write('{"grants":');
    response.destroy();
  };
  await expectRefused({ code: 'TSD_REGISTRY' });
});
