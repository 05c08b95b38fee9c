/** The reach of a hostile Dockerfile on the host: by ADD, by RUN. Servers listen on the host's own addresses. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { createSocket, type Socket as UdpSocket } from 'node:dgram';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { join } from 'node:path';
import { decode, encode, TRUNCATED_RESPONSE } from 'dns-packet';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { imageContent } from '../support/image-tree.ts';
import { buildBase, findBusybox, temporaryDirectory } from '../support/images.ts';
import { type CliResult, TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const busybox = findBusybox();
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** A server that counts its requests. */
class Counted {
  readonly asked: string[] = [];
  readonly server: Server;
  #address = '';

  constructor(answer: (request: IncomingMessage) => { readonly location?: string; readonly body?: string }) {
    this.server = createServer((request, response) => {
      this.asked.push(request.url ?? '');
      const { location, body = '' } = answer(request);
      response.writeHead(location === undefined ? 200 : 302, location === undefined ? {} : { location });
      response.end(body);
    });
  }

  async listen(address: string): Promise<this> {
    await new Promise<void>((done) => this.server.listen(0, address, done));
    this.#address = address;
    return this;
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  get url(): string {
    return `http://${this.#address}:${this.port}`;
  }

  close(): void {
    this.server.closeAllConnections();
    this.server.close();
  }
}

describe.skipIf(busybox === null)('the reach of a build (needs busybox-static)', () => {
  const area = temporaryDirectory();
  let supervisor: TestSupervisor;
  /** Of the host alone: on its loopback. */
  let secret: Counted;
  /** Of the network of the build, by the address of its gateway. */
  let shared: Counted;
  let names: UdpSocket;
  let longNames: TcpServer;
  let gateway: string;
  const wanted: string[] = [];
  const ADDRESSES: Readonly<Record<string, string>> = { 'inside.test': '127.0.0.1', 'cloud.test': '169.254.169.254' };

  const reply = (bytes: Buffer): Buffer => {
    const { id, questions = [] } = decode(bytes);
    const name = questions[0]?.name ?? '';
    wanted.push(name);
    const data = ADDRESSES[name] ?? (/^(shared|long)\.test$/.test(name) ? gateway : undefined);
    const answers = data === undefined ? [] : [{ type: 'A' as const, name, data, ttl: 1 }];
    return encode({ type: 'response', id, flags: data === undefined ? 3 : 0, questions, answers });
  };
  const context = (...lines: readonly string[]): string => {
    const directory = mkdtempSync(join(area.path, 'context-'));
    writeFileSync(join(directory, 'Dockerfile'), `FROM busybox:1\n${lines.join('\n')}\n`);
    return directory;
  };
  const build = (directory: string, ...flags: string[]): Promise<CliResult> =>
    supervisor.cli('build', ...flags, directory);
  /** Message of a build that fails, and what the server of the host was asked for. */
  const refused = async (directory: string, ...flags: string[]): Promise<string> => {
    const { status, stderr } = await build(directory, ...flags);
    expect({ status, asked: secret.asked }, stderr).toEqual({ status: 1, asked: [] });
    return stderr;
  };
  const files = async (image: string): Promise<Readonly<Record<string, string>>> => {
    const archive = join(mkdtempSync(join(area.path, 'saved-')), 'saved.tar');
    await supervisor.ok('save', '-o', archive, image);
    return imageContent(archive).tree;
  };
  const fileOf = (text: string, mode: string): string => `f ${mode} 0:0 ${sha256(text).slice(0, 8)}`;

  beforeAll(async () => {
    supervisor = new TestSupervisor();
    gateway = `${supervisor.subnet}.1`;
    await supervisor.start('--dns', gateway, '--dns-search', 'test');
    const path = buildBase(area.path, busybox ?? '');
    await supervisor.ok('import', path, 'busybox:1', '-c', 'ENV PATH=/bin', '-c', 'CMD ["sh"]');
    secret = await new Counted(() => ({ body: 'of the host' })).listen('127.0.0.1');
    // The bridge is there when something of it was used.
    await supervisor.ok('build', '-q', context('RUN true'));
    shared = await new Counted(({ url = '' }) =>
      url === '/redirect' ? { location: `${secret.url}/secret` } : { body: 'for all' },
    ).listen(gateway);
    names = createSocket('udp4');
    names.on('message', (bytes, { port, address }) => {
      const isLong = decode(bytes).questions?.[0]?.name === 'long.test';
      // Answers from elsewhere or to another question are ignored.
      names.send(Buffer.from('no answer at all'), port, address);
      names.send(
        isLong ? encode({ ...decode(bytes), type: 'response', flags: TRUNCATED_RESPONSE }) : reply(bytes),
        port,
        address,
      );
    });
    await new Promise<void>((done) => names.bind(53, gateway, done));
    longNames = createTcpServer((socket) =>
      socket.on('data', (bytes) => {
        const answer = reply(bytes.subarray(2));
        const length = Buffer.alloc(2);
        length.writeUInt16BE(answer.length);
        socket.end(Buffer.concat([length, answer]));
      }),
    );
    await new Promise<void>((done) => longNames.listen(53, gateway, done));
  });
  afterAll(async () => {
    secret?.close();
    shared?.close();
    names?.close();
    longNames?.close();
    await supervisor.destroy();
    area.remove();
  });
  beforeEach(() => {
    secret.asked.length = 0;
    shared.asked.length = 0;
    wanted.length = 0;
  });

  test.each([
    ['the address', () => `${secret.url}/secret`],
    ['the name', () => `http://localhost:${secret.port}/secret`],
    ['another address of loopback', () => `http://127.9.9.9:${secret.port}/secret`],
    ['a number', () => `http://2130706433:${secret.port}/secret`],
    ['IPv6', () => `http://[::ffff:127.0.0.1]:${secret.port}/secret`],
    ['a redirect', () => `${shared.url}/redirect`],
    ['a name server', () => `http://inside.test:${secret.port}/secret`],
  ])("ADD does not reach the host's loopback by %s", async (_, url) => {
    const message = await refused(context(`ADD ${url()} /got`));
    expect(message).toMatch(/Dockerfile:2/);
    expect(message).toMatch(/cannot be reached|is the loopback of the build/);
  });

  test.each(['169.254.169.254', 'cloud.test', '[fe80::1]'])(
    'ADD does not reach link-local addresses: %s',
    async (host) => {
      expect(await refused(context(`ADD http://${host}:${secret.port}/secret /got`))).toContain('link-local address');
    },
  );

  test('ADD reaches what RUN reaches, by address and by name, with checksum', async () => {
    const directory = context(
      `ADD --checksum=sha256:${sha256('for all')} ${shared.url}/a /a`,
      `ADD http://shared:${shared.port}/b http://shared.test:${shared.port}/c /d/`,
      `ADD http://long.test:${shared.port}/long /long`,
      `RUN wget -q -O /e http://shared.test:${shared.port}/e`,
    );
    await supervisor.ok('build', '-q', '-t', 'reached:1', directory);
    expect(shared.asked).toEqual(['/a', '/b', '/c', '/long', '/e']);
    const content = fileOf('for all', '600');
    expect(await files('reached:1')).toMatchObject({
      a: content,
      'd/b': content,
      'd/c': content,
      long: content,
      e: fileOf('for all', '644'),
    });
    // The search domain goes with it.
    expect(wanted).toContain('shared.test');
    const links = spawnSync('ip', ['-br', 'link', 'show', 'master', supervisor.bridge], { encoding: 'utf8' });
    expect(links.stdout).toBe('');
  });

  test('without a network, ADD of a URL fails and RUN cannot ask for the default network', async () => {
    const message = await refused(context(`ADD ${shared.url}/a /a`), '--network', 'none');
    expect(message).toMatch(/Dockerfile:2:1: ADD of \S+: this build has no network/);
    expect(shared.asked).toEqual([]);
    const directory = context('RUN --network=default ! ip link show eth0');
    await supervisor.ok('build', '-q', '--network', 'none', directory);
  });

  test('a build without the host network does not use the cache of a build with it', async () => {
    const line = `ADD ${secret.url}/kept /got`;
    await supervisor.ok('build', '-q', '-t', 'host:1', '--network', 'host', context(line));
    expect(secret.asked).toEqual(['/kept']);
    expect((await files('host:1')).got).toBe(fileOf('of the host', '600'));
    secret.asked.length = 0;
    await refused(context(line));
  });

  test('RUN has the host network only when the build asks for it', async () => {
    const directory = context(`RUN --network=host wget -q -O /got ${secret.url}/run`);
    const message = await refused(directory);
    expect(message).toMatch(/Dockerfile:2/);
    expect(message).toContain("RUN --network=host: this build may not use the host's network");
    expect(message).toContain('--allow network.host');
    expect(message).toContain('network: host');
    await supervisor.ok('build', '-q', '-t', 'allowed:1', '--allow', 'network.host', directory);
    expect((await files('allowed:1')).got).toBe(fileOf('of the host', '644'));
    secret.asked.length = 0;
    await refused(directory);
    await supervisor.ok('build', '-q', '-t', 'given:1', '--network', 'host', '--no-cache', directory);
    expect((await files('given:1')).got).toBe(fileOf('of the host', '644'));
  });

  test('`network: host` in a manifest gives a build the host network', async () => {
    const directory = context(`RUN --network=host wget -q -O /got ${secret.url}/declared`);
    supervisor.drop('app.yaml', `images: { a: { build: ${directory} } }\n`);
    await until('the refusal', async () =>
      (await supervisor.cli('describe', 'image', 'a')).stdout.includes("may not use the host's network"),
    );
    expect(secret.asked).toEqual([]);
    supervisor.drop('app.yaml', `images: { a: { build: { context: ${directory}, network: host } } }\n`);
    await until('the image', async () => secret.asked.includes('/declared'));
  });

  test('ADD uses TLS through the network of the build', async () => {
    const key = join(area.path, 'key.pem');
    const cert = join(area.path, 'cert.pem');
    const subject = ['-subj', '/CN=shared.test', '-addext', 'subjectAltName=DNS:shared.test'];
    const made = spawnSync(
      'openssl',
      ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', '2', '-keyout', key, '-out', cert, ...subject],
      { encoding: 'utf8' },
    );
    expect(made.status, made.stderr).toBe(0);
    const server = createTlsServer({ key: readFileSync(key), cert: readFileSync(cert) }, (_, response) =>
      response.end(),
    );
    await new Promise<void>((done) => server.listen(0, gateway, done));
    try {
      const { port } = server.address() as AddressInfo;
      const message = await refused(context(`ADD https://shared.test:${port}/a /a`));
      // The connection reached the certificate, whose authority the host does not trust.
      expect(message).toContain(`the certificate of shared.test:${port} is not trusted`);
    } finally {
      server.close();
    }
  });
});
