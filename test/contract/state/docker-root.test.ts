import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { beforeEach, expect, it } from 'vitest';
import { RepositoryStore } from '../../../src/state/images/repositories.ts';
import { adoptionQuestions, decideNames, decideRestore } from '../../../src/state/restore.ts';
import { DOCKER_IDS, HOST_CONFIG_JSON, imageJson, writeDockerRoot } from '../../support/docker-root.ts';
import { type OpenState, stateOpener } from '../../support/open-root.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('docker');
const open = stateOpener();
const { web, db, old, image, baseImage, volume } = DOCKER_IDS;

let root = '';
let state: OpenState;
beforeEach(async () => {
  const base = directory();
  root = join(base, 'root');
  mkdirSync(root);
  writeDockerRoot(root);
  state = await open(base);
});

const stored = (): unknown => state.issues.filter(({ path }) => path.startsWith(root));

it('loads without an issue', () => {
  expect(stored()).toEqual([]);
  expect(state.containers.all().map(({ id }) => id)).toEqual(expect.arrayContaining([web, db, old]));
  expect(state.images.get(image)).toMatchObject({ parent: baseImage, docker_version: '1.4.1', Size: 2048 });
});

it('loads its containers', () => {
  expect(state.containers.get(web)).toMatchObject({
    owner: null,
    engineName: 'web',
    imageId: image,
    topLayer: image,
    snapshotId: web,
    path: '/bin/sh',
    args: ['-c', 'top'],
    created: '2014-12-16T07:59:59.123456789Z',
    config: { Env: ['A=1 < 2 & 3'] },
    hostConfig: { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: 5 }, Binds: ['/srv:/c:ro'] },
    state: { status: 'running', pid: process.pid },
    network: { address: '172.17.0.2', ports: [{ hostPort: 49153, containerPort: 80 }], exposed: [{ port: 90 }] },
    volumes: { '/data': { path: join(root, 'vfs/dir', volume), writable: true } },
  });
  expect(state.containers.get(db)?.state).toMatchObject({ status: 'exited', exitCode: 3 });
});

it('restores running containers as exited, without a query or signal, and reports other drivers as unavailable', () => {
  const input = {
    containers: state.containers.all(),
    graphDriver: 'overlay',
    execDriver: 'native',
    bootId: 'b',
    execIds: new Set<string>(),
  };
  expect(adoptionQuestions(input)).toEqual([]);
  const decisions = new Map(decideRestore(input, new Map()).map((decision) => [decision.id, decision.decision]));
  expect(decisions).toEqual(
    new Map([
      [web, 'exited'],
      [db, 'keep'],
      [old, 'unavailable'],
    ]),
  );
});

it('has names and links', () => {
  const { links, containers } = state;
  expect(links.list('/', -1).map(({ path, id }) => [path, id])).toEqual([
    ['/db', db],
    ['/old', old],
    ['/web', web],
    ['/web/database', db],
  ]);
  const repairs = decideNames(containers.all(), containers.ids(), links.entities(), (path) => links.get(path));
  expect(repairs).toEqual({ missing: [], stale: [] });
});

it('has tags', () => {
  const repositories = new RepositoryStore(root, 'overlay', state.files);
  expect(repositories.get({ repository: 'me/app', tag: 'v1' })).toBe(baseImage);
  expect(repositories.lookup('busybox', () => 'none')).toBe(image);
  expect(repositories.namesOf(image)).toEqual([
    { repository: 'busybox', tag: 'latest' },
    { repository: 'me/app', tag: 'latest' },
  ]);
});

it('has its volume, but no entry for a bind mount, like Docker', () => {
  expect(state.volumes.all()).toMatchObject([
    { id: volume, path: join(root, 'vfs/dir', volume), owner: { type: 'foreign' }, released: false },
  ]);
});

it('is unchanged byte for byte', () => {
  const bytes = (...path: string[]): string => readFileSync(join(root, ...path), 'utf8');
  expect(bytes('containers', web, 'hostconfig.json')).toBe(HOST_CONFIG_JSON);
  expect(bytes('graph', image, 'json')).toBe(imageJson(image, baseImage));
  expect(bytes('containers', web, 'config.json')).toContain('"Running":true');
});

it('stays readable for Docker after a write', async () => {
  const record = state.containers.get(web);
  if (record === undefined) throw new Error('missing');
  const text = readFileSync(join(root, 'containers', web, 'config.json'), 'utf8');
  state.containers.update({ ...record, state: { ...record.state, status: 'exited', pid: 0 }, network: null });
  const written = readFileSync(join(root, 'containers', web, 'config.json'), 'utf8');
  expect(Object.keys(JSON.parse(written) as object)).toEqual(Object.keys(JSON.parse(text) as object));
  state.links.set('/web2', web);
  await state.close();
  const database = new Database(join(root, 'linkgraph.db'), { readonly: true });
  const schema = database.prepare('SELECT name FROM sqlite_master WHERE sql IS NOT NULL ORDER BY name').pluck().all();
  const rootEdges = database.prepare("SELECT * FROM edge WHERE entity_id = '0'").all();
  database.close();
  expect(schema).toEqual(['edge', 'entity', 'name_parent_ix']);
  expect(rootEdges).toEqual([{ entity_id: '0', parent_id: null, name: '/' }]);
});
