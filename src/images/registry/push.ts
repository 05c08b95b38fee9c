import { createHash, type Hash } from 'node:crypto';
import { Readable, Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import PQueue from 'p-queue';
import { toTsdError } from '../../model/errors/errors.ts';
import type { ImageReference } from '../../model/image-reference.ts';
import { sha256Hex } from '../image-config.ts';
import { answerError, lying } from './answers.ts';
import type { BlobRecord, BlobRecords } from './blob-records.ts';
import { isTransient, type RegistryClient } from './client.ts';
import type { HttpResponse } from './http.ts';
import { layerType, OCI_CONFIG, OCI_LAYER, OCI_MANIFEST, pullScope } from './manifest.ts';

/** An image of this host as it is sent. */
export interface PushedImage {
  readonly configJson: string;
  /** Bottom first. */
  readonly layers: readonly {
    /** sha256 of the uncompressed tar, in hex. */
    readonly diffId: string;
    /** Of its uncompressed tar, in bytes. */
    readonly size: () => Promise<number>;
    /** The uncompressed tar, which has this digest. Called for each try. */
    readonly tar: () => AsyncIterable<Buffer>;
  }[];
}

export interface PushProgress {
  readonly diffId: string;
  readonly stage: 'exists' | 'mounted' | 'sending' | 'sent';
  /** Repository of the same registry that it was taken from; null where it was not. */
  readonly from: string | null;
  /** Uncompressed bytes that were sent. */
  readonly bytes: number;
  /** Of them all; null where none have to be sent. */
  readonly total: number | null;
}

export interface PushParts {
  readonly client: RegistryClient;
  readonly records: BlobRecords;
}

type Blob = Pick<BlobRecord, 'digest' | 'size' | 'mediaType'>;

const CONCURRENT_UPLOADS = 3;
const MAX_ATTEMPTS = 3;
const PROGRESS_STEP = 1024 * 1024;

/** A manifest that a registry has taken. */
export interface PushedManifest {
  /** `sha256:…` */
  readonly digest: string;
  readonly size: number;
}

/** Sends what the registry lacks, then the manifest. @throws TSD_REGISTRY*. */
export async function pushImage(
  parts: PushParts,
  image: PushedImage,
  reference: ImageReference,
  progress: (event: PushProgress) => void,
): Promise<PushedManifest> {
  const { client } = parts;
  const push = new Push(parts, reference, progress);
  const queue = new PQueue({ concurrency: CONCURRENT_UPLOADS });
  const uploads = image.layers.map((layer) => queue.add(() => push.layer(layer), { signal: client.signal }));
  try {
    const layers = await Promise.all(uploads);
    const config = await push.config(Buffer.from(image.configJson));
    return await push.manifest(config, layers);
  } catch (thrown) {
    client.abort();
    await Promise.allSettled(uploads);
    throw thrown;
  }
}

class Push {
  readonly #client: RegistryClient;
  readonly #records: BlobRecords;
  readonly #reference: ImageReference;
  readonly #progress: (event: PushProgress) => void;
  readonly #scope: string;

  constructor({ client, records }: PushParts, reference: ImageReference, progress: (event: PushProgress) => void) {
    this.#client = client;
    this.#records = records;
    this.#reference = reference;
    this.#progress = progress;
    this.#scope = `repository:${reference.repository}:pull,push`;
  }

  async layer(layer: PushedImage['layers'][number]): Promise<Blob> {
    const { diffId } = layer;
    const { registry, repository } = this.#reference;
    const known = (await this.#records.get(diffId)).filter((record) => record.registry === registry);
    const { blob, stage, bytes, from } =
      (await this.#existing(known)) ?? (await this.#mounted(known)) ?? (await this.#retried(layer));
    this.#progress({ diffId, stage, from, bytes, total: stage === 'sent' ? bytes : null });
    await this.#records.add(diffId, { ...blob, registry, repository });
    return blob;
  }

  async config(bytes: Buffer): Promise<Blob> {
    const blob = { digest: sha256Hex(bytes), size: bytes.length, mediaType: OCI_CONFIG };
    if (await this.#has(blob.digest)) return blob;
    const started = await this.#start('');
    await this.#finish(started, blob.digest, bytes);
    return blob;
  }

  async manifest(config: Blob, layers: readonly Blob[]): Promise<PushedManifest> {
    const { repository, tag } = this.#reference;
    const describe = ({ digest, size, mediaType }: Blob) => ({ mediaType, digest: `sha256:${digest}`, size });
    const manifest = {
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(config),
      layers: layers.map(describe),
    };
    const body = Buffer.from(JSON.stringify(manifest));
    const digest = `sha256:${sha256Hex(body)}`;
    const response = await this.#client.expect([200, 201], {
      method: 'PUT',
      path: `/v2/${repository}/manifests/${tag ?? digest}`,
      headers: { 'content-type': OCI_MANIFEST, 'content-length': String(body.length) },
      body,
      scope: this.#scope,
      what: `push ${repository}:${tag ?? digest}`,
    });
    response.body.destroy();
    const said = response.headers['docker-content-digest'];
    if (said !== undefined && said !== digest)
      throw lying(`the registry took ${repository} as ${said}, not as ${digest}`);
    return { digest, size: body.length };
  }

  async #existing(known: readonly BlobRecord[]) {
    for (const { digest, size, mediaType } of known) {
      if (await this.#has(digest))
        return { blob: { digest, size, mediaType }, stage: 'exists', from: null, bytes: 0 } as const;
    }
    return null;
  }

  /** Takes the blob from another repository of the same registry, where that is allowed. */
  async #mounted(known: readonly BlobRecord[]) {
    const { repository } = this.#reference;
    for (const { digest, size, mediaType, repository: from } of known.filter(
      (record) => record.repository !== repository,
    )) {
      const query = new URLSearchParams({ mount: `sha256:${digest}`, from });
      const response = await this.#post(`?${query}`, `${this.#scope} ${pullScope(from)}`).catch((thrown: unknown) => {
        if (isTransient(thrown) || this.#client.signal.aborted) throw thrown;
        return null;
      });
      response?.body.destroy();
      if (response?.status === 201)
        return { blob: { digest, size, mediaType }, stage: 'mounted', from, bytes: 0 } as const;
      // Not mounted: the registry began an upload in its place, which is not wanted.
      if (response?.status === 202) await this.#cancel(this.#uploadUrl(response));
    }
    return null;
  }

  async #retried({ diffId, tar, size }: PushedImage['layers'][number]) {
    const total = await size();
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#send(diffId, tar(), total);
      } catch (thrown) {
        if (attempt === MAX_ATTEMPTS || !isTransient(thrown) || this.#client.signal.aborted) throw thrown;
      }
    }
  }

  /** Compresses and sends at the same time: length and digest are known at its end. */
  async #send(diffId: string, tar: AsyncIterable<Buffer>, total: number) {
    const started = await this.#start('');
    const hash = createHash('sha256');
    const count = { sent: 0, read: 0, total };
    const source = Readable.from(this.#counted(diffId, tar, count));
    const gzip = createGzip();
    const hashing = hashed(hash, count);
    // Hashing ends the request's body, and an error in it is the request's.
    const compressed = pipeline(source, gzip, hashing);
    compressed.catch(() => {});
    try {
      const response = await this.#client.expect([202, 204], {
        method: 'PATCH',
        path: started,
        headers: { 'content-type': 'application/octet-stream', 'transfer-encoding': 'chunked' },
        body: hashing,
        scope: this.#scope,
        what: `upload to ${this.#reference.repository}`,
      });
      response.body.destroy();
      await compressed;
      const digest = hash.digest('hex');
      await this.#finish(this.#uploadUrl(response, started), digest, Buffer.alloc(0));
      const blob = { digest, size: count.sent, mediaType: layerType(`${OCI_LAYER}+gzip`) };
      return { blob, stage: 'sent', from: null, bytes: count.read } as const;
    } catch (thrown) {
      hashing.destroy();
      // The error of the tar is the reason, not that of the request.
      const cause = await compressed.then(
        () => null,
        (error: unknown) => error,
      );
      await this.#cancel(started);
      throw isOwnFailure(cause) ? cause : thrown;
    }
  }

  async *#counted(
    diffId: string,
    tar: AsyncIterable<Buffer>,
    count: { read: number; readonly total: number },
  ): AsyncGenerator<Buffer> {
    let reported = 0;
    for await (const piece of tar) {
      count.read += piece.length;
      if (count.read - reported >= PROGRESS_STEP) {
        reported = count.read;
        this.#progress({ diffId, stage: 'sending', from: null, bytes: reported, total: count.total });
      }
      yield piece;
    }
  }

  async #has(digest: string): Promise<boolean> {
    const { repository } = this.#reference;
    const response = await this.#client.send({
      method: 'HEAD',
      path: `/v2/${repository}/blobs/sha256:${digest}`,
      scope: this.#scope,
      what: `blob sha256:${digest}`,
    });
    if (response.status !== 200 && response.status !== 404) {
      throw await answerError(response, `blob sha256:${digest}`, this.#client.signal);
    }
    response.body.destroy();
    return response.status === 200;
  }

  async #start(query: string): Promise<URL> {
    const response = await this.#post(query, this.#scope);
    response.body.destroy();
    return this.#uploadUrl(response);
  }

  #post(query: string, scope: string): Promise<HttpResponse> {
    const { repository } = this.#reference;
    const path = `/v2/${repository}/blobs/uploads/${query}`;
    const headers = { 'content-length': '0' };
    return this.#client.expect([201, 202], { method: 'POST', path, headers, scope, what: `upload to ${repository}` });
  }

  async #finish(upload: URL, digest: string, body: Buffer): Promise<void> {
    const path = new URL(upload);
    path.searchParams.set('digest', `sha256:${digest}`);
    const response = await this.#client.expect([201, 204], {
      method: 'PUT',
      path,
      headers: { 'content-type': 'application/octet-stream', 'content-length': String(body.length) },
      body,
      scope: this.#scope,
      what: `upload to ${this.#reference.repository}`,
    });
    response.body.destroy();
  }

  /** Spares the registry an upload that will not be finished. It forgets it in time anyway. */
  async #cancel(upload: URL): Promise<void> {
    const what = `cancel upload to ${this.#reference.repository}`;
    await this.#client.send({ method: 'DELETE', path: upload, scope: this.#scope, what }).then(
      ({ body }) => body.destroy(),
      () => {},
    );
  }

  /**
   * Where the upload continues. It may be another host, a store of the registry's: the layer goes there as it does with Docker,
   * and as along a redirect the credentials do not ({@link RegistryClient}).
   */
  #uploadUrl({ headers, url }: HttpResponse, fallback?: URL): URL {
    const { location } = headers;
    if (location === undefined && fallback !== undefined) return fallback;
    if (location === undefined || !URL.canParse(location, url.href))
      throw lying(`${url.host} does not say where to upload to`);
    const upload = new URL(location, url);
    if (!/^https?:$/.test(upload.protocol)) throw lying(`${url.host} wants uploads to go to what is no web address`);
    if (upload.protocol === 'http:' && url.protocol === 'https:') {
      // Registries behind a proxy that ends TLS take their own address for one without it.
      upload.protocol = 'https:';
      upload.port = upload.host === url.host ? url.port : upload.port;
    }
    return upload;
  }
}

/** True for a failure to read the layer; a broken stream or request has another origin. */
function isOwnFailure(cause: unknown): boolean {
  return cause !== null && toTsdError(cause).code !== 'TSD_BUG' && !isTransient(cause);
}

function hashed(hash: Hash, count: { sent: number }): Transform {
  return new Transform({
    transform(piece: Buffer, _encoding, done) {
      hash.update(piece);
      count.sent += piece.length;
      done(null, piece);
    },
  });
}
