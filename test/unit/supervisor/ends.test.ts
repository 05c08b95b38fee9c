import { expect, test } from 'vitest';
import type { ContainerSpec } from '../../../src/model/kinds/container.ts';
import { DriftMemory } from '../../../src/reconcile/drift-memory.ts';
import { ExitRecorder } from '../../../src/reconcile/exits.ts';
import { ContainerSight } from '../../../src/reconcile/observed-container.ts';
import { type ContainerRecord, NEVER_RUN } from '../../../src/state/containers/container-record.ts';
import type { ContainerStore } from '../../../src/state/containers/containers.ts';
import { writtenSpec } from '../../../src/state/containers/written-spec.ts';
import { Ends } from '../../../src/supervisor/requests/ends.ts';
import { containerRecord } from '../../support/container-record.ts';
import { declare } from '../../support/declare.ts';

const WEB = 'container/blog/web';
const STATE = { ...NEVER_RUN, status: 'running', bootId: 'boot', startedAtBootMs: 1_000 } as const;
const AT = { at: '2026-01-02T03:04:05Z', bootId: 'boot', atBootMs: 1_300 };

/** What is noted of the end of run 2 of a container. */
function noted(change: Partial<ContainerRecord>) {
  const { owner } = containerRecord();
  const desired = declare({ blog: { containers: { web: {} } } }).resources.get(WEB);
  const written = writtenSpec(desired?.spec as ContainerSpec);
  let record = containerRecord({ run: 2, state: STATE, owner: owner && { ...owner, written }, ...change });
  const containers = {
    get: () => record,
    updateSoon: (next: ContainerRecord) => {
      record = next;
    },
    logPath: () => '/nonexistent/log',
  } as unknown as ContainerStore;
  const clock = { now: () => ({ wallMs: 10_000, bootMs: 1_500 }) };
  const exits = new ExitRecorder(containers, clock, 'boot');
  const none = { get: () => undefined };
  const sight = new ContainerSight({
    clock,
    bootId: 'boot',
    graph: { name: 'overlay' },
    containers: { byKey: () => undefined },
    runs: {
      exec: { name: 'native', running: () => null, unrecorded: () => null, startedIn: () => null },
      leftDown: new Set(),
      unanswered: none,
      health: none,
      images: none,
    },
    network: { sandbox: () => null },
    networks: { defaultNetwork: () => null, defaultNetworkProblem: () => 'not made yet' },
    drifts: new DriftMemory(),
  });
  const ends = new Ends({ containers, exits, observed: (one) => sight.look(one) }, (key) => key === WEB);
  exits.record({ containerId: record.id, run: 2, exitCode: 3, oomKilled: false, finishedAtMs: 9_900 } as never);
  const end = ends.of(WEB, { id: record.id, specHash: 'cafe' });
  ends.close();
  return { end, other: ends.of(WEB, { id: record.id, specHash: 'beef' }) };
}

test('a spontaneous end is recorded for its declaration', () => {
  expect(noted({})).toMatchObject({ end: { code: 3, ranForMs: 400, unhealthy: null }, other: null });
  expect(noted({ stopping: { run: 1, signal: 'SIGTERM', at: AT } }).end).toMatchObject({ code: 3 });
});

test('a requested end is not recorded, also before its signal is recorded', () => {
  expect(noted({ stopping: { run: 2, signal: 'SIGTERM', at: AT } }).end).toBeNull();
  expect(noted({ restart: { restarts: 0, consecutive: 0, requested: true } }).end).toBeNull();
  const stopOverride = { at: AT.at, specHash: null, until: null };
  expect(noted({ stopOverride }).end).toBeNull();
});
