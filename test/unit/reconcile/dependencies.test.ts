import { describe, expect, test } from 'vitest';
import { NO_PROBES } from '../../../src/model/health.ts';
import { PROBE_DEFAULTS } from '../../../src/model/kinds/health-forms.ts';
import { DEFAULT_NETWORK } from '../../../src/model/network-mode.ts';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const DB: ResourceKey = 'container/a/db';
const WEB: ResourceKey = 'container/a/web';
type Written = Record<string, unknown>;
const apps = (db: Written, web: Written) => ({
  a: { containers: { db: { network: 'none', ...db }, web: { network: 'none', ...web } } },
});

/** A host and what is declared, of a database and one that needs it. */
function scene(db: Written, web: Written) {
  const declared = apps(db, web);
  const desired = declare(declared);
  const host = new PureHost();
  return {
    host,
    text: () => textOn(host, desired),
    apply: () => host.applyAll(planOn(host, desired).ops, desired),
  };
}

describe('a container start waits', () => {
  test('without probes: for the start of the other, in one plan', () => {
    expect(scene({}, { dependsOn: ['db'] }).text()).toMatchInlineSnapshot(`
      "create container/a/db — declared in a.yaml:1:3
      connect container/a/db — declared in a.yaml:1:3
      start container/a/db — declared in a.yaml:1:3
      create container/a/web — declared in a.yaml:2:3
      connect container/a/web — declared in a.yaml:2:3
      start container/a/web — declared in a.yaml:2:3 (after start container/a/db)"
    `);
  });

  test('with probes: until they pass, parked, and then starts at once', () => {
    const { host, text, apply } = scene({ health: { tcp: 1, startPeriod: '0s' } }, { dependsOn: ['db'] });
    expect(text()).toMatchInlineSnapshot(`
      "create container/a/db — declared in a.yaml:1:3
      connect container/a/db — declared in a.yaml:1:3
      start container/a/db — declared in a.yaml:1:3
      hold container/a/web — dependency-not-ready: waits for container/a/db, which is not ready yet"
    `);
    apply();
    host.probe(DB, 'check', false);
    expect(text()).toMatchInlineSnapshot(
      `"hold container/a/web — dependency-not-ready: waits for container/a/db, which is starting: health check failed once: refused"`,
    );
    host.probe(DB, 'check', true);
    expect(text()).toMatchInlineSnapshot(`
      "create container/a/web — declared in a.yaml:2:3
      connect container/a/web — declared in a.yaml:2:3
      start container/a/web — declared in a.yaml:2:3"
    `);
  });

  test('for HEALTHCHECK of an image like for probes of the manifest', () => {
    const { host, text } = scene({}, { dependsOn: ['db'] });
    const check = { check: { type: 'exec', argv: ['x'] }, ...PROBE_DEFAULTS } as const;
    host.healthchecks.set(DB, { ...NO_PROBES, check });
    expect(text()).toContain(
      'hold container/a/web — dependency-not-ready: waits for container/a/db, which is not ready yet',
    );
  });

  test('not for a liveness probe', () => {
    expect(scene({ health: { liveness: { tcp: 1 } } }, { dependsOn: ['db'] }).text()).toContain(
      'start container/a/web',
    );
  });

  test('with `started`: until it runs, ready or not', () => {
    const { text } = scene({ health: { tcp: 1 } }, { dependsOn: ['db:started'] });
    expect(text()).toContain('start container/a/web — declared in a.yaml:2:3 (after start container/a/db)');
  });

  test('with a shared network: only until its owner runs', () => {
    const { text } = scene({ health: { tcp: 1 } }, { network: 'container:db' });
    expect(text()).toContain('start container/a/web');
  });

  test('with `completed`: until it has exited with 0', () => {
    const { host, text, apply } = scene({}, { dependsOn: ['db:completed'] });
    apply();
    expect(text()).toMatchInlineSnapshot(
      `"hold container/a/web — dependency-not-ready: waits for container/a/db, which has not completed"`,
    );
    host.exit(DB, 1);
    expect(text()).toContain('hold container/a/web — dependency-not-ready');
    host.exit(DB, 0);
    expect(text()).toContain('start container/a/web');
  });
});

test('after a crash, parked, until its dependencies are ready', () => {
  const { host, text, apply } = scene(
    { health: { tcp: 1, retries: 1, startPeriod: '0s' } },
    { dependsOn: ['db'], restart: 'always' },
  );
  apply();
  host.probe(DB, 'check', true);
  apply();
  host.probe(DB, 'check', false);
  host.change(WEB, { restarts: { restarts: 5, consecutive: 5 } });
  host.exit(WEB, 1);
  expect(text()).toMatch(/hold container\/a\/web — backing-off/);
  host.bootMs += 60_000;
  expect(text()).toMatchInlineSnapshot(
    `"hold container/a/web — dependency-not-ready: waits for container/a/db, which is unhealthy: health check failed once: refused"`,
  );
  host.exit(WEB, 1);
  host.bootMs += 1;
  host.probe(DB, 'check', true);
  expect(text()).toMatchInlineSnapshot(`"start container/a/web — exited with 1, restart 6"`);
});

describe('a new run of a dependency', () => {
  const started = (onDependencyRestart: string) => {
    const made = scene(
      { restart: 'always', health: { tcp: 1, startPeriod: '0s' } },
      { dependsOn: ['db'], onDependencyRestart },
    );
    made.apply();
    made.host.probe(DB, 'check', true);
    made.apply();
    expect(made.text()).toBe('nothing to do');
    made.host.exit(DB, 1);
    made.apply();
    return made;
  };

  test('has no effect by default', () => expect(started('nothing').text()).toBe('nothing to do'));

  test('can restart the dependent, once it is ready', () => {
    const { host, text, apply } = started('restart');
    expect(text()).toMatchInlineSnapshot(
      `"hold container/a/web — dependency-not-ready: waits for container/a/db, which is starting: health check has not passed yet"`,
    );
    host.probe(DB, 'check', true);
    expect(text()).toMatchInlineSnapshot(`
      "stop container/a/web — container/a/db restarted
      start container/a/web — container/a/db restarted"
    `);
    apply();
    expect(text()).toBe('nothing to do');
  });
});

describe('a signal for a new run of a dependency', () => {
  const tell = { dependsOn: ['db'], onDependencyRestart: 'signal:HUP' };

  test('is sent once after it is ready, and stops nothing', () => {
    const { host, text, apply } = scene({ restart: 'always', health: { tcp: 1, startPeriod: '0s' } }, tell);
    apply();
    host.probe(DB, 'check', true);
    apply();
    host.exit(DB, 1);
    apply();
    expect(text()).toBe('nothing to do');
    host.probe(DB, 'check', true);
    expect(text()).toMatchInlineSnapshot(`"signal container/a/web — container/a/db restarted"`);
    apply();
    expect(host.signals).toEqual(['container/a/web SIGHUP']);
    expect(text()).toBe('nothing to do');
  });

  test('follows the new address', () => {
    const web = { links: ['db'], onDependencyRestart: 'signal:HUP', network: 'bridge' };
    const { host, text, apply } = scene({ restart: 'always', network: 'bridge' }, web);
    apply();
    host.change(DB, { id: 'another', endpoints: [{ network: DEFAULT_NETWORK, ipv4: '10.0.0.99', ipv6: null }] });
    expect(text()).toMatchInlineSnapshot(`
      "relink container/a/web — address of db changed
      signal container/a/web — container/a/db restarted"
    `);
    apply();
    expect(text()).toBe('nothing to do');
  });
});

test('stops dependents first', () => {
  const host = hostWith(apps({}, { dependsOn: ['db'] }));
  expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`
    "stop container/a/web — no longer declared
    stop container/a/db — no longer declared (after stop container/a/web)
    disconnect container/a/db — no longer declared
    remove container/a/db — no longer declared
    disconnect container/a/web — no longer declared
    remove container/a/web — no longer declared"
  `);
});

test('waits for a changed one-shot to complete again', () => {
  const web = { dependsOn: ['db:completed'] };
  const host = hostWith(apps({}, web));
  host.exit(DB, 0);
  const changed = declare(apps({ env: { SCHEMA: '2' } }, web));
  const { specHash } = changed.resources.get(DB) ?? { specHash: '' };
  host.failures.set(DB, { class: 'unavailable', message: 'no room', attempts: 1, specHash, retryAtBootMs: 1e9 });
  expect(textOn(host, changed)).toContain(
    'hold container/a/web — dependency-not-ready: waits for container/a/db: no room',
  );
});
