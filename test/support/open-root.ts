import { join } from 'node:path';
import pino from 'pino';
import { afterEach } from 'vitest';
import { openStores, type Stores } from '../../src/composition/stores.ts';
import type { StateFiles } from '../../src/state/durable.ts';
import { openRoot } from '../../src/state/root.ts';

/** A root and its stores, as the supervisor opens them. */
export interface OpenState extends Stores {
  readonly files: StateFiles;
  close(): void;
}

async function openState(directory: string): Promise<OpenState> {
  const root = await openRoot({ root: join(directory, 'root'), runDir: join(directory, 'run'), pidfile: null });
  try {
    const stores = await openStores(root, pino({ level: 'silent' }));
    const parts = [stores.history, stores.links, root];
    const close = (): void => {
      for (const part of parts.splice(0)) part.close();
    };
    return { ...stores, files: root.files, close };
  } catch (error) {
    root.close();
    throw error;
  }
}

/** Opens states that are closed after the test. Call it once in a test file. */
export function stateOpener(): (directory: string) => Promise<OpenState> {
  const opened: OpenState[] = [];
  afterEach(() => {
    for (const state of opened.splice(0)) state.close();
  });
  return async (directory) => {
    const state = await openState(directory);
    opened.push(state);
    return state;
  };
}
