/** A token server as the distribution project describes it: checks a login and signs what it allows (JWT, ES256). */
import { createPrivateKey, type KeyObject, randomUUID, sign, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

const SERVICE = 'test registry';
const ISSUER = 'test issuer';

export interface TokenServerOptions {
  /** PEM files: the key that signs, its certificate, and the CA that the registry trusts. */
  readonly key: string;
  readonly cert: string;
  readonly ca: string;
  readonly username: string;
  readonly password: string;
}

export class TokenServer {
  /** Scopes that were asked for, one entry a request. */
  readonly asked: string[][] = [];
  readonly #options: TokenServerOptions;
  readonly #key: KeyObject;
  readonly #chain: string;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  constructor(options: TokenServerOptions) {
    this.#options = options;
    this.#key = createPrivateKey(readFileSync(options.key));
    this.#chain = new X509Certificate(readFileSync(options.cert)).raw.toString('base64');
  }

  async start(): Promise<this> {
    await new Promise<void>((done) => this.#server.listen(0, '127.0.0.1', done));
    return this;
  }

  /** What the registry's configuration says of this server. */
  get config() {
    const { port } = this.#server.address() as AddressInfo;
    const realm = `http://127.0.0.1:${port}/token`;
    return { realm, service: SERVICE, issuer: ISSUER, rootcertbundle: this.#options.ca };
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((done) => this.#server.close(done));
  }

  #answer({ url = '', headers }: IncomingMessage, response: ServerResponse): void {
    const { username, password } = this.#options;
    const query = new URL(url, 'http://localhost').searchParams;
    const scopes = query.getAll('scope');
    this.asked.push(scopes);
    const known = headers.authorization === `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;
    if (query.get('service') !== SERVICE || (headers.authorization !== undefined && !known)) {
      response.writeHead(401).end();
      return;
    }
    // Whoever does not log in may pull from public/.
    const allowed = scopes.filter((scope) => known || /^repository:public\/[^:]*:pull$/.test(scope));
    response.writeHead(200, { 'content-type': 'application/json' });
    response.end(JSON.stringify({ token: this.#sign(allowed), expires_in: 300 }));
  }

  #sign(scopes: readonly string[]): string {
    const now = Math.floor(Date.now() / 1000);
    const access = scopes.map((scope) => {
      const [type = '', name = '', actions = ''] = scope.split(':');
      return { type, name, actions: actions.split(',') };
    });
    const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url');
    const claims = {
      iss: ISSUER,
      aud: SERVICE,
      sub: 'someone',
      jti: randomUUID(),
      iat: now,
      nbf: now - 5,
      exp: now + 300,
    };
    const signed = `${part({ typ: 'JWT', alg: 'ES256', x5c: [this.#chain] })}.${part({ ...claims, access })}`;
    const signature = sign('sha256', Buffer.from(signed), { key: this.#key, dsaEncoding: 'ieee-p1363' });
    return `${signed}.${signature.toString('base64url')}`;
  }
}
