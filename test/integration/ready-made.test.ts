/** The manifests of manifests/, unchanged, on images that stand in for those of Docker Hub. */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
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
import type { RegistryServer } from '../support/registry.ts';
import { missingForStandIns, serveStandIns } from '../support/stand-ins/stand-ins.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const FILES = ['nginx', 'postgres', 'redis', 'registry', 'gitea', 'prometheus'].map((name) => `${name}.yaml`);
const SECRETS = [
  'postgres-password',
  'redis-password',
  'registry-http-secret',
  'gitea-db-password',
  'grafana-admin-password',
];
/** The user that each runs as, by the page of its image. */
const UIDS = {
  'nginx/web': 0,
  'postgres/db': 999,
  'redis/cache': 999,
  'registry/registry': 0,
  'gitea/db': 999,
  'gitea/gitea': 1000,
  'prometheus/prometheus': 65534,
  'prometheus/grafana': 472,
};

const missing = missingForStandIns();
let registry: RegistryServer | undefined;
let supervisor: TestSupervisor;
let directory: string;
let secrets: Record<string, string>;

beforeAll(async () => {
  if (missing !== null) return;
  registry = await serveStandIns(imagesOf(FILES));
});

afterAll(async () => {
  await registry?.stop();
});

beforeEach(async () => {
  supervisor = await new TestSupervisor().start('--registry-mirror', `http://${registry?.host}`);
  directory = join(supervisor.base, 'ready-made');
  secrets = placeManifests(directory, SECRETS);
});

afterEach(() => supervisor.destroy());

const files = () => FILES.flatMap((file) => ['-f', join(directory, file)]);

const apply = () => applyAll(supervisor, files());

const PAGE = '<p>Written by a person</p>\n';
const BLOB = randomBytes(10_000);
const DIGEST = `sha256:${createHash('sha256').update(BLOB).digest('hex')}`;
const sql = (text: string) => supervisor.ok('exec', 'postgres/db', 'psql', '-U', 'app', '-tA', '-c', text, 'app');
const redis = (...args: string[]) => supervisor.ok('exec', 'redis/cache', 'redis-cli', '-e', ...args);
const admin = () => ({
  authorization: `Basic ${Buffer.from(`admin:${secrets['grafana-admin-password']}`).toString('base64')}`,
});

/** A sample that Prometheus took, by its time. */
let sampledAt = 0;
async function samples(at: number): Promise<unknown[]> {
  const query = new URLSearchParams({ query: 'up{job="prometheus"}', time: String(at) });
  const { data } = JSON.parse(await request(`http://127.0.0.1:9090/api/v1/query?${query}`));
  return data.result.map(({ value }: { value: unknown[] }) => value[1]);
}

const KEPT: Readonly<Record<string, Kept>> = {
  nginx: {
    write: async () => writeFileSync(join(directory, 'nginx/html/index.html'), PAGE),
    read: async () => expect(await request('http://127.0.0.1:8080/')).toBe(PAGE),
  },
  postgres: {
    write: () => sql("CREATE TABLE notes (text text); INSERT INTO notes VALUES ('kept')"),
    read: async () => expect((await sql('SELECT text FROM notes')).trim()).toBe('kept'),
  },
  redis: {
    write: () => redis('set', 'note', 'kept'),
    read: async () => expect((await redis('get', 'note')).trim()).toBe('kept'),
  },
  registry: {
    write: async () => {
      const started = await fetch('http://127.0.0.1:5000/v2/app/blobs/uploads/', { method: 'POST' });
      const upload = new URL(started.headers.get('location') ?? '', 'http://127.0.0.1:5000');
      upload.searchParams.set('digest', DIGEST);
      await request(upload.href, { method: 'PUT', body: new Uint8Array(BLOB) });
    },
    read: async () => {
      const response = await fetch(`http://127.0.0.1:5000/v2/app/blobs/${DIGEST}`, {
        headers: { connection: 'close' },
      });
      expect(Buffer.from(await response.arrayBuffer()).equals(BLOB)).toBe(true);
    },
  },
  gitea: {
    write: () => request('http://127.0.0.1:3000/api/v1/repos/stand-in/notes', { method: 'PUT', body: 'kept' }),
    read: async () => {
      const found = JSON.parse(await request('http://127.0.0.1:3000/api/v1/repos/stand-in/notes'));
      expect(found).toEqual({ name: 'notes', description: 'kept', file: 'kept' });
    },
  },
  grafana: {
    write: () => {
      const dashboard = { uid: 'notes', title: 'kept' };
      const body = JSON.stringify({ dashboard });
      return request('http://127.0.0.1:3001/api/dashboards/db', { method: 'POST', headers: admin(), body });
    },
    read: async () => {
      const { dashboard } = JSON.parse(
        await request('http://127.0.0.1:3001/api/dashboards/uid/notes', { headers: admin() }),
      );
      expect(dashboard.title).toBe('kept');
    },
  },
  prometheus: {
    write: () =>
      until('a sample taken', async () => {
        sampledAt = Date.now() / 1000;
        return (await samples(sampledAt)).length > 0;
      }),
    read: async () => expect(await samples(sampledAt)).toEqual(['1']),
  },
};

const writeAll = () => Promise.all(Object.values(KEPT).map(({ write }) => write()));
const readAll = () => Promise.all(Object.values(KEPT).map(({ read }) => read()));

const pids = () => pidsOf(supervisor, Object.keys(UIDS).length);

describe.skipIf(missing !== null)(`the ready-made manifests (${missing ?? 'on stand-ins of their images'})`, () => {
  test('run unchanged, keep data over an edit, a rollback and kill -9 of the supervisor, and leave no secret in the state', async () => {
    await apply();
    const first = await pids();
    expect(Object.fromEntries(Object.entries(first).map(([name, pid]) => [name, uidOf(pid)]))).toEqual(UIDS);
    await writeAll();
    await readAll();
    const { generation } = JSON.parse(await supervisor.ok('info', '-o', 'json')) as { generation: number };

    for (const file of FILES) {
      const text = readFileSync(join(directory, file), 'utf8');
      expect(text).toContain('maxFiles: 5');
      writeFileSync(join(directory, file), text.replaceAll('maxFiles: 5', 'maxFiles: 4'));
    }
    await apply();
    const edited = await pids();
    for (const [name, pid] of Object.entries(first)) expect([name, edited[name]]).not.toEqual([name, pid]);
    await readAll();

    await supervisor.ok('rollback', '--to', String(generation), '--wait=2m');
    await readAll();
    const back = await pids();
    for (const [name, pid] of Object.entries(edited)) expect([name, back[name]]).not.toEqual([name, pid]);

    await supervisor.crash();
    for (const name of ['nginx', 'registry', 'gitea', 'grafana', 'prometheus']) await KEPT[name]?.read();
    await supervisor.start('--registry-mirror', `http://${registry?.host}`);
    expect(await pids()).toEqual(back);
    await readAll();
    // Gitea writes the password of its database into its own volume, where the search does find it.
    expect(filesWithSecrets(supervisor, secrets)).toEqual({
      state: [],
      volumes: [expect.stringMatching(/gitea\/conf\/app\.ini$/)],
    });
    // Eight servers start three times.
  }, 600_000);
});
