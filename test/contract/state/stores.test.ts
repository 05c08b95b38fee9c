import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import pino from 'pino';
import { expect, onTestFinished, test } from 'vitest';
import { openStores } from '../../../src/composition/stores.ts';
import { ShutdownHandlers } from '../../../src/engine/shutdown-handlers.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { openRoot } from '../../../src/state/root.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const temporary = temporaryDirectories('stores');

/** Files below a directory that this process has open. */
function descriptorsBelow(directory: string): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      const path = readlinkSync(join('/proc/self/fd', fd));
      return path.startsWith(directory) ? [path] : [];
    } catch {
      // The descriptor that listed them.
      return [];
    }
  });
}

test('a refused database closes those opened before it', async () => {
  const base = temporary();
  const state = await openRoot({ root: join(base, 'root'), runDir: join(base, 'run'), pidfile: null });
  onTestFinished(() => state.close());
  const newer = new Database(join(state.root, 'history.db'));
  newer.pragma('user_version = 9999');
  newer.close();
  const before = descriptorsBelow(state.root);
  const handlers = new ShutdownHandlers();
  handlers.onShutdown('root', () => {});
  await expect(openStores(state, pino({ level: 'silent' }), handlers)).rejects.toThrow(/has schema 9999/);
  expect(descriptorsBelow(state.root)).toContain(join(state.root, 'linkgraph.db'));
  const limits = { timers: systemTimers, totalMs: 10_000, turnMs: 5_000 };
  expect(await handlers.close(limits)).toEqual({ failed: [], hanging: [] });
  expect(descriptorsBelow(state.root)).toEqual(before);
});
