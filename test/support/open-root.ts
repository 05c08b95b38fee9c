import { join } from 'node:path';
import pino from 'pino';
import { afterEach } from 'vitest';
import { openStores, type Stores } from '../../src/composition/stores.ts';
import { ShutdownHandlers } from '../../src/engine/shutdown-handlers.ts';
import { systemTimers } from '../../src/engine/timers.ts';
import type { StateFiles } from '../../src/state/files/durable.ts';
import { openRoot } from '../../src/state/root.ts';

const LIMITS = { timers: systemTimers, totalMs: 10_000, turnMs: 5_000 };

/** A root and its stores, as the supervisor opens them. */
export interface OpenState extends Stores {
  readonly files: StateFiles;
  close(): Promise<void>;
}

async function openState(directory: string): Promise<OpenState> {
  const root = await openRoot({ root: join(directory, 'root'), runDir: join(directory, 'run'), pidfile: null });
  const handlers = new ShutdownHandlers();
  handlers.onShutdown('root', () => root.close());
  const close = async (): Promise<void> => {
    for (const { error } of (await handlers.close(LIMITS)).failed) throw error;
  };
  try {
    return { ...(await openStores(root, pino({ level: 'silent' }), handlers)), files: root.files, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Opens states that are closed after the test. Call it once in a test file. */
export function stateOpener(): (directory: string) => Promise<OpenState> {
  const opened: OpenState[] = [];
  afterEach(async () => {
    for (const state of opened.splice(0)) await state.close();
  });
  return async (directory) => {
    const state = await openState(directory);
    opened.push(state);
    return state;
  };
}
