import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { BuildCache } from '../../../src/images/build/cache.ts';
import { BlobRecords } from '../../../src/images/registry/blob-records.ts';
import { replaceFile } from '../../../src/images/replace-file.ts';
import { temporaryDirectory } from '../../support/images.ts';

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
  directory = temporaryDirectory();
});
afterEach(() => directory.remove());

it('allows concurrent writers, also after a crash left a partial file', async () => {
  const records = new BlobRecords(directory.path);
  const record = (repository: string) => ({ digest: 'd', size: 1, mediaType: 'm', registry: 'r', repository });
  await records.add('layer', record('first'));
  writeFileSync(join(directory.path, 'layer.part'), '[{"dig');
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => records.add('layer', record(name))));
  expect((await records.get('layer')).map(({ repository }) => repository)).toContain('first');
  const cache = new BuildCache(directory.path, () => true);
  const step = { layer: null, created: '2026-01-01T00:00:00Z' };
  await Promise.all(Array.from({ length: 4 }, () => cache.keep('step', step)));
  expect(await cache.find('step')).toEqual(step);
  expect(readdirSync(directory.path).sort()).toEqual(['layer', 'step']);
});

it('works again after a failed write', async () => {
  const bad = join(directory.path, 'absent', 'file');
  await expect(replaceFile(bad, 'x')).rejects.toThrow('ENOENT');
  const good = join(directory.path, 'file');
  await Promise.all([replaceFile(good, 'a'), replaceFile(good, 'b')]);
  expect(readFileSync(good, 'utf8')).toBe('b');
});
