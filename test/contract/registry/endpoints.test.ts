/** Where a registry may lead its clients: to token servers, over redirects, to its search; and who may know the login. */
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { tarOf } from '../../support/images.ts';
import { makeCertificates } from '../../support/registry.ts';
import { TestHost } from '../../support/registry-client.ts';

const image = { layers: [tarOf({ path: 'file', content: 'x' })] };
const LOGIN = { type: 'password', username: 'me', password: 'secret' } as const;
const TOKEN = { type: 'identity-token', token: 'identity' } as const;

let host: TestHost;
const servers: FakeRegistry[] = [];

beforeEach(() => {
  host = new TestHost();
});

afterEach(async () => {
  host.remove();
  for (const server of servers.splice(0)) await server.stop();
});

async function serve(tls: ConstructorParameters<typeof FakeRegistry>[0] = null): Promise<FakeRegistry> {
  const server = await new FakeRegistry(tls).start();
  servers.push(server);
  server.add('app:1', image);
  return server;
}

async function bodyOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  for await (const piece of request) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

describe('from TLS to plain HTTP', () => {
  const secured = () => {
    const { cert, key } = makeCertificates(join(host.path, 'certs'));
    return { cert: readFileSync(cert), key: readFileSync(key) };
  };

  it('follows no redirect', async () => {
    const [server, plain] = [await serve(secured()), await serve()];
    expect((await host.pull(`${server.host}/app:1`, { credentials: LOGIN })).layers).toHaveLength(1);
    server.intercept = ({ url = '' }, response) => {
      if (!url.includes('/manifests/')) return false;
      response.writeHead(307, { location: `http://${plain.host}${url}` }).end();
      return true;
    };
    await expect(host.pull(`${server.host}/app:1`, { credentials: LOGIN })).rejects.toMatchObject({
      code: 'TSD_REGISTRY_INVALID',
      message: `${server.host} redirects to ${plain.host} without TLS`,
    });
    expect(plain.asked).toEqual([]);
  });

  it('sends no login to a token server', async () => {
    const [server, tokens] = [await serve(secured()), await serve()];
    server.intercept = (_request, response) => {
      const challenge = `Bearer realm="http://${tokens.host}/token",service="s"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return true;
    };
    for (const credentials of [LOGIN, TOKEN]) {
      await expect(host.pull(`${server.host}/app:1`, { credentials })).rejects.toMatchObject({
        code: 'TSD_REGISTRY_INVALID',
        message: `${server.host} names a token server without TLS: ${tokens.host}`,
      });
    }
    expect(tokens.asked).toEqual([]);
  });
});

describe('an identity token', () => {
  /** A registry with a token server that gives access for the identity token alone. */
  async function guarded() {
    const forms: string[] = [];
    const server = await serve();
    server.intercept = (request, response) => {
      const { url = '', headers, method } = request;
      if (url.startsWith('/token')) {
        void bodyOf(request).then((form) => {
          forms.push(`${method} ${form}`);
          const known = new URLSearchParams(form).get('refresh_token') === TOKEN.token;
          response.writeHead(known ? 200 : 401).end('{"access_token":"access"}');
        });
        return true;
      }
      if (headers.authorization === 'Bearer access') return false;
      const challenge = `Bearer realm="http://${server.host}/token",service="the registry"`;
      response.writeHead(401, { 'www-authenticate': challenge }).end();
      return true;
    };
    return { server, forms };
  }

  it('is exchanged for an access token in the OAuth2 form', async () => {
    const { server, forms } = await guarded();
    await host.logins.set(server.host, TOKEN);
    expect(await host.logins.get(server.host)).toEqual(TOKEN);
    expect((await host.pull(`${server.host}/app:1`)).layers).toHaveLength(1);
    const fields = { grant_type: 'refresh_token', client_id: 'tsdocker', refresh_token: 'identity' };
    const form = new URLSearchParams({ ...fields, service: 'the registry', scope: 'repository:app:pull' });
    expect(forms).toEqual([`POST ${form}`]);
    await host.logins.set(server.host, { ...TOKEN, token: 'another' });
    await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
  });

  it('can be stored by the program that credsStore names', async () => {
    const { server } = await guarded();
    const programs = join(host.path, 'bin');
    mkdirSync(programs);
    const helper = join(programs, 'docker-credential-keeper');
    const kept = join(programs, 'kept');
    writeFileSync(
      helper,
      `#!/bin/sh\necho $1 >> ${programs}/calls\ncase $1 in store) cat > ${kept};; get) cat > /dev/null; [ -f ${kept} ] && cat ${kept} || { echo credentials not found; exit 1; };; erase) rm ${kept};; esac\n`,
    );
    chmodSync(helper, 0o755);
    const file = join(host.path, 'docker', 'config.json');
    mkdirSync(join(host.path, 'docker'));
    writeFileSync(file, JSON.stringify({ credsStore: 'keeper' }));
    const { PATH } = process.env;
    process.env.PATH = `${programs}:${PATH}`;
    try {
      await host.logins.set(server.host, TOKEN);
      expect(JSON.parse(readFileSync(kept, 'utf8'))).toEqual({
        ServerURL: server.host,
        Username: '<token>',
        Secret: 'identity',
      });
      expect(readFileSync(file, 'utf8')).not.toContain('identity');
      expect((await host.pull(`${server.host}/app:1`)).layers).toHaveLength(1);
      expect(await host.logins.remove(server.host)).toBe(true);
      await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
      expect(readFileSync(join(programs, 'calls'), 'utf8').split('\n')).toContain('erase');
      // One that fails is not the same as one that knows nothing.
      writeFileSync(helper, '#!/bin/sh\necho the keyring is locked; exit 2\n');
      await expect(host.pull(`${server.host}/app:1`)).rejects.toMatchObject({
        message: 'docker-credential-keeper get: the keyring is locked',
      });
    } finally {
      process.env.PATH = PATH;
    }
  });
});

describe('search', () => {
  const asked = { credentials: null, signal: new AbortController().signal };
  const json = (value: unknown) => ({ body: Buffer.from(JSON.stringify(value)), type: 'application/json' });

  it('uses the first protocol where the registry has it, most stars first', async () => {
    const server = await serve();
    server.documents.set(
      '/v1/search?q=my+app&n=100',
      json({
        results: [
          { name: 'few', star_count: 1 },
          { name: 'many', star_count: 5, description: 'the one', is_official: true },
        ],
      }),
    );
    expect(await host.registry.search(server.host, 'my app', asked)).toEqual([
      { name: 'many', description: 'the one', stars: 5, official: true },
      { name: 'few', description: '', stars: 1, official: false },
    ]);
  });

  it('uses the catalog elsewhere, and reports an empty result', async () => {
    const server = await serve();
    server.documents.set('/v2/_catalog', json({ repositories: ['team/app', 'other'] }));
    expect(await host.registry.search(server.host, 'APP', asked)).toMatchObject([{ name: 'team/app' }]);
    expect(server.asked.filter((line) => line.includes('_catalog'))).not.toEqual([]);
    server.documents.set('/v1/search?q=app&n=100', { body: Buffer.from('<html>'), type: 'text/html' });
    await expect(host.registry.search(server.host, 'app', asked)).rejects.toThrow(/search .*JSON/);
  });
});
