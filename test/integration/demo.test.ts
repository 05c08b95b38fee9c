/** The guided tour is the first thing a new user runs: it must succeed with its documented output. */
import { spawnSync } from 'node:child_process';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

test('the demo walks through the guestbook and leaves nothing behind', () => {
  const script = resolve(import.meta.dirname, '../../scripts/demo.mjs');
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: 'utf8',
    env: { ...process.env, NO_COLOR: '1' },
  });
  expect(stderr).toBe('');
  expect(stdout).toContain('create container/guestbook/store — declared in');
  expect(stdout).toContain('Guestbook: 1 entries\n  Hello from the demo');
  expect(stdout).toContain('Visitors: 1 entries');
  expect(stdout).toMatch(/store kept running as pid \d+: yes/);
  expect(stdout).toContain('without a supervisor: Visitors: 1 entries');
  expect(stdout).toContain('adopted with the same processes: yes');
  expect(stdout).toContain('nothing is left behind');
  expect(status).toBe(0);
});
