/** A registry of a few lines that lies on request. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { configJson, type ImageFixture } from './images.ts';
import { digestOf } from './registry.ts';

const MANIFEST = 'application/vnd.oci.image.manifest.v1+json';

export class FakeRegistry {
  readonly documents = new Map<string, { readonly body: Buffer; readonly type: string }>();
  /** `METHOD path` of every request. */
  readonly asked: string[] = [];
  readonly headers: IncomingMessage['headers'][] = [];
  /** Asked first; true when it answered. */
  intercept: (request: IncomingMessage, response: ServerResponse) => boolean = () => false;
  readonly #server: Server;

  /** @param tls PEM texts, for one that talks TLS. */
  constructor(tls: { readonly cert: Buffer; readonly key: Buffer } | null = null) {
    const listener = (request: IncomingMessage, response: ServerResponse) => {
      this.asked.push(`${request.method} ${request.url}`);
      this.headers.push(request.headers);
      response.on('error', () => {});
      if (!this.intercept(request, response)) this.#answer(request, response);
    };
    this.#server = tls === null ? createServer(listener) : createSecureServer(tls, listener);
  }

  async start(address = '127.0.0.1'): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, address, done));
    return this;
  }

  get host(): string {
    const { address, port } = this.#server.address() as AddressInfo;
    return `${address}:${port}`;
  }

  /** @returns digest of the first layer's blob, `sha256:…`. */
  add(name: string, image: ImageFixture, compress: (tar: Buffer) => Buffer = (tar) => gzipSync(tar)): string {
    const [repository = '', tag = ''] = name.split(':');
    const put = (path: string, body: Buffer, type: string) => {
      this.documents.set(`/v2/${repository}/${path}`, { body, type });
      return { mediaType: type, digest: digestOf(body), size: body.length };
    };
    const blob = (body: Buffer, type: string) => put(`blobs/${digestOf(body)}`, body, type);
    const layers = image.layers.map((tar) => blob(compress(tar), 'application/vnd.oci.image.layer.v1.tar+gzip'));
    const config = blob(Buffer.from(configJson(image)), 'application/vnd.oci.image.config.v1+json');
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: MANIFEST, config, layers }));
    put(`manifests/${digestOf(manifest)}`, manifest, MANIFEST);
    put(`manifests/${tag}`, manifest, MANIFEST);
    return layers[0]?.digest ?? '';
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const found = this.documents.get(url);
    if (found === undefined) {
      response.writeHead(404).end();
      return;
    }
    const from = Number(/^bytes=(\d+)-$/.exec(headers.range ?? '')?.[1] ?? 0);
    const body = found.body.subarray(from);
    const range = from > 0 ? { 'content-range': `bytes ${from}-${found.body.length - 1}/${found.body.length}` } : {};
    response.writeHead(from > 0 ? 206 : 200, { 'content-type': found.type, 'content-length': body.length, ...range });
    response.end(body);
  }
}
