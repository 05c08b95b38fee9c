/** Files that ADD fetches, kept so that the next build only asks whether they changed. */
import { createHash, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { link, mkdir, open, readdir, readFile, rename, rm, stat, utimes } from 'node:fs/promises';
import type { IncomingHttpHeaders } from 'node:http';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rootCertificates } from 'node:tls';
import { z } from 'zod';
import { fileError } from '../../ffi/files/layer-files.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';
import {
  type Connect,
  connectionError,
  HttpConnections,
  type HttpResponse,
  type HttpTimeouts,
} from '../registry/http.ts';
import { replaceFile } from '../replace-file.ts';

export interface DownloadRequest {
  readonly url: URL;
  /** sha256, hex, that the file must have; null takes any. */
  readonly sha256: string | null;
  /** Where the file is put; nothing may be there. On the filesystem of the store. */
  readonly path: string;
}

/** The network that files come from. */
export interface DownloadNetwork {
  /** Networks of one name reach the same servers, so they share cached downloads. */
  readonly name: string;
  /** Lends a way into it, which is gone when `work` ends; null for the network of this process. */
  readonly lend: <T>(work: (connect: Connect | null) => Promise<T>) => Promise<T>;
}

export const HOST_NETWORK: DownloadNetwork = { name: 'host', lend: (work) => work(null) };

export interface Downloaded {
  readonly size: number;
  readonly sha256: string;
  /** What the server says; the epoch where it says nothing, so that equal files give equal images. */
  readonly mtimeSeconds: number;
}

export interface DownloadLimits {
  readonly timeouts: HttpTimeouts;
  /** Wait before the second try; it doubles. */
  readonly retryDelayMs: number;
  readonly maxBytes: number;
  /** Bytes that are kept from build to build. */
  readonly keepBytes: number;
}

export const DOWNLOAD_LIMITS: DownloadLimits = {
  timeouts: { connectMs: 30_000, stallMs: 60_000 },
  retryDelayMs: 500,
  maxBytes: 4 * 1024 ** 3,
  keepBytes: 1024 ** 3,
};

const MAX_REDIRECTS = 10;
const MAX_ATTEMPTS = 3;
const PROGRESS_STEP = 1024 ** 2;
/** Where Debian and most others keep what the host trusts. */
const SYSTEM_CA = '/etc/ssl/certs/ca-certificates.crt';

const recordSchema = z.object({
  etag: z.string().nullable(),
  lastModified: z.string().nullable(),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
  size: z.number(),
});
type DownloadRecord = z.infer<typeof recordSchema>;

/** Called about once a mebibyte and at the end. `total` is what the server announced. */
export type DownloadProgress = (url: URL, bytes: number, total: number | null) => void;

export class Downloads {
  readonly #directory: string;
  readonly #limits: DownloadLimits;
  readonly #progress: DownloadProgress;

  /** @param directory made when it is needed. */
  constructor(directory: string, limits: DownloadLimits = DOWNLOAD_LIMITS, progress: DownloadProgress = () => {}) {
    this.#directory = directory;
    this.#limits = limits;
    this.#progress = progress;
  }

  /**
   * Brings a file from its URL: what is known already when the server says that it did not change, or when it has the
   * wanted sha256. @throws TSD_DOWNLOAD, TSD_DISK_FULL.
   */
  async fetch(request: DownloadRequest, network: DownloadNetwork, signal: AbortSignal): Promise<Downloaded> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const recordPath = this.#record(request.url, network);
    const known = await readRecord(recordPath);
    if (known !== null && known.sha256 === request.sha256 && (await this.#give(known, request.path))) {
      return downloaded(known);
    }
    const record = await network.lend((connect) => this.#tried(request, known, connect, signal));
    await replaceFile(recordPath, JSON.stringify(record));
    if (request.sha256 !== null && record.sha256 !== request.sha256) {
      throw failed(`the file has sha256:${record.sha256}, and not the --checksum that is written`, 'invalid');
    }
    if (!(await this.#give(record, request.path))) throw failed('the file was removed meanwhile', 'unavailable');
    await this.#trim();
    return downloaded(record);
  }

  async #tried(
    request: DownloadRequest,
    known: DownloadRecord | null,
    connect: Connect | null,
    signal: AbortSignal,
  ): Promise<DownloadRecord> {
    const tls = { ca: trusted(), client: null, verify: true };
    const connections = new HttpConnections(tls, this.#limits.timeouts, connect);
    try {
      for (let attempt = 1; ; attempt++) {
        try {
          return await this.#ask(connections, request.url, known, signal);
        } catch (thrown) {
          const error = ofDownload(thrown);
          const again = (error.class === 'unavailable' || error.class === 'timeout') && attempt < MAX_ATTEMPTS;
          if (!again || signal.aborted) throw error;
          const pause = this.#limits.retryDelayMs * 2 ** (attempt - 1);
          await delay(pause, undefined, { signal }).catch(() => {
            throw error;
          });
        }
      }
    } finally {
      connections.close();
    }
  }

  async #ask(
    connections: HttpConnections,
    url: URL,
    known: DownloadRecord | null,
    signal: AbortSignal,
  ): Promise<DownloadRecord> {
    const present = known !== null && existsSync(this.#content(known.sha256)) ? known : null;
    const headers = {
      'accept-encoding': 'identity',
      ...(present?.etag != null && { 'if-none-match': present.etag }),
      ...(present?.lastModified != null && { 'if-modified-since': present.lastModified }),
    };
    const response = await followed(connections, url, headers, signal);
    if (response.status === 304 && present !== null) {
      response.body.destroy();
      return present;
    }
    if (response.status !== 200) {
      response.body.destroy();
      const { host } = response.url;
      const message = `${host} answers ${response.status} ${response.body.statusMessage ?? ''}`.trimEnd();
      // A missing file is still missing a moment later.
      throw failed(message, response.status < 500 && response.status !== 429 ? 'precondition' : 'unavailable');
    }
    return this.#receive(response, signal);
  }

  async #receive(response: HttpResponse, signal: AbortSignal): Promise<DownloadRecord> {
    const { url, headers, body } = response;
    const { maxBytes } = this.#limits;
    const tooLarge = (): TsdError =>
      failed(`${url.host} sends more than ${maxBytes / 1024 ** 2} MiB, the most that ADD takes`, 'invalid');
    const announced = Number(headers['content-length'] ?? 0);
    const part = join(this.#directory, `${randomBytes(16).toString('hex')}.part`);
    try {
      if (announced > maxBytes) throw tooLarge();
      const hash = createHash('sha256');
      let size = 0;
      let reported = 0;
      const file = await open(part, 'wx', 0o600);
      try {
        for await (const piece of piecesOf(response, signal)) {
          size += piece.length;
          if (size > maxBytes) throw tooLarge();
          hash.update(piece);
          await file.writeFile(piece);
          if (size - reported < PROGRESS_STEP && size !== announced) continue;
          reported = size;
          this.#progress(url, size, announced === 0 ? null : announced);
        }
      } finally {
        await file.close();
      }
      const sha256 = hash.digest('hex');
      await rename(part, this.#content(sha256));
      return { etag: one(headers, 'etag'), lastModified: one(headers, 'last-modified'), sha256, size };
    } finally {
      body.destroy();
      await rm(part, { force: true });
    }
  }

  /** A second name: what is thrown away meanwhile stays for the build. Returns false when it is gone. */
  async #give({ sha256 }: DownloadRecord, path: string): Promise<boolean> {
    const content = this.#content(sha256);
    try {
      await link(content, path);
      const now = new Date();
      await utimes(content, now, now);
      return true;
    } catch (thrown) {
      if ((thrown as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw fileError(thrown, 'keep download');
    }
  }

  /** Throws away those that were not used for the longest time, until the rest is not too much. */
  async #trim(): Promise<void> {
    const names = (await readdir(this.#directory)).filter((name) => /^[0-9a-f]{64}$/.test(name));
    const files = await Promise.all(
      names.map(async (name) => {
        const found = await stat(join(this.#directory, name)).catch(() => null);
        return { name, size: found?.size ?? 0, used: found?.mtimeMs ?? 0 };
      }),
    );
    let left = this.#limits.keepBytes;
    for (const { name, size } of files.sort((a, b) => b.used - a.used)) {
      left -= size;
      if (left < 0) await rm(join(this.#directory, name), { force: true });
    }
  }

  #content(sha256: string): string {
    return join(this.#directory, sha256);
  }

  /** What a server says in one network says nothing of the same name in another. */
  #record({ href }: URL, { name }: DownloadNetwork): string {
    const what = name === HOST_NETWORK.name ? href : `${name} ${href}`;
    return join(this.#directory, `${createHash('sha256').update(what).digest('hex')}.json`);
  }
}

/** Null where there is none: the file is asked for as if it were new. */
async function readRecord(path: string): Promise<DownloadRecord | null> {
  const text = await readFile(path, 'utf8').catch(() => null);
  if (text === null) return null;
  try {
    return recordSchema.parse(JSON.parse(text));
  } catch {
    return null;
  }
}

function downloaded({ size, sha256, lastModified }: DownloadRecord): Downloaded {
  const parsed = lastModified === null ? Number.NaN : Date.parse(lastModified);
  return { size, sha256, mtimeSeconds: Number.isNaN(parsed) ? 0 : Math.floor(parsed / 1000) };
}

const one = (headers: IncomingHttpHeaders, name: 'etag' | 'last-modified'): string | null => headers[name] ?? null;

function trusted(): readonly string[] {
  return existsSync(SYSTEM_CA) ? [...rootCertificates, readFileSync(SYSTEM_CA, 'utf8')] : rootCertificates;
}

async function followed(
  connections: HttpConnections,
  start: URL,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<HttpResponse> {
  let url = start;
  for (let redirects = 0; redirects <= MAX_REDIRECTS; redirects++) {
    const response = await connections.send({ method: 'GET', url, headers, signal });
    const { location } = response.headers;
    if (![301, 302, 303, 307, 308].includes(response.status) || location === undefined) return response;
    response.body.destroy();
    url = redirected(url, location);
  }
  throw failed(`${start.host} redirects more than ${MAX_REDIRECTS} times`, 'invalid');
}

/** Separates errors of the connection from errors of the file. */
async function* piecesOf({ url, body }: HttpResponse, signal: AbortSignal): AsyncGenerator<Buffer> {
  try {
    yield* body as AsyncIterable<Buffer>;
  } catch (thrown) {
    throw connectionError(url, thrown, signal);
  }
}

function redirected(from: URL, location: string): URL {
  const to = URL.canParse(location, from.href) ? new URL(location, from) : null;
  if (to === null || !/^https?:$/.test(to.protocol)) {
    throw failed(`${from.host} redirects to what is no web address`, 'invalid');
  }
  if (from.protocol === 'https:' && to.protocol === 'http:') {
    throw failed(`${from.host} redirects to ${to.host} without TLS`, 'invalid');
  }
  return to;
}

function failed(message: string, errorClass: 'invalid' | 'precondition' | 'unavailable'): TsdError {
  return new TsdError('TSD_DOWNLOAD', message, { class: errorClass });
}

/** Connections speak of registries, with hints that do not help here. */
function ofDownload(thrown: unknown): TsdError {
  const error = toTsdError(fileError(thrown, 'download'));
  if (error.code !== 'TSD_REGISTRY') return error;
  const denied = { hint: 'Put its CA into /usr/local/share/ca-certificates and run update-ca-certificates.' };
  return new TsdError('TSD_DOWNLOAD', error.message, {
    class: error.class,
    cause: thrown,
    ...(error.class === 'denied' && denied),
  });
}
