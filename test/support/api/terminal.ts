import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach } from 'vitest';
import { type RunOptions, tsdocker } from './in-process.ts';
import { type Served, serve } from './served.ts';

export interface Terminal {
  readonly served: () => Served;
  /** Runs a command line against the served supervisor. */
  readonly run: typeof tsdocker;
  /** What a command wrote, as one text that is read like a screen. */
  readonly screen: (argv: readonly string[], options?: RunOptions) => Promise<string>;
  /** Writes a manifest into a directory of the test's own and returns its path. */
  readonly manifest: (name: string, text?: string) => string;
}

/** For each test a supervisor of plain data, and the program in front of it. */
export function useTerminal(): Terminal {
  let served: Served;
  beforeEach(async () => {
    served = await serve();
  });
  afterEach(() => served.end());
  const run: typeof tsdocker = (argv, options = {}) => tsdocker(argv, { host: served.host, ...options });
  return {
    served: () => served,
    run,
    screen: async (argv, options) => {
      const { exitCode, stdout, stderr } = await run(argv, options);
      const errors = stderr === '' ? '' : `--- stderr\n${stderr}`;
      return `${stdout}${errors}--- exit ${exitCode}`.replaceAll(served.directory, 'DIR');
    },
    manifest: (name, text = 'containers: {}\n') => {
      const path = join(served.directory, name);
      writeFileSync(path, text);
      return path;
    },
  };
}
