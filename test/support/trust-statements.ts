/** Statements signed as libtrust signs them, and a server that hands them out. */
import { createPublicKey, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer as createHttp, type RequestListener, type Server } from 'node:http';
import { createServer as createHttps } from 'node:https';
import type { AddressInfo } from 'node:net';
import { keyId } from '../../src/images/trust/daemon-key.ts';
import { makeCertificates } from './registry.ts';

export const newKey = (): KeyObject => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey;

export const jwkOf = (key: KeyObject) =>
  (key.type === 'private' ? createPublicKey(key) : key).export({ format: 'jwk' });

/** The signatures stand before the document's last brace. */
export function signed(statement: object, key: KeyObject): string {
  const text = JSON.stringify(statement, null, 3);
  const length = text.length - 2;
  const format = {
    formatLength: length,
    formatTail: Buffer.from(text.slice(length)).toString('base64url'),
    time: '2014-12-16T08:00:00Z',
  };
  const head = Buffer.from(JSON.stringify(format)).toString('base64url');
  const input = `${head}.${Buffer.from(text).toString('base64url')}`;
  const signature = sign('sha256', Buffer.from(input), { key, dsaEncoding: 'ieee-p1363' }).toString('base64url');
  const entry = { header: { jwk: { ...jwkOf(key), kid: keyId(key) }, alg: 'ES256' }, signature, protected: head };
  return `${text.slice(0, length)},\n   "signatures": ${JSON.stringify([entry])}\n}`;
}

export interface Written {
  readonly subject?: string;
  readonly permission?: number;
  readonly expiration?: string;
  readonly issuedAt?: string;
  readonly revocations?: readonly { subject: string; revocation: number; grantee: string }[];
}

/** Grants a name to a key, or to who holds another name. */
export const statement = (grantee: string, written: Written = {}) => ({
  revocations: written.revocations ?? [],
  grants: [{ subject: written.subject ?? '/library', permission: written.permission ?? 15, grantee }],
  expiration: written.expiration ?? '2099-01-01T00:00:00Z',
  issuedAt: written.issuedAt ?? '2014-10-01T00:00:00.5Z',
});

/** A server of official.json. */
export class TrustServer {
  #server: Server | null = null;
  /** What answers; set it before each look. */
  answer: RequestListener = (_request, response) => response.writeHead(404).end();
  requests = 0;

  /** @param certificates directory to make them in; null: without TLS */
  async start(certificates: string | null): Promise<this> {
    const listener: RequestListener = (request, response) => {
      this.requests++;
      this.answer(request, response);
    };
    const made = certificates === null ? null : makeCertificates(certificates);
    const server =
      made === null
        ? createHttp(listener)
        : createHttps({ cert: readFileSync(made.cert), key: readFileSync(made.key) }, listener);
    this.#server = server;
    await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
    this.#scheme = made === null ? 'http' : 'https';
    return this;
  }

  #scheme = 'http';

  get url(): URL {
    if (this.#server === null) throw new Error('the server was not started');
    const { port } = this.#server.address() as AddressInfo;
    return new URL(`${this.#scheme}://127.0.0.1:${port}/trust/official.json`);
  }

  serve(text: string): void {
    this.answer = (_request, response) => response.end(text);
  }

  async stop(): Promise<void> {
    this.#server?.closeAllConnections();
    await new Promise((done) => this.#server?.close(done) ?? done(undefined));
  }
}
