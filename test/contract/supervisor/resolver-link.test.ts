/** A conversation with a resolver that ends before its first answer. */
import { closeSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { systemTimers } from '../../../src/engine/timers.ts';
import { listenAt } from '../../../src/ffi/sockets/sockets.ts';
import { ResolverLink } from '../../../src/supervisor/resolver/resolver-link.ts';

test('each of its descriptors is closed once where the other side hangs up', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-link-'));
  const lanes = listenAt(join(directory, 'descriptors.sock'), 4, 'packets');
  const server = createServer((socket) => socket.destroy());
  server.listen({ fd: listenAt(join(directory, 'control.sock'), 4) });
  onTestFinished(() => {
    server.close();
    closeSync(lanes);
    rmSync(directory, { recursive: true, force: true });
  });
  // A second close(2) of the lane would be the error, or meet whatever has its number by then.
  await expect(ResolverLink.open(directory, systemTimers)).rejects.toMatchObject({ code: 'TSD_RESOLVER' });
});
