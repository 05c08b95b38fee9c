import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach } from 'vitest';

/** Gives fresh directories that are removed after the test, also when it fails. Call it once in a test file. */
export function temporaryDirectories(label: string): () => string {
  const made: string[] = [];
  afterEach(() => {
    for (const path of made.splice(0)) rmSync(path, { recursive: true, force: true });
  });
  return () => {
    const path = realpathSync(mkdtempSync(join(tmpdir(), `tsd-test-${label}-`)));
    made.push(path);
    return path;
  };
}
