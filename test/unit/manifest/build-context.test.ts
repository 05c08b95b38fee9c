import {
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import { finish, readBuildContext } from '../../../src/manifest/build-context.ts';
import { BuildContexts } from '../../../src/manifest/build-contexts.ts';
import { desiredState } from '../../../src/manifest/desired-state.ts';
import { temporaryDirectory } from '../../support/images.ts';

let area: ReturnType<typeof temporaryDirectory>;
const source = () =>
  ({
    type: 'build',
    context: area.path,
    dockerfile: 'Dockerfile',
    target: null,
    args: {},
    contexts: {},
    platform: null,
    secrets: {},
    network: 'default',
    labels: {},
    env: {},
  }) as const;
const write = (path: string, text: string): void => writeFileSync(join(area.path, path), text);
const read = () => finish(readBuildContext(source()));

beforeEach(() => {
  area = temporaryDirectory();
  write('Dockerfile', 'FROM scratch\n');
  mkdirSync(join(area.path, 'sub'));
  write('sub/file', 'one');
});
afterEach(() => area.remove());

it('the hash covers names and contents, not times', () => {
  const { hash, problem } = read();
  expect(problem).toBeNull();
  utimesSync(join(area.path, 'sub/file'), new Date(0), new Date(0));
  expect(read().hash).toBe(hash);
  write('sub/file', 'two');
  const changed = read().hash;
  expect(changed).not.toBe(hash);
  write('sub/file', 'one');
  expect(read().hash).toBe(hash);
  write('new', '');
  expect(read().hash).not.toBe(hash);
});

it('ignored files are neither hashed nor watched, ignore files are', () => {
  write('.dockerignore', 'logs\n**/*.tmp\n.dockerignore\n');
  const { hash } = read();
  mkdirSync(join(area.path, 'logs'));
  write('logs/x', 'x');
  write('sub/a.tmp', 'x');
  const again = read();
  expect(again.hash).toBe(hash);
  const watched = ['', 'sub/', '.dockerignore', 'Dockerfile', 'sub/file'].map((path) => `${area.path}/${path}`);
  expect(new Set(again.inputs)).toEqual(new Set(watched));
});

it('a Dockerfile that is ignored or elsewhere is hashed', () => {
  write('.dockerignore', 'Dockerfile\n');
  const { hash } = read();
  write('Dockerfile', 'FROM scratch\nLABEL a=b\n');
  expect(read().hash).not.toBe(hash);
});

it('links are hashed by text, not by target', () => {
  const outside = temporaryDirectory();
  try {
    writeFileSync(join(outside.path, 'secret'), 'one');
    symlinkSync(outside.path, join(area.path, 'away'));
    const { hash, inputs } = read();
    writeFileSync(join(outside.path, 'secret'), 'two');
    expect(read().hash).toBe(hash);
    expect(inputs.filter((path) => path.startsWith(outside.path))).toEqual([]);
  } finally {
    outside.remove();
  }
});

it('an oversized or missing context and a bad pattern are reported', () => {
  write('huge', '');
  truncateSync(join(area.path, 'huge'), 512 * 1024 ** 2 + 1);
  expect(read().problem).toMatch(/holds more than 512 MiB; list what the build does not need in \.dockerignore/);
  write('.dockerignore', 'huge\n[\n');
  expect(read().problem).toMatch(/\.dockerignore:2: "\[" is no pattern/);
  write('.dockerignore', 'huge\n');
  expect(read().problem).toBeNull();
  rmSync(join(area.path, 'Dockerfile'));
  expect(read().problem).toMatch(/Dockerfile: no such file/);
  expect(finish(readBuildContext({ ...source(), context: '/no/such/place' })).problem).toBe(
    'build context /no/such/place: no such directory',
  );
  const long = `/${'n'.repeat(300)}`;
  expect(finish(readBuildContext({ ...source(), context: long })).problem).toMatch(
    /^build context \/n+: .*ENAMETOOLONG/,
  );
});

it('names the images of the required stages, with arguments substituted', () => {
  const images = (args = {}, target: string | null = null, contexts = {}) =>
    finish(readBuildContext({ ...source(), args, target, contexts })).images;
  write(
    'Dockerfile',
    `ARG BASE=base
FROM $BASE AS first
RUN --mount=type=bind,from=tools,target=/t true
FROM first
COPY --from=first /a /a
COPY --from=assets /b /b
COPY --from=0 /c /c
COPY --from=docker.io/library/x:1 /d /d
FROM scratch AS unused
COPY --from=other / /
FROM scratch AS last
COPY --from=1 /a /a
`,
  );
  const all = ['assets', 'base', 'docker.io/library/x:1', 'tools'];
  expect(images()).toEqual(all);
  expect(images({ BASE: 'mine' })).toEqual(['assets', 'docker.io/library/x:1', 'mine', 'tools']);
  expect(images({}, 'first')).toEqual(['base', 'tools']);
  expect(images({}, null, { assets: area.path, tools: 'docker-image://named' })).toEqual([
    'base',
    'docker.io/library/x:1',
    'named',
  ]);
  write('Dockerfile', 'FROM\n');
  expect(images()).toEqual([]);
});

it('images of one app that are built from each other are a circle, except a base of the same name', () => {
  const issues = (text: string) => {
    const options = {
      generation: 1,
      defaultHostIp: '0.0.0.0',
      networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
      readFile: () => ({ ok: false as const, reason: 'missing' as const, message: 'missing' }),
      hashSecret: () => '',
    };
    const content = { ok: true as const, text };
    const sources = [{ sourceId: 'a.yaml', file: 'a.yaml', baseDir: area.path, content, lastGood: null }];
    const { state, sources: outcomes } = desiredState(sources, options);
    const bases = [...state.resources.values()].map(({ key, references }) => [key, references.bases]);
    return [
      ...(outcomes.get('a.yaml')?.issues.map(({ message, position }) => [position.line, message]) ?? []),
      ...bases,
    ];
  };
  mkdirSync(join(area.path, 'one'));
  mkdirSync(join(area.path, 'two'));
  write('one/Dockerfile', 'FROM two\n');
  write('two/Dockerfile', 'FROM two\nCOPY --from=one / /\n');
  expect(issues('images:\n  one: { build: one }\n  two: { build: two }\n')).toEqual([
    [2, 'these wait for each other: image/a/one -> image/a/two -> image/a/one'],
  ]);
  write('two/Dockerfile', 'FROM two\n');
  expect(issues('images:\n  one: { build: one }\n  two: { build: two }\n')).toEqual([
    ['image/a/one', ['image/a/two']],
    ['image/a/two', []],
  ]);
});

it('a file is read again only when its attributes changed', () => {
  const old = new Date(Date.now() - 3_600_000);
  const path = join(area.path, 'sub/file');
  const { hash } = read();
  // Same size, same time of modification, same inode: the time of change tells.
  writeFileSync(path, 'two');
  utimesSync(path, old, old);
  const changed = read().hash;
  expect(changed).not.toBe(hash);
  renameSync(path, `${path}.old`);
  writeFileSync(path, 'one');
  utimesSync(path, old, old);
  unlinkSync(`${path}.old`);
  expect(read().hash).toBe(hash);
});

it('reading a large context does not block others, and an aborted read leaves nothing open', async () => {
  writeFileSync(join(area.path, 'large'), Buffer.alloc(64 * 1024 ** 2, 'x'));
  const contexts = new BuildContexts();
  let turns = 0;
  const count = (): void => {
    turns += 1;
    turn = setImmediate(count);
  };
  let turn = setImmediate(count);
  await contexts.look([source()]);
  clearImmediate(turn);
  expect(turns).toBeGreaterThan(3);
  expect(contexts.known(source())?.hash).toBe(read().hash);

  const open = () => readdirSync('/proc/self/fd').length;
  const before = open();
  const closed = new BuildContexts();
  write('large', 'another one, not read before');
  writeFileSync(join(area.path, 'larger'), Buffer.alloc(64 * 1024 ** 2, 'y'));
  const looking = closed.look([source()]);
  await new Promise((done) => setImmediate(done));
  closed.close();
  await looking;
  expect(closed.known(source())).toBeUndefined();
  expect(open()).toBe(before);
});
