import { join } from 'node:path';
import { afterEach } from 'vitest';
import { openState, type State } from '../../src/state/state.ts';

/** Opens states that are closed after the test. Call it once in a test file. */
export function stateOpener(): (directory: string) => Promise<State> {
  const opened: State[] = [];
  afterEach(() => {
    for (const state of opened.splice(0)) state.close();
  });
  return async (directory) => {
    const state = await openState({ root: join(directory, 'root'), runDir: join(directory, 'run'), pidfile: null });
    opened.push(state);
    return state;
  };
}
