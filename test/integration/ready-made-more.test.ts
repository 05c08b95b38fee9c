/** More manifests of manifests/, unchanged, on images that stand in for those of the registries. */
import { readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { join } from 'node:path';
import { text as readText } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  applyAll,
  filesWithSecrets,
  imagesOf,
  type Kept,
  pidsOf,
  placeManifests,
  request,
  uidOf,
} from '../support/ready-made.ts';
import { makeStandIns, missingForStandIns } from '../support/stand-ins/stand-ins.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const SECRETS = [
  'mariadb-password',
  'mariadb-root-password',
  'minio-root-password',
  'mosquitto-password',
  'nats-token',
  'nextcloud-admin-password',
  'nextcloud-db-password',
  'paperless-admin-password',
  'paperless-db-password',
  'paperless-secret-key',
  'rabbitmq-password',
  'valkey-password',
  'wordpress-db-password',
  'wordpress-db-root-password',
];

/** Those that run beside each other, and the user that each container runs as, by the page of its image. */
const GROUPS: Readonly<Record<string, Readonly<Record<string, number>>>> = {
  'servers that keep data': {
    'caddy/web': 0,
    'loki/store': 10_001,
    'mariadb/db': 999,
    'minio/store': 0,
    'mosquitto/broker': 1883,
    'nats/server': 0,
    'rabbitmq/broker': 999,
    'uptime-kuma/monitor': 0,
    'valkey/cache': 999,
    'vaultwarden/server': 0,
  },
  'programs with a database of their own': {
    'nextcloud/cache': 999,
    'nextcloud/cron': 0,
    'nextcloud/db': 999,
    'nextcloud/web': 0,
    'paperless/cache': 999,
    'paperless/db': 999,
    'paperless/web': 1000,
    'wordpress/db': 999,
    'wordpress/web': 0,
  },
};

const missing = missingForStandIns();
let supervisor: TestSupervisor;
let directory: string;
let secrets: Record<string, string>;

beforeEach(async () => {
  if (missing !== null) return;
  supervisor = await new TestSupervisor().start();
  directory = join(supervisor.base, 'ready-made');
  secrets = placeManifests(directory, SECRETS);
});

afterEach(async () => {
  if (missing === null) await supervisor.destroy();
});

const PAGE = '<p>Written by a person</p>\n';
const execIn = (name: string, script: string) => supervisor.ok('exec', name, 'sh', '-c', script);
const text = async (output: Promise<string>): Promise<string> => (await output).trim();

/** A note in a program, and in every place where it keeps data. */
const noteAt = (port: number, places: number): Kept => ({
  write: () => request(`http://127.0.0.1:${port}/stand-in/note`, { method: 'PUT', body: 'kept' }),
  read: async () => {
    const kept = JSON.parse(await request(`http://127.0.0.1:${port}/stand-in/note`));
    expect(kept).toEqual(Array.from({ length: places }, () => 'kept'));
  },
});

/** The page at port 80 for a host of this name, which fetch does not let say. */
const pageOf = (host: string): Promise<string> =>
  new Promise((resolve, reject) => {
    get({ host: '127.0.0.1', port: 80, headers: { host }, agent: false }, (answer) => {
      readText(answer).then(resolve, reject);
    }).on('error', reject);
  });

const addressOf = async (app: string): Promise<string> =>
  (await supervisor.containers()).find((view) => view.app === app)?.address ?? '';

/** What a server of NATS answers to a few lines of its protocol, until `wanted` is part of it. */
async function nats(lines: readonly string[], wanted: string): Promise<string> {
  const host = await addressOf('nats');
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port: 4222 });
    let said = '';
    socket.on('error', reject);
    socket.on('close', () => reject(new Error(`${wanted} is not in ${said}`)));
    socket.on('data', (bytes) => {
      said += bytes;
      if (said.includes(wanted)) {
        resolve(said);
        socket.destroy();
      }
    });
    const login = `CONNECT ${JSON.stringify({ verbose: false, auth_token: secrets['nats-token'] })}`;
    socket.write(`${[login, 'SUB answers 1', ...lines].join('\r\n')}\r\n`);
  });
}

const stream = JSON.stringify({ name: 'notes', subjects: ['notes'], storage: 'file' });
const last = JSON.stringify({ last_by_subj: 'notes' });

const rabbit = async (path: string, method: string, body: object): Promise<string> =>
  request(`http://127.0.0.1:15672/api/${path}`, {
    method,
    body: JSON.stringify(body),
    headers: { authorization: `Basic ${Buffer.from(`app:${secrets['rabbitmq-password']}`).toString('base64')}` },
  });

/** The session of who logs in at the console. */
async function console9001(): Promise<Record<string, string>> {
  const body = JSON.stringify({ accessKey: 'admin', secretKey: secrets['minio-root-password'] });
  const { headers } = await fetch('http://127.0.0.1:9001/api/v1/login', { method: 'POST', body });
  return { cookie: headers.get('set-cookie') ?? '' };
}

const sql = (query: string) =>
  text(execIn('mariadb/db', `mariadb --skip-ssl -u app -p"$MARIADB_PASSWORD" -BN app -e "${query}"`));
const PUBLISHED = `-u app -P "$MOSQUITTO_PASSWORD" -t notes`;

const KEPT: Readonly<Record<string, Kept>> = {
  caddy: {
    write: async () => writeFileSync(join(directory, 'caddy/site/index.html'), PAGE),
    read: async () => expect(await request('http://127.0.0.1:80/')).toBe(PAGE),
  },
  loki: {
    write: () => {
      const streams = [{ stream: { job: 'notes' }, values: [['1700000000000000000', 'kept']] }];
      return request('http://127.0.0.1:3100/loki/api/v1/push', { method: 'POST', body: JSON.stringify({ streams }) });
    },
    read: async () => {
      const query = new URLSearchParams({ query: '{job="notes"}' });
      const { data } = JSON.parse(await request(`http://127.0.0.1:3100/loki/api/v1/query_range?${query}`));
      expect(data.result[0].values).toEqual([['1700000000000000000', 'kept']]);
    },
  },
  mariadb: {
    write: () => sql("CREATE TABLE notes (note text); INSERT INTO notes VALUES ('kept')"),
    read: async () => expect(await sql('SELECT note FROM notes')).toBe('kept'),
  },
  minio: {
    write: async () =>
      request('http://127.0.0.1:9000/notes/note', { method: 'PUT', body: 'kept', headers: await console9001() }),
    read: async () =>
      expect(await request('http://127.0.0.1:9000/notes/note', { headers: await console9001() })).toBe('kept'),
  },
  mosquitto: {
    write: () => execIn('mosquitto/broker', `mosquitto_pub ${PUBLISHED} -m kept -r -q 1`),
    read: async () =>
      expect(await text(execIn('mosquitto/broker', `mosquitto_sub ${PUBLISHED} -C 1 -W 20`))).toBe('kept'),
  },
  nats: {
    write: async () => {
      await nats([`PUB $JS.API.STREAM.CREATE.notes answers ${stream.length}`, stream], '"type"');
      await nats(['PUB notes answers 4', 'kept'], '"seq":1');
    },
    read: async () => {
      const said = await nats([`PUB $JS.API.STREAM.MSG.GET.notes answers ${last.length}`, last], '"data"');
      expect(said).toContain(`"data":"${Buffer.from('kept').toString('base64')}"`);
    },
  },
  nextcloud: {
    ...noteAt(8082, 2),
    write: async () => {
      await noteAt(8082, 2).write();
      await until('a background job', () => request('http://127.0.0.1:8082/stand-in/cron').catch(() => null));
    },
  },
  paperless: {
    ...noteAt(8084, 2),
    write: async () => {
      await noteAt(8084, 2).write();
      writeFileSync(join(directory, 'paperless/consume/letter.txt'), 'dear');
      await until('the letter taken in', async () =>
        (await request('http://127.0.0.1:8084/stand-in/documents')).includes('letter.txt'),
      );
    },
  },
  rabbitmq: {
    write: async () => {
      await rabbit('queues/%2F/notes', 'PUT', { durable: true });
      const properties = { delivery_mode: 2 };
      const message = { properties, routing_key: 'notes', payload: 'kept', payload_encoding: 'string' };
      expect(await rabbit('exchanges/%2F/amq.default/publish', 'POST', message)).toContain('true');
    },
    read: async () => {
      const answer = await rabbit('queues/%2F/notes/get', 'POST', {
        count: 1,
        ackmode: 'ack_requeue_true',
        encoding: 'auto',
      });
      expect(JSON.parse(answer)).toMatchObject([{ payload: 'kept' }]);
    },
  },
  'uptime-kuma': noteAt(3002, 1),
  valkey: {
    write: () => supervisor.ok('exec', 'valkey/cache', 'valkey-cli', '-e', 'set', 'note', 'kept'),
    read: async () =>
      expect(await text(supervisor.ok('exec', 'valkey/cache', 'valkey-cli', '-e', 'get', 'note'))).toBe('kept'),
  },
  vaultwarden: noteAt(8081, 1),
  wordpress: noteAt(8083, 2),
};

const each = (apps: readonly string[], what: keyof Kept) => Promise.all(apps.map((app) => KEPT[app]?.[what]()));

describe.skipIf(missing !== null)(`more ready-made manifests (${missing ?? 'on stand-ins of their images'})`, () => {
  test.each(Object.entries(GROUPS))(
    '%s run unchanged, find what they name, keep data over a restart, and leave no secret in the state',
    async (_name, uids) => {
      const names = Object.keys(uids);
      const apps = [...new Set(names.map((name) => name.split('/')[0] ?? ''))];
      const paths = apps.map((app) => join(directory, `${app}.yaml`));
      await makeStandIns(supervisor, imagesOf(apps.map((app) => `${app}.yaml`)));
      for (const path of paths) await supervisor.ok('validate', '-f', path);
      const files = paths.flatMap((path) => ['-f', path]);
      const planned = await supervisor.cli('plan', ...files);
      expect(planned).toMatchObject({ status: 2, stderr: '' });
      for (const name of names) expect(planned.stdout).toContain(`container/${name}`);
      await applyAll(supervisor, files);
      const first = await pidsOf(supervisor, names.length);
      expect(Object.fromEntries(names.map((name) => [name, uidOf(first[name] ?? 0)]))).toEqual(uids);
      await each(apps, 'write');
      await each(apps, 'read');
      await supervisor.ok('restart', ...names);
      await until('all of them ready again', async () => {
        const views = await supervisor.containers();
        return views.every((view) => view.ready && view.pid !== first[`${view.app}/${view.name}`]);
      });
      await each(apps, 'read');
      expect(filesWithSecrets(supervisor, secrets).state).toEqual([]);
    },
    600_000,
  );

  test('traefik leads to containers of other apps by the names in its routes, and an edit of a route takes effect at once', async () => {
    await makeStandIns(supervisor, [...imagesOf(['traefik.yaml']), 'caddy:2.10.2']);
    const page = (name: string) => ['caddy', 'respond', '--listen', ':80', '--body', name].map((word) => `"${word}"`);
    const blog = supervisor.file(
      'blog.yaml',
      `containers:\n${['web', 'new']
        .map((name) => `  ${name}: { image: "caddy:2.10.2", network: traefik/proxy, command: [${page(name)}] }\n`)
        .join('')}`,
    );
    const traefik = join(directory, 'traefik.yaml');
    await supervisor.ok('validate', '-f', traefik);
    await applyAll(supervisor, ['-f', traefik, '-f', blog]);
    const ask = () => pageOf('blog.example.com');
    await until('the page of the blog', async () => (await ask()) === 'web');
    const route = join(directory, 'traefik/dynamic/example.yaml');
    writeFileSync(route, readFileSync(route, 'utf8').replaceAll('blog-web', 'blog-new'));
    await until('the page of the other', async () => (await ask()) === 'new');
    await supervisor.ok('restart', 'traefik/proxy');
    await until('the same after a restart', async () => (await ask()) === 'new');
  });
});
