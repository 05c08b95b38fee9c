import { expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import type { Hold } from '../../../src/reconcile/op.ts';
import { SupervisorEventBus } from '../../../src/supervisor/events.ts';
import { parseNetworkBytes } from '../../../src/supervisor/metrics/network-bytes.ts';
import { keepStatus, statusLine } from '../../../src/supervisor/status-line.ts';

const hold = (key: ResourceKey, reason: Hold['reason'], message: string) =>
  [key, { key, reason, message, untilBootMs: null }] as const;
const facts = { generation: 4, running: 11, containers: 12 };

test('names the number of running containers and the failing ones', () => {
  expect(statusLine({ ...facts, holds: [] })).toBe('generation 4, 11 of 12 containers running');
  const holds = [
    hold('container/blog/job', 'finished', 'exited with 0'),
    hold('container/blog/web', 'backing-off', 'exited with 3,\nrestart 2'),
    hold('container/blog/db', 'dependency-not-ready', 'waits'),
    hold('image/blog/app', 'failed', 'no such file'),
  ];
  expect(statusLine({ ...facts, holds })).toBe(
    'generation 4, 11 of 12 containers running; 1 waiting; failing: blog/web (exited with 3, restart 2) and 1 more',
  );
});

test('is sent at once, and again after a change', async () => {
  const events = new SupervisorEventBus();
  const told: string[] = [];
  let running = 1;
  const end = keepStatus(
    events,
    () => ({ ...facts, running, holds: [] }),
    (line) => told.push(line),
  );
  running = 2;
  events.emit('change');
  events.emit('change');
  await new Promise<void>((resolve) => {
    const look = setInterval(() => {
      if (told.length < 2) return;
      clearInterval(look);
      resolve();
    }, 20);
  });
  end();
  expect(told).toEqual(['generation 4, 1 of 12 containers running', 'generation 4, 2 of 12 containers running']);
});

test('says why the facts are unknown', () => {
  const told: string[] = [];
  const failing = () => {
    throw new TsdError('TSD_SYSCALL', 'read /root/history.db: EIO');
  };
  keepStatus(new SupervisorEventBus(), failing, (line) => told.push(line))();
  expect(told).toEqual(['not known: read /root/history.db: EIO']);
});

test('bytes of interfaces are summed without loopback', () => {
  const text = `Inter-|   Receive                                                |  Transmit
 face |bytes    packets errs drop fifo frame compressed multicast|bytes    packets errs drop fifo colls carrier compressed
    lo:  999       1    0    0    0     0          0         0      999       1    0    0    0     0       0          0
  eth0: 1234      10    0    0    0     0          0         0     4321      12    0    0    0     0       0          0
 eth1:1000000000000 1 0 0 0 0 0 0 5 1 0 0 0 0 0 0
`;
  expect(parseNetworkBytes(text)).toEqual({ received: 1_000_000_001_234, sent: 4326 });
});
