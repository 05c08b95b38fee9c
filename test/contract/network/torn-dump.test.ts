import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { constants } from 'node:os';
import { beforeAll, expect, test } from 'vitest';
import { listAddresses } from '../../../src/ffi/network/link-addresses.ts';
import { deleteLink, listLinks } from '../../../src/ffi/network/links.ts';
import { NETLINK_ROUTE, NetlinkSocket } from '../../../src/ffi/network/netlink.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { until } from '../../support/wait.ts';
import { enterPrivateHost } from './private-host.ts';

/** Enough for a dump of many reads, between which the list changes. */
const ADDRESSES = 12_000;

beforeAll(() => {
  enterPrivateHost();
});

test('a list that changes during every read is not taken as complete', async () => {
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
        listAddresses(socket, 'ipv4');
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

test('dropped answers are reported as lost, and the next request works', () => {
  const socket = new NetlinkSocket(NETLINK_ROUTE);
  try {
    // Each of them fails with an answer of its own.
    const missing = Array.from({ length: 2_000 }, (_, n) => deleteLink(0x7fff0000 + n, `missing ${n}`));
    expect(() => socket.request(missing)).toThrow(
      expect.objectContaining({ code: 'TSD_NETWORK', class: 'unavailable', errno: constants.errno.ENOBUFS }),
    );
    expect(listLinks(socket).map(({ name }) => name)).toContain('lo');
    expect(() => socket.request(missing.slice(0, 1))).toThrow(/delete link missing 0: ENODEV/);
  } finally {
    socket.close();
  }
});
