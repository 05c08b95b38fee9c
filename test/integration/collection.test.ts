/** Objects that are removed, and those that never are: with builds, generations and a disk that is too full. */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { DiskUsageView, PruneView } from '../../src/api/images/image-files.ts';
import type { ImageView } from '../../src/api/views/resource-views.ts';
import { asked } from '../support/asked.ts';
import { busyboxBase, dockerArchive, findBusybox, tarOf } from '../support/images.ts';
import { FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const busybox = findBusybox();
/** The disk is always too full, and looked at all the time. */
const GREEDY = ['--gc-high=1', '--gc-low=1', '--gc-min-age=0s', '--gc-interval=100ms'];
/** Measured in turns of 2 ms for 150 of them. */
const MEASURED_FILES = 40_000;
let supervisor: TestSupervisor;

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

const tags = async (): Promise<string[]> =>
  (JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[]).flatMap((image) => image.tags).sort();
const archive = (name: string, content = name): string =>
  supervisor.file(`${name}.tar`, dockerArchive({ layers: [tarOf({ path: name, content })], names: [`${name}:1`] }));
const layers = (): string[] =>
  readdirSync(join(supervisor.root, 'overlay')).filter((name) => /^[0-9a-f]{64}$/.test(name));

function context(dockerfile: string): string {
  supervisor.file('context/Dockerfile', dockerfile);
  return join(supervisor.base, 'context');
}

/** Its first stage leaves layers that are in no image. */
const stages = (from: string): string => `FROM ${from} AS tools
RUN --network=none echo tool > /tool
RUN --network=none --mount=type=cache,id=gate,target=/gate touch /gate/reached; while [ ! -e /gate/open ]; do sleep 0.05; done
FROM scratch
COPY --from=tools /tool /tool
`;

describe.skipIf(busybox === null)('collection (needs busybox)', () => {
  const gate = (): string =>
    join(supervisor.root, 'build-cache/mounts', createHash('sha256').update('gate').digest('hex'));
  const openGate = (): void => {
    mkdirSync(gate(), { recursive: true });
    writeFileSync(join(gate(), 'open'), '');
  };
  const importBase = () =>
    supervisor.ok('import', supervisor.file('busybox.tar', busyboxBase()), 'busybox:1', '-c', 'ENV PATH=/bin');

  const app = async (marker: string): Promise<void> => {
    const layersOfApp = [busyboxBase(), tarOf({ path: 'marker', content: marker })];
    const path = supervisor.file('app.tar', dockerArchive({ layers: layersOfApp, names: ['app:1'] }));
    const manifest = `images: { app: { archive: ${path} } }\ncontainers:\n  web: { image: app, command: ${FOREVER}, env: { V: ${marker} } }\n`;
    await supervisor.ok('apply', '--refresh', '--wait=2m', '-f', supervisor.file('app.yaml', manifest));
  };

  test('removes nothing of a running build and delays no other work', async () => {
    await supervisor.start(...GREEDY);
    await app('one');
    const kept = layers();
    const build = supervisor.cli('build', '-t', 'built:1', context(stages('app/app')));
    await until('the second step', () => existsSync(join(gate(), 'reached')));
    const prune = supervisor.cli('system', 'prune', '-a', '-y', '-o', 'json');
    await supervisor.ok('load', '-i', archive('other'));
    openGate();
    expect(await build).toMatchObject({ status: 0 });
    expect(await prune).toMatchObject({ status: 0 });
    await until('unneeded images are removed', async () => (await tags()).length === 1);
    expect(layers().sort()).toEqual(kept.sort());
  });

  test('ends with the supervisor while it waits for its turn', async () => {
    await supervisor.start(...GREEDY);
    await app('one');
    const build = supervisor.cli('build', context(stages('app/app')));
    await until('the second step', () => existsSync(join(gate(), 'reached')));
    await supervisor.stop();
    expect((await build).status).not.toBe(0);
  });

  test('prune lists and frees the leftovers of builds, whose base image can be removed before', async () => {
    await supervisor.start('-D');
    await importBase();
    openGate();
    await supervisor.ok('build', '-t', 'built:1', context(stages('busybox:1')));
    const used = (JSON.parse(await supervisor.ok('system', 'df', '-o', 'json')) as DiskUsageView).rows;
    expect(used.find(({ type }) => type === 'build cache')?.bytes).toBeGreaterThan(0);
    await supervisor.ok('rmi', 'busybox:1');
    expect(await tags()).toEqual(['built:1']);
    const found = JSON.parse(await supervisor.ok('system', 'prune', '-y', '-o', 'json')) as PruneView;
    expect(found).toMatchObject({ images: [], buildCacheBytes: 0 });
    expect(found.layers).not.toEqual([]);
    expect(layers()).toHaveLength(1);
    const all = JSON.parse(await supervisor.ok('system', 'prune', '-a', '-y', '-o', 'json')) as PruneView;
    expect(all.images.map((image) => image.tags)).toEqual([['built:1']]);
    expect(all.buildCacheBytes).toBeGreaterThan(0);
    expect(layers()).toEqual([]);
    expect(existsSync(join(supervisor.root, 'build-cache'))).toBe(false);
    expect(supervisor.log).toMatch(/\+job prune\(\)/);
  });

  test('a confirmed prune removes only the images it listed, by the listed names', async () => {
    await supervisor.start();
    await supervisor.ok('load', '-i', archive('one'));
    await supervisor.ok('load', '-i', archive('two'));
    const kept = layers();
    const meanwhile = async () => {
      await supervisor.ok('load', '-i', archive('three'));
      await supervisor.ok('tag', 'two:1', 'named:since');
    };
    const question = 'Remove them? [y/N]';
    const status = await asked(supervisor, ['system', 'prune', '-a'], {
      question,
      meanwhile,
      answer: 'y',
      shown: 'Freed',
    });
    expect(status).toBe(0);
    expect(await tags()).toEqual(['named:since', 'three:1', 'two:1']);
    expect(layers()).toHaveLength(kept.length);
  });

  test.each([
    { key: 'Ctrl-C', status: 130 },
    { key: 'Ctrl-D', status: 1 },
  ] as const)('$key at the question of a prune means no', async ({ key, status }) => {
    await supervisor.start();
    await supervisor.ok('load', '-i', archive('one'));
    const answer = { question: 'Remove them? [y/N]', answer: key };
    const shown = '\r\nerror: there was no answer, and nothing was done\r\n';
    expect(await asked(supervisor, ['system', 'prune', '-a'], { ...answer, shown })).toBe(status);
    expect(await tags()).toEqual(['one:1']);
  });

  test('an image that is tagged during a prune keeps the tag or the tag fails', async () => {
    await supervisor.start('-D');
    await supervisor.ok('load', '-i', archive('one'));
    // Thousands of files take a while to be measured.
    const mounts = join(supervisor.root, 'build-cache/mounts/many');
    mkdirSync(mounts, { recursive: true });
    execFileSync('sh', ['-c', `seq ${MEASURED_FILES} | xargs touch`], { cwd: mounts });
    const client = new SupervisorClient(supervisor.socket);
    const prune = client.imageFiles.prune({ all: true, volumes: false, dryRun: false, listed: null });
    await until('the prune', () => supervisor.log.includes('+job prune('));
    const named = await client.registry.tag('one:1', 'named:since', false).then(
      () => true,
      (error: unknown) => expect(error).toMatchObject({ class: 'not-found' }),
    );
    await prune;
    expect(await tags()).toEqual(named === true ? ['named:since', 'one:1'] : []);
  });

  test('an image is needed while a build uses it', async () => {
    await supervisor.start();
    await importBase();
    await supervisor.ok('load', '-i', archive('other'));
    await supervisor.ok('build', context('FROM busybox:1\nRUN --network=none echo x > /x\n'));
    const history = new Database(join(supervisor.root, 'history.db'), { readonly: true });
    const noted = history.prepare('SELECT image_id FROM image_use').all() as { image_id: string }[];
    history.close();
    const images = JSON.parse(await supervisor.ok('images', '-o', 'json')) as ImageView[];
    expect(noted.map((row) => row.image_id)).toEqual([images.find((image) => image.tags.includes('busybox:1'))?.id]);
  });

  test('images for a rollback stay when the disk is too full and when the app is deleted', async () => {
    await supervisor.start(...GREEDY);
    await app('one');
    await app('two');
    await supervisor.ok('load', '-i', archive('other'));
    await until('other is gone', async () => !(await tags()).includes('other:1'));
    await supervisor.ok('rollback', '--to', '1', '--wait=2m');
    expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('one');
    await supervisor.ok('delete', '--all');
    await until('no container', async () => (await supervisor.containers()).length === 0);
    await until('no name', async () => (await tags()).length === 0);
    await supervisor.ok('rollback', '--to', '2', '--wait=2m');
    expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('two');
    await supervisor.ok('rollback', '--to', '1', '--wait=2m');
    expect(await supervisor.ok('exec', 'web', 'cat', '/marker')).toBe('one');
  });
});
