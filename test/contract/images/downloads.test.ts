/** What ADD fetches, from real servers on loopback. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DOWNLOAD_LIMITS, type DownloadLimits, Downloads, HOST_NETWORK } from '../../../src/images/build/downloads.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { NGINX_INSTALLED, NginxServer } from '../../support/nginx.ts';
import { makeCertificates } from '../../support/registry.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('downloads');
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');
const MODIFIED = 1_600_000_000;
const LIMITS: DownloadLimits = { ...DOWNLOAD_LIMITS, retryDelayMs: 1 };

let serial = 0;

/** @returns what was fetched, with its content. */
async function fetched(downloads: Downloads, url: string, wanted: string | null = null) {
  const path = join(directory(), `file-${serial++}`);
  const { signal } = new AbortController();
  const result = await downloads.fetch({ url: new URL(url), sha256: wanted, path }, HOST_NETWORK, signal);
  return { ...result, content: readFileSync(path, 'utf8') };
}

async function failure(downloads: Downloads, url: string, wanted: string | null = null): Promise<string> {
  const error: unknown = await fetched(downloads, url, wanted).then(
    () => null,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TsdError)) throw new Error(`it was to fail: ${String(error)}`);
  return `${error.code} ${error.class}: ${error.message}`;
}

describe.skipIf(!NGINX_INSTALLED)('from nginx (needs nginx-light)', () => {
  let nginx: NginxServer;
  const serve = (name: string, text: string, modified = MODIFIED): string => {
    const path = join(nginx.files, name);
    writeFileSync(path, text);
    utimesSync(path, modified, modified);
    return `${nginx.url}/${name}`;
  };

  beforeAll(async () => {
    nginx = await new NginxServer().start(
      `location /to-file { return 302 /file; }
       location /loop { return 301 /loop; }
       location /away { return 302 ftp://127.0.0.1/x; }
       location /broken { return 503; }`,
    );
  });
  afterAll(() => nginx.stop());

  test('a download keeps the time of the server, and the next one asks whether it changed', async () => {
    const store = join(directory(), 'store');
    const url = serve('file', 'first');
    const first = { size: 5, sha256: sha256('first'), mtimeSeconds: MODIFIED, content: 'first' };
    nginx.asked();
    expect(await fetched(new Downloads(store, LIMITS), url)).toEqual(first);
    expect(await fetched(new Downloads(store, LIMITS), url)).toEqual(first);
    expect(nginx.asked()).toEqual(['200 /file', '304 /file']);
    serve('file', 'other', MODIFIED + 5);
    expect(await fetched(new Downloads(store, LIMITS), url)).toMatchObject({
      content: 'other',
      mtimeSeconds: MODIFIED + 5,
    });
    expect(nginx.asked()).toEqual(['200 /file']);
  });

  test('a cached file is fetched again when it or its record is damaged', async () => {
    const store = join(directory(), 'store');
    const downloads = new Downloads(store, { ...LIMITS, keepBytes: 0 });
    const url = serve('file', 'first');
    await fetched(downloads, url);
    nginx.asked();
    expect((await fetched(downloads, url)).content).toBe('first');
    for (const name of readdirSync(store)) writeFileSync(join(store, name), '{');
    expect((await fetched(new Downloads(store, LIMITS), url)).content).toBe('first');
    expect(nginx.asked()).toEqual(['200 /file', '200 /file']);
  });

  test('a file with a checksum must match it and is not requested again', async () => {
    const store = join(directory(), 'store');
    const downloads = new Downloads(store, LIMITS);
    const url = serve('file', 'first');
    nginx.asked();
    expect(await failure(downloads, url, sha256('else'))).toBe(
      `TSD_DOWNLOAD invalid: the file has sha256:${sha256('first')}, and not the --checksum that is written`,
    );
    expect((await fetched(downloads, url, sha256('first'))).content).toBe('first');
    expect(nginx.asked()).toEqual(['200 /file']);
  });

  test('redirects are followed up to a limit', async () => {
    const downloads = new Downloads(join(directory(), 'store'), LIMITS);
    serve('file', 'first');
    expect((await fetched(downloads, `${nginx.url}/to-file`)).content).toBe('first');
    expect(await failure(downloads, `${nginx.url}/loop`)).toContain('redirects more than 10 times');
    expect(await failure(downloads, `${nginx.url}/away`)).toContain('redirects to what is no web address');
  });

  test('a missing file is requested once, a failing one a few times', async () => {
    const downloads = new Downloads(join(directory(), 'store'), LIMITS);
    nginx.asked();
    expect(await failure(downloads, `${nginx.url}/absent`)).toMatch(
      /^TSD_DOWNLOAD precondition: .* answers 404 Not Found$/,
    );
    expect(nginx.asked()).toEqual(['404 /absent']);
    expect(await failure(downloads, `${nginx.url}/broken`)).toMatch(/^TSD_DOWNLOAD unavailable: .* answers 503 /);
    expect(nginx.asked()).toEqual(['503 /broken', '503 /broken', '503 /broken']);
  });

  test('a file over the limit is refused before it is read', async () => {
    const store = join(directory(), 'store');
    const url = serve('large', '');
    truncateSync(join(nginx.files, 'large'), 5 * 1024 ** 3);
    expect(await failure(new Downloads(store, LIMITS), url)).toMatch(/^TSD_DOWNLOAD invalid: .* more than 4096 MiB/);
    expect(readdirSync(store)).toEqual([]);
  });

  test('an untrusted certificate is refused, with a hint', async () => {
    const secure = await new NginxServer().start('', makeCertificates(join(directory(), 'tls')));
    try {
      expect(await failure(new Downloads(join(directory(), 'store'), LIMITS), `${secure.url}/file`)).toMatch(
        /^TSD_DOWNLOAD denied: the certificate of .* is not trusted/,
      );
    } finally {
      await secure.stop();
    }
  });
});

describe('from servers that misbehave', () => {
  const servers: Server[] = [];
  const sockets = new Set<Socket>();
  afterAll(() => {
    for (const socket of sockets) socket.destroy();
    for (const server of servers) server.close();
  });

  async function serving(answer: (socket: Socket) => void): Promise<string> {
    const server = createServer((socket) => {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('data', () => answer(socket));
    });
    servers.push(server);
    await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}/file`;
  }

  test('a short body, an endless body and no answer are errors', async () => {
    const store = join(directory(), 'store');
    const short = { ...LIMITS, timeouts: { connectMs: 1_000, stallMs: 200 }, maxBytes: 1024 ** 2 };
    const downloads = new Downloads(store, short);
    const cut = await serving((socket) => socket.end('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort'));
    expect(await failure(downloads, cut)).toMatch(/^TSD_DOWNLOAD unavailable: .* cannot be reached: aborted/);
    const endless = await serving((socket) => {
      socket.write('HTTP/1.1 200 OK\r\n\r\n');
      const pour = (): void => {
        if (!socket.destroyed && socket.write(Buffer.alloc(65_536))) setImmediate(pour);
      };
      socket.on('drain', pour);
      pour();
    });
    expect(await failure(downloads, endless)).toMatch(/^TSD_DOWNLOAD invalid: .* sends more than 1 MiB/);
    const silent = await serving(() => {});
    expect(await failure(downloads, silent)).toMatch(/^TSD_DOWNLOAD timeout: .* stopped answering/);
    expect(readdirSync(store)).toEqual([]);
  });
});
