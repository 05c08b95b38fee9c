import { mkdirSync, rmSync, symlinkSync, truncateSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MAX_CONTEXT_BYTES, readBuildContext } from '../../../src/manifest/build-context.ts';
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
    network: 'default',
  }) as const;
const write = (path: string, text: string): void => writeFileSync(join(area.path, path), text);
const read = () => readBuildContext(source());

beforeEach(() => {
  area = temporaryDirectory();
  write('Dockerfile', 'FROM scratch\n');
  mkdirSync(join(area.path, 'sub'));
  write('sub/file', 'one');
});
afterEach(() => area.remove());

it('the hash is that of names and contents, not of times', () => {
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

it('what is ignored neither counts nor is watched; what decides about it is', () => {
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

it('a Dockerfile that is ignored or stands elsewhere counts', () => {
  write('.dockerignore', 'Dockerfile\n');
  const { hash } = read();
  write('Dockerfile', 'FROM scratch\nLABEL a=b\n');
  expect(read().hash).not.toBe(hash);
});

it('links are what they say and never what they lead to', () => {
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

it('what is too much, missing or no pattern is told', () => {
  write('huge', '');
  truncateSync(join(area.path, 'huge'), MAX_CONTEXT_BYTES + 1);
  expect(read().problem).toMatch(/holds more than 512 MiB; list what the build does not need in \.dockerignore/);
  write('.dockerignore', 'huge\n[\n');
  expect(read().problem).toMatch(/\.dockerignore:2: "\[" is no pattern/);
  write('.dockerignore', 'huge\n');
  expect(read().problem).toBeNull();
  rmSync(join(area.path, 'Dockerfile'));
  expect(read().problem).toMatch(/Dockerfile: no such file/);
  expect(readBuildContext({ ...source(), context: '/no/such/place' }).problem).toBe(
    'build context /no/such/place: no such directory',
  );
});
