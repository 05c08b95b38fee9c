import { join } from 'node:path';
import pino from 'pino';
import { afterEach } from 'vitest';
import { Closers } from '../../src/composition/closers.ts';
import { openStores, type Stores } from '../../src/composition/stores.ts';
import type { StateFiles } from '../../src/state/files/durable.ts';
import { openRoot } from '../../src/state/root.ts';

/** A root and its stores, as the supervisor opens them. */
export interface OpenState extends Stores {
  readonly files: StateFiles;
  close(): Promise<void>;
}

async function openState(directory: string): Promise<OpenState> {
  const root = await openRoot({ root: join(directory, 'root'), runDir: join(directory, 'run'), pidfile: null });
  const closers = new Closers();
  closers.add('root', () => root.close());
  const close = async (): Promise<void> => {
    for (const { error } of await closers.close()) throw error;
  };
  try {
    return { ...(await openStores(root, pino({ level: 'silent' }), closers)), files: root.files, close };
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
