/** Docker's clients meet a daemon: versions, headers, what there is not, and strangers. */
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, docker } from '../support/docker-client.ts';
import { Random } from '../support/random.ts';
import { TestSupervisor } from '../support/supervisor.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
});

afterAll(async () => {
  await supervisor.destroy();
});

const get = (path: string, headers = {}) => ask(supervisor.socket, 'GET', path, { headers });
const messageOf = ({ body }: { body: Buffer }) => (JSON.parse(body.toString()) as { message: string }).message;

test('docker version and docker info', async () => {
  const version = await docker(supervisor.socket, ['version']);
  expect(version).toMatchObject({ status: 0, stderr: '' });
  expect(version.stdout).toContain('Server: tsdocker');
  expect(version.stdout).toContain('API version:      1.51 (minimum version 1.24)');
  const info = await docker(supervisor.socket, ['info', '--format', '{{json .}}']);
  expect(info.status).toBe(0);
  expect(JSON.parse(info.stdout)).toMatchObject({
    Containers: 0,
    OSType: 'linux',
    Driver: 'overlay',
    DockerRootDir: supervisor.root,
    Swarm: { LocalNodeState: 'inactive' },
  });
});

test('every answer says who answers, also a wrong one', async () => {
  const server = {
    'api-version': '1.51',
    ostype: 'linux',
    'docker-experimental': 'false',
    server: expect.stringMatching(/^Docker\/\S+ \(linux\)$/),
  };
  const answers = await Promise.all(
    ['/_ping', '/v1.24/info', '/nothing', '/v1.20/info', '/v1.99/info'].map((path) => get(path)),
  );
  for (const { headers } of answers) expect(headers).toMatchObject(server);
  expect(answers.map(({ status }) => status)).toEqual([200, 200, 404, 400, 400]);
  expect(answers.slice(2).map(messageOf)).toEqual([
    'page not found',
    'client version 1.20 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version',
    'client version 1.99 is too new. Maximum supported API version is 1.51',
  ]);
  expect(answers[2]?.headers['content-type']).toBe('application/json');
});

test('ping has no body for HEAD, and is answered where an upgrade is offered with it', async () => {
  const head = await ask(supervisor.socket, 'HEAD', '/_ping');
  expect(head).toMatchObject({
    status: 200,
    headers: { 'content-length': '0', swarm: 'inactive', 'builder-version': '1' },
  });
  const offered = await get('/_ping', { connection: 'Upgrade', upgrade: 'h2c' });
  expect([offered.status, offered.body.toString()]).toEqual([200, 'OK']);
  expect((await ask(supervisor.socket, 'OPTIONS', '/v1.51/info')).status).toBe(200);
});

test('of swarms and plugins it says what a daemon without them says', async () => {
  const { status, stderr } = await docker(supervisor.socket, ['service', 'ls']);
  expect([status, stderr]).toEqual([1, expect.stringContaining('This node is not a swarm manager.')]);
  expect((await get('/v1.51/plugins')).body.toString()).toBe('[]\n');
  expect(messageOf(await get('/plugins/x/json'))).toBe('plugin "x" not found');
  expect((await ask(supervisor.socket, 'POST', '/swarm/init', { body: {} })).status).toBe(501);
});

/** Of 25 requests each; `TSD_ROUNDS=40000` sends a million. */
const ROUNDS = Number(process.env.TSD_ROUNDS ?? 800);
const WORDS = [
  'containers',
  'images',
  'networks',
  'volumes',
  'exec',
  'json',
  'create',
  'start',
  'archive',
  '..',
  '%00',
  '%2e%2e',
];
const METHODS = ['GET', 'POST', 'PUT', 'DELETE', 'HEAD', 'PATCH', 'OPTIONS'];
const BODIES = ['', '{', '[]', 'null', '{"Image":5}', '{"HostConfig":[]}', '\u0000', '"x"', '{"Cmd":{"a":1}}', '1e999'];

test('what strangers send is refused, and the supervisor goes on', async () => {
  const random = new Random(Number(process.env.TSD_SEED ?? 1));
  const statuses = new Set<number>();
  for (let round = 0; round < ROUNDS; round++) {
    const answers = await Promise.all(
      Array.from({ length: 25 }, () => {
        const path = `/v1.${random.below(70)}/${Array.from({ length: 1 + random.below(4) }, () => random.pick(WORDS)).join('/')}`;
        const query = `?${random.pick(['filters', 'all', 'tail', 't', 'path', 'fromImage'])}=${random.pick(['%', '1', '{"a":1}', '-1', '%ff'])}`;
        const body = Buffer.from(random.pick(BODIES));
        const headers = { 'content-type': random.pick(['application/json', 'text/plain', 'application/x-tar']) };
        const method = random.pick(METHODS);
        const isEndless = path.endsWith('/events');
        return isEndless ? null : ask(supervisor.socket, method, `${path}${query}`, { body, headers });
      }),
    );
    for (const answer of answers) if (answer !== null) statuses.add(answer.status);
  }
  expect([...statuses].filter((status) => status >= 500 && status !== 501 && status !== 503)).toEqual([]);
  expect((await get('/_ping')).status).toBe(200);
  expect(supervisor.log).not.toContain('"code":"TSD_BUG"');
});

test('bytes that are no HTTP end their connection alone', async () => {
  const closed = new Promise<string>((resolve) => {
    const socket = connect(supervisor.socket.replace('unix://', ''));
    let text = '';
    socket.on('data', (chunk) => {
      text += chunk;
    });
    socket.on('close', () => resolve(text));
    socket.on('error', () => undefined);
    socket.write('\u0000\u0001GET nothing\r\n\r\n');
  });
  expect(await closed).toContain('400 Bad Request');
  expect((await get('/_ping')).status).toBe(200);
});
