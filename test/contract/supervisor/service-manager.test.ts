import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { ServiceManager } from '../../../src/supervisor/service-manager.ts';
import { notifySocket } from '../../support/notify-socket.ts';
import { until } from '../../support/wait.ts';

test('a slow service manager does not block the supervisor and gets the last message of each kind', async () => {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-notify-'));
  const path = join(directory, 'socket');
  const socket = notifySocket(path);
  try {
    const service = new ServiceManager({ NOTIFY_SOCKET: path }, () => undefined);
    // More than any queue of datagrams holds (net.unix.max_dgram_qlen).
    for (let n = 1; n <= 1000; n++) service.status(`${n}`);
    service.ready();
    const received = await until('READY', () => {
      const messages = socket.messages();
      return messages.includes('READY=1') ? messages : null;
    });
    expect(received).toContain('STATUS=1000');
    expect(received.length).toBeLessThan(1000);
  } finally {
    socket.close();
    rmSync(directory, { recursive: true });
  }
});
