/**
 * A supervisor that is killed before any one of the file operations of a change: the next start finds the state before
 * the change or the one after it, and nothing else.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ContainerStore } from '../../../src/state/containers/containers.ts';
import { openRoot } from '../../../src/state/root.ts';
import { VolumeStore } from '../../../src/state/volumes/volumes.ts';
import { type CompiledSources, compileSources } from '../../support/compiled-sources.ts';
import { CONTAINER_TEXTS } from '../../support/container-record.ts';
import type { ChangeName } from '../../support/dying-writer.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('crash');
const WRITER = 'test/support/dying-writer.ts';
let compiled: CompiledSources;
beforeAll(() => {
  compiled = compileSources(['src/model', 'src/ffi', 'src/state', 'test/support/container-record.ts', WRITER]);
});
afterAll(() => compiled.remove());

/** More than any change makes. */
const MOST_CALLS = 100;

/** Returns false when the writer was killed. */
function change(root: string, name: ChangeName, call: number): boolean {
  const { signal, stdout, stderr } = spawnSync(process.execPath, [compiled.path(WRITER), root, name, String(call)], {
    encoding: 'utf8',
  });
  if (signal === 'SIGKILL') return false;
  expect([stdout, stderr]).toEqual(['done', '']);
  return true;
}

/** What the next start sees, in one line. */
async function outcome(base: string): Promise<string> {
  const { root, files, close } = await openRoot({ root: join(base, 'root'), runDir: join(base, 'run'), pidfile: null });
  const [containers, volumes] = [new ContainerStore(root, files), new VolumeStore(root, files)];
  close();
  const [container] = containers.all();
  const names = container === undefined ? [] : readdirSync(containers.path(container.id));
  const facts = [
    `container ${container === undefined ? 'none' : `run ${container.run} with ${names.length} files`}`,
    `volumes ${volumes.all().length}`,
    `data ${readdirSync(join(root, 'vfs/dir')).length} of ${readdirSync(join(root, 'volumes')).length}`,
    `temporary ${readdirSync(files.tmpDir).length}`,
    ...[...containers.issues, ...volumes.issues].map(({ error }) => error.message),
  ];
  return facts.join(', ');
}

/** A directory whose `root` is in the state before the change. */
async function prepare(before: readonly ChangeName[]): Promise<string> {
  const base = directory();
  await outcome(base);
  for (const name of before) expect(change(join(base, 'root'), name, 0)).toBe(true);
  return base;
}

const NOTHING = 'container none, volumes 0, data 0 of 0, temporary 0';
const CREATED = `container run 0 with ${2 + Object.keys(CONTAINER_TEXTS).length} files, volumes 0, data 0 of 0, temporary 0`;
const STARTED = CREATED.replace('run 0', 'run 1');
const VOLUME = 'container none, volumes 1, data 1 of 1, temporary 0';

describe('a supervisor killed at any point of', () => {
  it.each<[ChangeName, ChangeName[], string, string]>([
    ['create', [], NOTHING, CREATED],
    ['update', ['create'], CREATED, STARTED],
    ['durable update', ['create'], CREATED, STARTED],
    ['remove', ['create'], CREATED, NOTHING],
    ['create volume', [], NOTHING, VOLUME],
    ['remove volume', ['create volume'], VOLUME, NOTHING],
  ])('%s', async (name, before, old, changed) => {
    const prepared = await prepare(before);
    const outcomes = new Set<string>();
    let finished = false;
    for (let call = 1; !finished && call < MOST_CALLS; call++) {
      const base = directory();
      cpSync(prepared, base, { recursive: true });
      finished = change(join(base, 'root'), name, call);
      const seen = await outcome(base);
      expect([old, changed]).toContain(seen);
      if (finished) expect(seen).toBe(changed);
      outcomes.add(seen);
    }
    expect(finished).toBe(true);
    expect(outcomes).toEqual(new Set([old, changed]));
  });
});
