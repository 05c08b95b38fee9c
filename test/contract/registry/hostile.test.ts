import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../support/fake-registry.ts';
import { sha256, tarOf } from '../../support/images.ts';
import { TestHost } from '../../support/registry-client.ts';
import { gate, until } from '../../support/wait.ts';

const layer = tarOf({ path: 'file', content: randomBytes(400_000) });
const LOGIN = { type: 'password', username: 'me', password: 'secret' } as const;

let server: FakeRegistry;
let host: TestHost;
let blob: string;
beforeEach(async () => {
  server = await new FakeRegistry().start();
  host = new TestHost();
  blob = server.add('app:1', { layers: [layer] });
});
afterEach(async () => {
  host.remove();
  await server.stop();
});

const pull = () => host.pull(`${server.host}/app:1`);
const parts = () => (existsSync(host.downloads) ? readdirSync(host.downloads) : []);
const layers = () => host.graph.list();
const onBlob = (answer: (response: ServerResponse, body: Buffer, attempt: number) => void): void => {
  const path = `/v2/app/blobs/${blob}`;
  let attempt = 0;
  server.intercept = ({ url }, response) => {
    if (url !== path) return false;
    answer(response, server.documents.get(path)?.body ?? Buffer.alloc(0), ++attempt);
    return true;
  };
};
const onUrl = (pattern: RegExp, answer: (response: ServerResponse) => void): void => {
  server.intercept = ({ url = '' }, response) => {
    if (!pattern.test(url)) return false;
    answer(response);
    return true;
  };
};

describe('a registry that lies is refused without leftovers', () => {
  const expectRefused = async (message: RegExp, code = 'TSD_REGISTRY_INVALID'): Promise<void> => {
    await expect(pull()).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    expect(layers()).toEqual([]);
    expect(parts()).toEqual([]);
  };

  it('about the content of a blob', async () => {
    onBlob((response, body) => response.end(Buffer.alloc(body.length, 7)));
    await expectRefused(/arrived with another content/);
  });

  it('about its length, in the header', async () => {
    onBlob((response, body) => {
      response.writeHead(200, { 'content-length': body.length + 5 });
      response.end(Buffer.concat([body, Buffer.alloc(5)]));
    });
    const refused = await pull().catch((error: Error) => error.message);
    expect(refused).toMatch(/says that the blob has \d+ bytes, its manifest \d+/);
    expect(layers()).toEqual([]);
  });

  it('with a body that never ends', async () => {
    onBlob((response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536)));
      };
      response.on('drain', more);
      more();
    });
    await expectRefused(/is longer than the \d+ bytes of its manifest/);
  });

  it('with an endless manifest', async () => {
    onUrl(/manifests/, (response) => {
      const more = () => {
        while (!response.destroyed && response.write(Buffer.alloc(65_536, 32)));
      };
      response.on('drain', more);
      more();
    });
    await expectRefused(/answers with more than 4194304 bytes/);
  });

  it('about the digest of a manifest', async () => {
    onUrl(/manifests/, (response) =>
      response.writeHead(200, { 'docker-content-digest': `sha256:${'0'.repeat(64)}` }).end('{}'),
    );
    await expectRefused(/manifest app:1 has digest sha256:[0-9a-f]+, not sha256:0000/);
    await expect(host.pull(`${server.host}/app@sha256:${'1'.repeat(64)}`)).rejects.toMatchObject({
      code: 'TSD_REGISTRY_INVALID',
    });
  });

  it('about its configuration', async () => {
    server.intercept = ({ url = '' }, response) => {
      const config = [...server.documents].find(([, { type }]) => type.includes('config'))?.[0];
      if (url !== config) return false;
      response.end('{"architecture":"x"}');
      return true;
    };
    await expectRefused(/configuration of app has 20 bytes, not \d+/);
  });

  it('by circular redirects', async () => {
    onUrl(/manifests/, (response) => response.writeHead(307, { location: '/v2/app/manifests/1?again' }).end());
    await expectRefused(/redirects more than 5 times/);
    expect(server.asked.length).toBeLessThan(20);
  });

  it('by a redirect to an invalid address', async () => {
    onUrl(/manifests/, (response) => response.writeHead(302, { location: 'file:///etc/shadow' }).end());
    await expectRefused(/redirects to what is no web address/);
  });

  it('by repeated login challenges', async () => {
    onUrl(/manifests/, (response) => response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end());
    await expect(host.pull(`${server.host}/app:1`, { credentials: LOGIN })).rejects.toMatchObject({
      code: 'TSD_REGISTRY_DENIED',
    });
    const realm = `http://${server.host}/token`;
    server.documents.set('/token?service=s&scope=repository%3Aapp%3Apull', {
      body: Buffer.from('{"token":"t"}'),
      type: 'application/json',
    });
    onUrl(/manifests/, (response) =>
      response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="s"` }).end(),
    );
    await expectRefused(/answers 401/, 'TSD_REGISTRY_DENIED');
    expect(server.asked.length).toBeLessThan(20);
  });

  it('with an invalid manifest, or one in the old format', async () => {
    onUrl(/manifests/, (response) => response.end('<html>'));
    await expectRefused(/is not JSON/, 'TSD_IMAGE_INVALID');
    onUrl(/manifests/, (response) => response.end('{"schemaVersion":1,"fsLayers":[]}'));
    await expectRefused(/schema 1/, 'TSD_IMAGE_INVALID');
  });

  it('with a tar that leaves its directory', async () => {
    server.add('app:1', { layers: [tarOf({ path: '../../out', content: 'x' })] });
    await expect(pull()).rejects.toMatchObject({ code: 'TSD_LAYER_HOSTILE' });
    expect(layers()).toEqual([]);
  });
});

describe('an interrupted download', () => {
  it('continues where it ended', async () => {
    const ranges: (string | undefined)[] = [];
    server.intercept = ({ url, headers }, response) => {
      if (url !== `/v2/app/blobs/${blob}`) return false;
      ranges.push(headers.range);
      const body = server.documents.get(url)?.body ?? Buffer.alloc(0);
      if (ranges.length > 1) return false;
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 100_000), () => response.destroy());
      return true;
    };
    expect((await pull()).layers[0]?.diffId).toBe(sha256(layer));
    expect(ranges[0]).toBe(undefined);
    expect(ranges[1]).toMatch(/^bytes=[1-9]\d*-$/);
    expect(parts()).toEqual([]);
  });

  it('keeps the part for the next pull, and times out when stalled', async () => {
    onBlob((response, body) => {
      response.writeHead(200, { 'content-length': body.length });
      response.write(body.subarray(0, 1_000));
    });
    await expect(pull()).rejects.toMatchObject({ code: 'TSD_REGISTRY', class: 'timeout' });
    expect(parts()).toEqual([`${blob.slice('sha256:'.length)}.part`]);
    server.intercept = () => false;
    expect((await pull()).layers).toHaveLength(1);
    expect(server.headers.some(({ range }) => range === 'bytes=1000-')).toBe(true);
    expect(parts()).toEqual([]);
  });

  it('starts again where the server has no ranges, and drops a wrong part', async () => {
    const path = join(host.downloads, `${blob.slice('sha256:'.length)}.part`);
    mkdirSync(host.downloads);
    writeFileSync(path, 'wrong');
    onBlob((response, body) => response.end(body));
    expect((await pull()).layers).toHaveLength(1);
    const other = new TestHost();
    try {
      mkdirSync(other.downloads);
      writeFileSync(join(other.downloads, `${blob.slice('sha256:'.length)}.part`), 'wrong');
      server.intercept = () => false;
      await expect(other.pull(`${server.host}/app:1`)).rejects.toMatchObject({ code: 'TSD_REGISTRY_INVALID' });
      expect((await other.pull(`${server.host}/app:1`)).layers).toHaveLength(1);
    } finally {
      other.remove();
    }
  });

  it('is retried after server errors, up to a limit', async () => {
    onBlob((response, body, attempt) => (attempt < 3 ? response.writeHead(503).end() : response.end(body)));
    expect((await pull()).layers).toHaveLength(1);
    const second = new TestHost();
    try {
      onBlob((response) => response.writeHead(500).end());
      await expect(second.pull(`${server.host}/app:1`)).rejects.toMatchObject({
        code: 'TSD_REGISTRY',
        message: expect.stringMatching(/answers 500/),
      });
    } finally {
      second.remove();
    }
  });

  it('is shared by two images and removed with the last one', async () => {
    const other = tarOf({ path: 'other', content: randomBytes(400_000) });
    const late = server.add('late:1', { layers: [other, layer] });
    const held = gate();
    server.intercept = ({ url }, response) => {
      const path = `/v2/late/blobs/${late}`;
      if (url !== path) return false;
      void held.passed.then(() => response.end(server.documents.get(path)?.body));
      return true;
    };
    const waiting = host.pull(`${server.host}/late:1`);
    const digest = blob.slice('sha256:'.length);
    await until('the shared layer', async () =>
      host.events.some((event) => event.type === 'download' && event.digest === digest && event.bytes === event.total),
    );
    await pull();
    held.open();
    expect((await waiting).layers).toHaveLength(2);
    expect(parts()).toEqual([]);
  });

  it('starts after a registry was busy for a moment', async () => {
    let busy = 2;
    server.intercept = ({ url = '' }, response) => {
      if (!url.includes('/manifests/') || busy-- <= 0) return false;
      response.writeHead(503, { 'retry-after': '0' }).end();
      return true;
    };
    expect((await pull()).layers).toHaveLength(1);
    busy = 99;
    await expect(pull()).rejects.toThrow(/answers 503/);
    expect(busy).toBe(96);
  });

  it('can be cancelled by one caller without affecting the others', async () => {
    const [held, reached] = [gate(), gate()];
    onBlob((response, body) => {
      reached.open();
      void held.passed.then(() => response.end(body));
    });
    const controller = new AbortController();
    const first = host.pull(`${server.host}/app:1`, { signal: controller.signal });
    const second = pull();
    const given = expect(first).rejects.toMatchObject({ message: 'it was cancelled' });
    await reached.passed;
    controller.abort();
    await given;
    held.open();
    expect((await second).layers).toHaveLength(1);
  });
});

describe('logins', () => {
  it('a token is requested with the scope and sent only to the registry', async () => {
    const store = await new FakeRegistry().start();
    try {
      const { body, type } = server.documents.get(`/v2/app/blobs/${blob}`) ?? { body: Buffer.alloc(0), type: '' };
      store.documents.set('/stored', { body, type });
      const realm = `http://${server.host}/token`;
      server.intercept = ({ url = '', headers }, response) => {
        if (url.startsWith('/token')) {
          const known = headers.authorization === `Basic ${Buffer.from('me:secret').toString('base64')}`;
          response.writeHead(known ? 200 : 401).end('{"access_token":"the-token"}');
        } else if (headers.authorization !== 'Bearer the-token') {
          response.writeHead(401, { 'www-authenticate': `Bearer realm="${realm}",service="the registry"` }).end();
        } else if (url.endsWith(blob)) response.writeHead(307, { location: `http://${store.host}/stored` }).end();
        else return false;
        return true;
      };
      await expect(pull()).rejects.toMatchObject({ code: 'TSD_REGISTRY_DENIED' });
      expect((await host.pull(`${server.host}/app:1`, { credentials: LOGIN })).layers).toHaveLength(1);
      expect(server.asked).toContain('GET /token?service=the+registry&scope=repository%3Aapp%3Apull&account=me');
      expect(store.asked).toEqual(['GET /stored']);
      expect(store.headers[0]?.authorization).toBe(undefined);
    } finally {
      await store.stop();
    }
  });

  it('are stored in a file of mode 0600 that keeps foreign entries, or with a helper', async () => {
    const file = join(host.path, 'docker', 'config.json');
    mkdirSync(join(host.path, 'docker'));
    writeFileSync(
      file,
      JSON.stringify({
        psFormat: 'x',
        auths: { 'https://index.docker.io/v1/': { auth: Buffer.from('a:b').toString('base64') } },
      }),
      { mode: 0o644 },
    );
    expect(await host.logins.get('docker.io')).toEqual({ type: 'password', username: 'a', password: 'b' });
    await host.logins.set('registry.example', LOGIN);
    expect(statSync(file).mode & 0o777).toBe(0o600);
    expect(await host.logins.get('registry.example')).toEqual(LOGIN);
    expect(await host.logins.remove('docker.io')).toBe(true);
    expect(await host.logins.get('docker.io')).toBe(null);
    const programs = join(host.path, 'bin');
    mkdirSync(programs);
    const helper = `#!/bin/sh\ncase $1 in get) read url; [ -f ${programs}/secret ] && cat ${programs}/secret || { echo 'credentials not found in native keychain'; exit 1; };;\nstore) cat > ${programs}/secret;; erase) rm ${programs}/secret;; esac\n`;
    writeFileSync(join(programs, 'docker-credential-test'), helper, { mode: 0o755 });
    writeFileSync(file, JSON.stringify({ credHelpers: { 'registry.example': 'test' } }));
    const { PATH } = process.env;
    process.env.PATH = `${programs}:${PATH}`;
    try {
      expect(await host.logins.get('registry.example')).toBe(null);
      await host.logins.set('registry.example', LOGIN);
      expect(await host.logins.get('registry.example')).toEqual(LOGIN);
      expect(await host.logins.remove('registry.example')).toBe(true);
      expect(existsSync(join(programs, 'secret'))).toBe(false);
    } finally {
      process.env.PATH = PATH;
    }
  });
});

describe('a push', () => {
  it('is refused during another push of the same name, and a pull waits for it', async () => {
    const image = await pull();
    const [held, reached] = [gate(), gate()];
    server.intercept = ({ method, url }, response) => {
      if (method === 'HEAD') response.writeHead(200).end();
      else if (method !== 'PUT' || url !== '/v2/app/manifests/1') return false;
      else {
        reached.open();
        void held.passed.then(() => response.writeHead(201).end());
      }
      return true;
    };
    const name = `${server.host}/app:1`;
    const first = host.push(image, name);
    await reached.passed;
    await expect(host.push(image, name)).rejects.toMatchObject({
      class: 'conflict',
      message: `push ${name} is already in progress`,
    });
    const second = pull();
    expect(host.events.at(-1)).toEqual({
      type: 'reading',
      what: `Repository ${name} already being pushed by another client. Waiting.`,
    });
    held.open();
    await first;
    expect((await second).id).toBe(image.id);
  });
});

describe('an upload', () => {
  const image = () => host.pull(`${server.host}/app:1`);
  /** A registry with a login, which has uploads sent to this place. */
  const uploadsTo = (location: string): void => {
    server.intercept = ({ method, headers }, response) => {
      if (headers.authorization === undefined) {
        response.writeHead(401, { 'www-authenticate': 'Basic realm="x"' }).end();
      } else if (method === 'POST') response.writeHead(202, { location }).end();
      else response.writeHead(method === 'PUT' ? 201 : 404).end();
      return true;
    };
  };

  it('goes to the store that the registry names, without the login', async () => {
    const pushed = await image();
    const store = await new FakeRegistry().start();
    let bytes = 0;
    store.intercept = (request, response) => {
      request.on('data', (piece: Buffer) => {
        bytes += piece.length;
      });
      request.on('end', () => response.writeHead(request.method === 'PUT' ? 201 : 202, { location: '/up' }).end());
      return true;
    };
    try {
      uploadsTo(`http://${store.host}/up`);
      expect(await host.push(pushed, `${server.host}/app:1`, LOGIN)).toMatch(/^sha256:/);
      expect(store.asked.filter((line) => line.startsWith('PATCH /up'))).toHaveLength(1);
      expect(bytes).toBeGreaterThan(layer.length - 10_000);
      expect(store.headers.filter(({ authorization }) => authorization !== undefined)).toEqual([]);
    } finally {
      await store.stop();
    }
  });

  it('goes to no invalid address', async () => {
    const pushed = await image();
    uploadsTo('ftp://elsewhere/up');
    await expect(host.push(pushed, `${server.host}/app:1`, LOGIN)).rejects.toMatchObject({
      code: 'TSD_REGISTRY_INVALID',
      message: expect.stringContaining('no web address'),
    });
  });
});

describe('mirrors', () => {
  it('replace Docker Hub, and a failing one is skipped', async () => {
    const broken = await new FakeRegistry().start();
    const mirrored = new TestHost({ mirrors: [`http://${broken.host}`, `http://${server.host}`] });
    try {
      server.add('library/app:1', { layers: [layer] });
      const image = await mirrored.pull('app:1', { credentials: LOGIN });
      expect(image.references).toEqual(['app:1']);
      expect(broken.asked).toEqual(['GET /v2/library/app/manifests/1']);
      expect([...broken.headers, ...server.headers].every(({ authorization }) => authorization === undefined)).toBe(
        true,
      );
    } finally {
      mirrored.remove();
      await broken.stop();
    }
  });
});

describe('layers', () => {
  it('can be uncompressed', async () => {
    server.add('app:1', { layers: [layer] }, (tar) => tar);
    expect((await pull()).layers[0]?.diffId).toBe(sha256(layer));
  });
});
