import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { beforeAll, expect, test } from 'vitest';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/netlink.ts';
import { listAddresses } from '../../../src/ffi/rtnetlink.ts';
import { TsdError } from '../../../src/model/errors.ts';
import { until } from '../../support/wait.ts';
import { enterPrivateHost } from './private-host.ts';

/** Enough for a dump of many reads, between which the list changes. */
const ADDRESSES = 12_000;

beforeAll(() => {
  enterPrivateHost();
});

test('a list that changes each time it is read is not taken for whole', async () => {
  const commands = Array.from({ length: ADDRESSES }, (_, n) => `addr add 10.231.${n >> 8}.${n & 255}/32 dev lo`);
  execFileSync('ip', ['-batch', '-'], { input: commands.join('\n') });
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  // Addresses come and go, over and over, at the hands of other processes.
  const writers = [1, 2, 3].map((n) => {
    const address = `10.232.0.${n}/32 dev lo`;
    const round = `addr add ${address}\\naddr del ${address}\\n`.repeat(200);
    const loop = 'while :; do printf "$0" | ip -batch -; done';
    return spawn('sh', ['-c', loop, round], { stdio: ['ignore', 'ignore', 'inherit'], detached: true });
  });
  try {
    const error = await until('a dump that never comes whole', () => {
      try {
        listAddresses(socket);
        return null;
      } catch (thrown) {
        return thrown as TsdError;
      }
    });
    expect(error).toBeInstanceOf(TsdError);
    expect(error).toMatchObject({ code: 'TSD_NETWORK', class: 'unavailable' });
  } finally {
    for (const writer of writers) {
      process.kill(-(writer.pid as number), 'SIGKILL');
      await once(writer, 'close');
    }
    socket.close();
  }
});
