import { execFileSync } from 'node:child_process';
import { join, resolve } from 'node:path';
import { expect, test } from 'vitest';

const CHILD = join(import.meta.dirname, 'without-descriptors.child.ts');
const LOADER = resolve(import.meta.dirname, '../../support/run-typescript.mjs');

test('a process whose state is unknown does not count as gone', () => {
  const command = `ulimit -n 200; exec "${process.execPath}" --import "${LOADER}" "${CHILD}"`;
  const output = execFileSync('sh', ['-c', command], { encoding: 'utf8' });
  expect(JSON.parse(output)).toEqual(['exhausted', 'exhausted', 'exhausted', true, false]);
});
