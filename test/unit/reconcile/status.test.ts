import { expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { containerStatus } from '../../../src/reconcile/phase.ts';
import { findOrphans } from '../../../src/reconcile/plan/gc.ts';
import { isContainer } from '../../../src/reconcile/plan/references.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const KEY: ResourceKey = 'container/x/web';

/** Status of the one container of an app after something happened to it. */
function statusAfter(happen: (host: PureHost) => void, written: Record<string, unknown> = {}, host?: PureHost) {
  const apps = { x: { containers: { web: written } } };
  const on = host ?? hostWith(apps);
  happen(on);
  const desired = declare(apps, 2);
  const plan = planOn(on, desired);
  const resource = desired.resources.get(KEY);
  const { phase, ready, message, conditions } = containerStatus({
    desired: resource && isContainer(resource) ? resource : undefined,
    observed: on.observe().containers.get(KEY),
    hold: plan.holds.find(({ key }) => key === KEY),
    op: plan.ops.find(({ key }) => key === KEY),
  });
  const others = conditions.filter(({ type }) => type !== 'Ready').map(({ type, reason }) => ` ${type}:${reason}`);
  return `${phase}${ready ? ' ready' : ''}${others.join('')}${message && ` — ${message}`}`;
}

const failed = (host: PureHost, errorClass: string, retryAtBootMs: number | null, written = {}) => {
  const specHash = declare({ x: { containers: { web: written } } }).resources.get(KEY)?.specHash ?? '';
  host.failures.set(KEY, { class: errorClass, message: 'it failed', specHash, attempts: 1, retryAtBootMs });
};

test('phases match those that users see', () => {
  const table = {
    new: statusAfter(() => {}, {}, new PureHost()),
    running: statusAfter(() => {}),
    paused: statusAfter((host) => host.change(KEY, { paused: true })),
    drifted: statusAfter((host) => host.change(KEY, { drift: ['veth missing'] })),
    'shim does not answer': statusAfter((host) =>
      host.change(KEY, { running: false, unknown: 'it runs on untouched: its shim does not answer' }),
    ),
    'end not written down': statusAfter((host) => host.change(KEY, { unrecorded: 'its payload has ended' })),
    'stop asked for': statusAfter((host) => host.change(KEY, { stopOverride: true })),
    stopped: statusAfter((host) => {
      host.exit(KEY, 143);
      host.change(KEY, { stopOverride: true, sandbox: false });
    }),
    'one-shot done': statusAfter((host) => {
      host.exit(KEY, 0);
      host.change(KEY, { sandbox: false });
    }),
    'one-shot ended for a change': statusAfter((host) => {
      host.exit(KEY, 0);
      const spec = { ...(host.container(KEY).spec as object), env: { A: '1' } };
      host.change(KEY, { specHash: 'other', spec: spec as never });
    }, {}),
    'ended badly': statusAfter((host) => {
      host.exit(KEY, 3);
      host.change(KEY, { sandbox: false });
    }),
    crashing: statusAfter(
      (host) => {
        host.change(KEY, { restarts: { restarts: 3, consecutive: 3 } });
        host.exit(KEY, 1);
      },
      { restart: 'always' },
    ),
    'restarts used up': statusAfter(
      (host) => {
        host.change(KEY, { restarts: { restarts: 2, consecutive: 2 }, sandbox: false });
        host.exit(KEY, 1);
      },
      { restart: 'on-failure:2' },
    ),
    'cannot be made': statusAfter((host) => failed(host, 'invalid', null), {}, new PureHost()),
    'is tried again': statusAfter((host) => failed(host, 'unavailable', host.bootMs + 1), {}, new PureHost()),
    'host lacks something': statusAfter((host) => host.obstacles.set(KEY, 'port 80 is taken'), {}, new PureHost()),
    'change waits': statusAfter((host) => {
      host.change(KEY, { specHash: 'other', spec: { ...(host.container(KEY).spec as object), privileged: true } });
      host.obstacles.set(KEY, 'port 80 is taken');
    }),
  };
  const lines = Object.entries(table).map(([what, status]) => `${what}: ${status}`);
  expect(lines.join('\n')).toMatchInlineSnapshot(`
    "new: Creating — declared in x.yaml:1:3
    running: Running ready
    paused: Paused — paused while its files are read
    drifted: Running ready Drifted:Drift
    shim does not answer: Running Unreachable:ShimSilent — it runs on untouched: its shim does not answer
    end not written down: Stopping ExitUnrecorded:RecordFailed — its payload has ended
    stop asked for: Stopping Stopped:StoppedByUser — stop requested
    stopped: Exited Stopped:StoppedByUser — stopped until \`tsdocker start\` or a changed spec
    one-shot done: Exited ready — exited with 0, restart policy no
    one-shot ended for a change: Creating — env.A changed in x.yaml:1:3
    ended badly: Exited — exited with 3, restart policy no
    crashing: BackingOff — exited with 1, restart 4 after 1.7 s
    restarts used up: Failed — exited with 1, all 2 restarts used
    cannot be made: Failed — it failed
    is tried again: BackingOff — it failed
    host lacks something: Pending Parked:Unavailable — port 80 is taken
    change waits: Running ready Held:Unavailable — a change waits: port 80 is taken"
  `);
});

test('a running container that is no longer declared is stopping', () => {
  const host = hostWith({ x: { containers: { web: {} } } });
  const [stop] = planOn(host, declare({}, 2)).ops;
  const status = containerStatus({ desired: undefined, observed: host.container(KEY), hold: undefined, op: stop });
  expect([status.phase, status.ready, status.message]).toEqual(['Stopping', false, 'no longer declared']);
});

test('orphans are the objects without an owner, each once, processes first', () => {
  const found = { snapshot: ['b', 'a', 'a'], process: ['b', 'c'], lease: new Set(['known']) };
  const orphans = findOrphans(found, (type, id) => id === 'known' || (type === 'process' && id === 'c'));
  expect(orphans).toEqual([
    { type: 'process', id: 'b' },
    { type: 'snapshot', id: 'a' },
    { type: 'snapshot', id: 'b' },
  ]);
});

test('an environment with the old address of a link is reported until a restart', () => {
  const moved = (host: PureHost): void =>
    host.change(KEY, { envAddresses: { db: '10.0.0.2', gone: '10.0.0.9' }, linkAddresses: { db: '10.0.0.3' } });
  expect(statusAfter(moved)).toBe('Running ready StaleLinks:AddressChanged');
  const same = (host: PureHost): void =>
    host.change(KEY, { envAddresses: { db: '10.0.0.3' }, linkAddresses: { db: '10.0.0.3' } });
  expect(statusAfter(same)).toBe('Running ready');
});
