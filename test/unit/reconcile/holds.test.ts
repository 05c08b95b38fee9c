import { describe, expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';
import { PureHost } from '../../support/pure-host.ts';

const WEB: ResourceKey = 'container/blog/web';
const DB: ResourceKey = 'container/blog/db';

const pair = (db: Record<string, unknown> = {}, web: Record<string, unknown> = {}) => ({
  blog: { containers: { db: { restart: 'always', ...db }, web: { restart: 'always', links: ['db'], ...web } } },
});

describe('links', () => {
  test('park a dependent of a container that backs off', () => {
    const host = hostWith(pair());
    host.change(DB, { restarts: { restarts: 5, consecutive: 5 } });
    host.exit(DB, 1);
    host.exit(WEB, 1);
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(`
      "hold container/blog/db — backing-off: exited with 1, restart 6 after 9.0 s
      hold container/blog/web — dependency-not-ready: waits for container/blog/db: exited with 1, restart 6 after 9.0 s"
    `);
  });

  test('start it at once when the dependency recovers, regardless of its own backoff', () => {
    const host = hostWith(pair());
    host.change(WEB, { restarts: { restarts: 5, consecutive: 5 } });
    host.exit(WEB, 1);
    host.change(DB, { startedAtBootMs: host.bootMs + 10 });
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(
      `"start container/blog/web — exited with 1, restart 6"`,
    );
  });

  test('do not touch a running dependent while its dependency is down', () => {
    const host = hostWith(pair());
    host.change(DB, { restarts: { restarts: 5, consecutive: 5 } });
    host.exit(DB, 1);
    expect(planOn(host, declare(pair())).ops).toEqual([]);
  });

  test('park a container whose shared namespace ended with its owner', () => {
    const shared = { blog: { containers: { db: {}, web: { network: 'container:db', restart: 'always' } } } };
    const host = hostWith(shared);
    host.exit(DB, 0);
    host.change(DB, { sandbox: false });
    host.exit(WEB, 1);
    expect(textOn(host, declare(shared))).toMatchInlineSnapshot(`
      "hold container/blog/db — finished: exited with 0, restart policy no
      hold container/blog/web — dependency-not-ready: waits for container/blog/db, whose network namespace went when it ended"
    `);
  });

  test('start dependents of a one-shot when it exits with 0', () => {
    const job = (code: number) => {
      const host = hostWith({ blog: { containers: { db: { network: 'host' } } } });
      host.exit(DB, code);
      return textOn(host, declare(pair({ restart: 'on-failure:0', network: 'host' }), 2));
    };
    const migration = { blog: { containers: { db: { network: 'none' }, web: { links: ['db'], network: 'none' } } } };
    const host = hostWith({ blog: { containers: { db: { network: 'none' } } } });
    host.exit(DB, 0);
    host.change(DB, { sandbox: false });
    expect(textOn(host, declare(migration, 2))).toMatchInlineSnapshot(`
      "create container/blog/web — declared in blog.yaml:2:3
      connect container/blog/web — declared in blog.yaml:2:3
      start container/blog/web — declared in blog.yaml:2:3
      hold container/blog/db — finished: exited with 0, restart policy no"
    `);
    host.exit(DB, 3);
    expect(textOn(host, declare(migration, 2))).toMatchInlineSnapshot(`
      "hold container/blog/db — finished: exited with 3, restart policy no
      hold container/blog/web — dependency-not-ready: waits for container/blog/db: exited with 3, restart policy no"
    `);
    expect(job(0)).toContain('start container/blog/web');
  });

  test('do not stop a changed container while its link target is not ready', () => {
    const host = hostWith(pair());
    host.change(DB, { restarts: { restarts: 5, consecutive: 5 } });
    host.exit(DB, 1);
    expect(textOn(host, declare(pair({}, { privileged: true }), 2))).toMatchInlineSnapshot(`
      "hold container/blog/db — backing-off: exited with 1, restart 6 after 9.0 s
      hold container/blog/web — dependency-not-ready: waits for container/blog/db: exited with 1, restart 6 after 9.0 s"
    `);
  });

  test('stop the dependent first and start it last when both change', () => {
    const host = hostWith(pair());
    expect(textOn(host, declare(pair({ env: { A: '1' } }, { env: { A: '1' } }), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — env.A changed in blog.yaml:2:3
      stop container/blog/db — env.A changed in blog.yaml:1:3 (after stop container/blog/web)
      start container/blog/db — env.A changed in blog.yaml:1:3
      start container/blog/web — env.A changed in blog.yaml:2:3 (after start container/blog/db)"
    `);
  });
});

describe('a manual request', () => {
  test('to stop lasts until start', () => {
    const host = hostWith(pair());
    host.change(DB, { stopOverride: true });
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(`
      "stop container/blog/db — stop requested
      disconnect container/blog/db — stop requested"
    `);
    host.applyAll(planOn(host, declare(pair())).ops, declare(pair()));
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(
      `"hold container/blog/db — stopped-by-user: stopped until \`tsdocker start\` or a changed spec"`,
    );
    host.change(DB, { stopOverride: false, restartRequested: true });
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(`
      "connect container/blog/db — start requested
      start container/blog/db — start requested"
    `);
  });

  test.each([
    ['in place', { labels: { a: '1' } }],
    ['restart', { env: { A: '1' } }],
    ['recreate', { privileged: true }],
  ])('to stop ends with a changed spec (%s)', (_, change) => {
    const host = hostWith(pair());
    host.change(DB, { stopOverride: true });
    host.applyAll(planOn(host, declare(pair())).ops, declare(pair()));
    const next = declare(pair(change), 2);
    host.applyAll(planOn(host, next).ops, next);
    expect(host.container(DB)).toMatchObject({ running: true, stopOverride: false });
  });

  test('to stop does not end with another image', () => {
    const apps = { blog: { images: { app: './a.tar' }, containers: { db: {} } } };
    const host = hostWith(apps);
    host.change(DB, { stopOverride: true, running: false, sandbox: false, imageId: 'earlier' });
    expect(planOn(host, declare(apps)).ops).toEqual([]);
  });

  test('to restart takes effect once', () => {
    const host = hostWith(pair());
    host.change(WEB, { restartRequested: true });
    expect(textOn(host, declare(pair()))).toMatchInlineSnapshot(`
      "stop container/blog/web — restart requested
      start container/blog/web — restart requested"
    `);
    host.applyAll(planOn(host, declare(pair())).ops, declare(pair()));
    expect(textOn(host, declare(pair()))).toBe('nothing to do');
  });
});

describe('failures', () => {
  const image = { blog: { images: { app: './app.tar' }, containers: { web: {} } } };
  const desired = declare(image);
  const failure = (key: ResourceKey, errorClass: string, retryAtBootMs: number | null) => ({
    class: errorClass,
    message: './app.tar: no such file',
    specHash: desired.resources.get(key)?.specHash ?? '',
    attempts: 1,
    retryAtBootMs,
  });

  test('an image that cannot be loaded holds its containers and is retried later', () => {
    const host = new PureHost();
    host.failures.set('image/blog/app', failure('image/blog/app', 'precondition', host.bootMs + 500));
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "hold image/blog/app — backing-off: ./app.tar: no such file
      hold container/blog/web — dependency-not-ready: waits for image/blog/app: ./app.tar: no such file"
    `);
    host.bootMs += 500;
    expect(textOn(host, desired)).toContain('load image/blog/app');
  });

  test('an invalid spec waits for another one', () => {
    const host = new PureHost();
    host.failures.set(WEB, failure(WEB, 'invalid', null));
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "load image/blog/app — declared in blog.yaml:1:3
      hold container/blog/web — failed: ./app.tar: no such file"
    `);
    const next = declare({ blog: { images: { app: './app.tar' }, containers: { web: { tty: true } } } }, 2);
    expect(textOn(host, next)).toContain('create container/blog/web');
  });

  test('a hold has the hint of the failed op, also for its dependents', () => {
    const host = new PureHost();
    const failed = failure('image/blog/app', 'precondition', host.bootMs + 500);
    host.failures.set('image/blog/app', { ...failed, hint: '`tsdocker pull app`' });
    const hints = planOn(host, desired).holds.map(({ key, hint }) => [key, hint]);
    expect(hints).toEqual([
      ['image/blog/app', '`tsdocker pull app`'],
      [WEB, '`tsdocker pull app`'],
    ]);
    host.failures.set('image/blog/app', failed);
    expect(planOn(host, desired).holds.map(({ hint }) => hint)).toEqual([undefined, undefined]);
  });

  test('a past failure does not hold a healthy container', () => {
    const host = hostWith(image);
    host.failures.set(WEB, failure(WEB, 'invalid', null));
    expect(textOn(host, desired)).toBe('nothing to do');
  });

  test('a missing host resource is requested again without a stop', () => {
    const host = hostWith(pair());
    host.obstacles.set(WEB, 'bind source /srv/web is missing');
    expect(textOn(host, declare(pair({}, { privileged: true }), 2))).toMatchInlineSnapshot(
      `"hold container/blog/web — unavailable: bind source /srv/web is missing"`,
    );
    const [hold] = planOn(host, declare(pair({}, { privileged: true }), 2)).holds;
    expect(hold?.untilBootMs).toBe(host.bootMs + 2000);
  });
});

describe('busy keys', () => {
  test('have no ops, and their dependents wait', () => {
    const host = hostWith({ blog: { containers: { db: { restart: 'always' } } } });
    const busy = new Set([DB]);
    expect(textOn(host, declare(pair(), 2), { busy })).toMatchInlineSnapshot(
      `"hold container/blog/web — busy: waits for container/blog/db, which is being changed"`,
    );
  });

  test('delay the containers of a network that is being created', () => {
    const apps = { blog: { networks: { back: {} }, containers: { web: { network: 'back' } } } };
    const busy = new Set<ResourceKey>(['network/blog/back']);
    expect(textOn(new PureHost(), declare(apps), { busy })).toMatchInlineSnapshot(
      `"hold container/blog/web — busy: waits for network/blog/back is being changed"`,
    );
  });
});

test('plan only keys in scope, with their dependencies', () => {
  const apps = { ...pair(), shop: { containers: { till: {} } } };
  const scope = new Set([WEB]);
  expect(textOn(new PureHost(), declare(apps), { scope })).toMatchInlineSnapshot(`
    "create container/blog/db — declared in blog.yaml:1:3
    connect container/blog/db — declared in blog.yaml:1:3
    start container/blog/db — declared in blog.yaml:1:3
    create container/blog/web — declared in blog.yaml:2:3
    connect container/blog/web — declared in blog.yaml:2:3
    start container/blog/web — declared in blog.yaml:2:3 (after start container/blog/db)"
  `);
});
