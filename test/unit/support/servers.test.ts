import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { endServer } from '../../support/servers.ts';

test('a server that could not be spawned has no end to wait for', async () => {
  const child = spawn('/nonexistent/server');
  const failed = once(child, 'error');
  const ended = endServer(child).then(() => 'ended');
  expect(await failed).toMatchObject([{ code: 'ENOENT' }]);
  expect(await Promise.race([ended, nextTurn('waits')])).toBe('ended');
});
