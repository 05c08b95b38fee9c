/** Downloads of blobs into files that a later try continues with. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { type FileHandle, mkdir, open, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileError } from '../../ffi/files/layer-files.ts';
import { lying } from './answers.ts';
import { isTransient, type RegistryClient } from './client.ts';
import { connectionError, type HttpResponse } from './http.ts';
import { type Descriptor, pullScope } from './manifest.ts';

export interface DownloadOptions {
  readonly directory: string;
  /** Wait before the second try; it doubles with each further one. */
  readonly retryDelayMs: number;
  readonly progress: (bytes: number) => void;
}

/** Tries in a row that bring no new byte. */
const MAX_ATTEMPTS = 5;
const PROGRESS_STEP = 1024 * 1024;
/** Bytes from which on a layer is taken for a mistake or an attack. */
const MAX_BLOB_BYTES = 64 * 1024 ** 3;

export function partPath(directory: string, digest: string): string {
  return join(directory, `${digest}.part`);
}

/**
 * Downloads a blob into its file and verifies it. An existing part is continued; a wrong one is removed.
 * @returns path of the file.
 * @throws TSD_REGISTRY when it is unavailable, TSD_REGISTRY_INVALID, TSD_DISK_FULL.
 */
export async function downloadBlob(
  client: RegistryClient,
  repository: string,
  blob: Descriptor,
  options: DownloadOptions,
): Promise<string> {
  const path = partPath(options.directory, blob.digest);
  if (blob.size > MAX_BLOB_BYTES) throw lying(`blob ${blob.digest} is said to have ${blob.size} bytes`);
  await mkdir(options.directory, { recursive: true, mode: 0o700 });
  let before = await sizeOf(path);
  for (let failures = 0; ; ) {
    try {
      await new Download(client, repository, blob, path, options.progress).run();
      return path;
    } catch (thrown) {
      const error = fileError(thrown, `download blob ${blob.digest}`);
      if (!isTransient(error) || client.signal.aborted) throw error;
      const now = await sizeOf(path);
      failures = now > before ? 1 : failures + 1;
      before = now;
      if (failures >= MAX_ATTEMPTS) throw error;
      await delay(options.retryDelayMs * 2 ** (failures - 1), undefined, { signal: client.signal }).catch(() => {
        throw error;
      });
    }
  }
}

async function sizeOf(path: string): Promise<number> {
  return (await stat(path).catch(() => null))?.size ?? 0;
}

class Download {
  readonly #client: RegistryClient;
  readonly #repository: string;
  readonly #blob: Descriptor;
  readonly #path: string;
  readonly #progress: (bytes: number) => void;
  #hash = createHash('sha256');
  #written = 0;

  constructor(
    client: RegistryClient,
    repository: string,
    blob: Descriptor,
    path: string,
    progress: (bytes: number) => void,
  ) {
    this.#client = client;
    this.#repository = repository;
    this.#blob = blob;
    this.#path = path;
    this.#progress = progress;
  }

  async run(): Promise<void> {
    await this.#takePart();
    if (this.#written < this.#blob.size || this.#blob.size === 0) await this.#transfer();
    if (this.#hash.digest('hex') === this.#blob.digest) return;
    await rm(this.#path, { force: true });
    throw lying(`blob sha256:${this.#blob.digest} arrived with another content`);
  }

  /** The part of an earlier try is hashed, and dropped when it is longer than the blob. */
  async #takePart(): Promise<void> {
    const size = await sizeOf(this.#path);
    if (size > this.#blob.size) await rm(this.#path, { force: true });
    if (size === 0 || size > this.#blob.size) return;
    for await (const piece of createReadStream(this.#path) as AsyncIterable<Buffer>) {
      this.#hash.update(piece);
      this.#written += piece.length;
    }
  }

  async #transfer(): Promise<void> {
    const { digest } = this.#blob;
    const response = await this.#client.expect([200, 206, 416], {
      method: 'GET',
      path: `/v2/${this.#repository}/blobs/sha256:${digest}`,
      headers: this.#written > 0 ? { range: `bytes=${this.#written}-` } : {},
      scope: pullScope(this.#repository),
      what: `blob sha256:${digest}`,
    });
    const file = await open(this.#path, 'a', 0o600);
    try {
      await this.#agree(response, file);
      await this.#receive(response, file);
    } finally {
      response.body.destroy();
      await file.close();
    }
  }

  /** Whether the server continues where the part ends; otherwise the download starts again. */
  async #agree({ status, headers, url }: HttpResponse, file: FileHandle): Promise<void> {
    const { size } = this.#blob;
    if (status === 206) {
      const from = /^bytes (\d+)-/.exec(String(headers['content-range'] ?? ''))?.[1];
      if (Number(from) !== this.#written) throw lying(`${url.host} answers with another range than was asked for`);
    } else if (this.#written > 0) {
      await file.truncate(0);
      this.#hash = createHash('sha256');
      this.#written = 0;
      // Tried again from the start.
      if (status === 416) throw connectionError(url, new Error('it has no such range'), this.#client.signal);
    } else if (status === 416) throw lying(`${url.host} refuses a range that was not requested`);
    const length = headers['content-length'];
    if (length !== undefined && Number(length) !== size - this.#written) {
      throw lying(`${url.host} says that the blob has ${Number(length) + this.#written} bytes, its manifest ${size}`);
    }
  }

  async #receive({ body, url }: HttpResponse, file: FileHandle): Promise<void> {
    const { size, digest } = this.#blob;
    let reported = this.#written;
    const pieces = body[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    for (;;) {
      const next = await pieces.next().catch((thrown: unknown) => {
        throw connectionError(url, thrown, this.#client.signal);
      });
      if (next.done === true) break;
      const piece = next.value;
      if (this.#written + piece.length > size) {
        await rm(this.#path, { force: true });
        throw lying(`blob sha256:${digest} is longer than the ${size} bytes of its manifest`);
      }
      this.#hash.update(piece);
      await file.appendFile(piece);
      this.#written += piece.length;
      if (this.#written - reported < PROGRESS_STEP && this.#written < size) continue;
      reported = this.#written;
      this.#progress(reported);
    }
    if (this.#written < size) throw connectionError(url, new Error('the blob broke off'), this.#client.signal);
  }
}
