import { describe, expect, test } from 'vitest';
import type { App } from '../../support/declare.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';

const BLOG: App = {
  images: { app: './app.tar' },
  volumes: { pgdata: {} },
  networks: { back: { subnet: '10.80.0.0/24' } },
  containers: {
    db: { volumes: ['pgdata:/data'], network: 'back' },
    web: { links: ['db'], network: 'back', stopTimeout: '30s', stopSignal: 'SIGINT' },
  },
};

describe('removal', () => {
  test('stops dependents first, then removes networks, volumes and images', () => {
    expect(textOn(hostWith({ blog: BLOG }), declare({}, 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — no longer declared
      stop container/blog/db — no longer declared (after stop container/blog/web)
      disconnect container/blog/db — no longer declared
      remove container/blog/db — no longer declared
      disconnect container/blog/web — no longer declared
      remove container/blog/web — no longer declared
      remove network/blog/back — no longer declared (after disconnect container/blog/db, disconnect container/blog/web)
      release volume/blog/pgdata — no longer declared (after remove container/blog/db)
      release image/blog/app — no longer declared (after remove container/blog/db, remove container/blog/web)"
    `);
  });

  test('does not stop a container that does not run', () => {
    const host = hostWith({ blog: { containers: { job: { network: 'host' } } } });
    host.exit('container/blog/job', 0);
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`"remove container/blog/job — no longer declared"`);
  });

  test('does not affect another app', () => {
    const host = hostWith({ blog: BLOG, shop: { containers: { till: {} } } });
    const text = textOn(host, declare({ shop: { containers: { till: {} } } }, 2));
    expect(text).not.toContain('shop');
  });

  test('does not affect an app with an unusable manifest, which is reported', () => {
    const host = hostWith({ blog: BLOG });
    const desired = { ...declare({}, 2), untouched: new Set(['blog']) };
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "hold container/blog/db — unavailable: its manifest cannot be used; left as it is
      hold container/blog/web — unavailable: its manifest cannot be used; left as it is"
    `);
  });

  test('allows a stop although the manifest cannot be used', () => {
    const host = hostWith({ blog: BLOG });
    const desired = { ...declare({}, 2), untouched: new Set(['blog']) };
    host.change('container/blog/web', { stopOverride: true });
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "stop container/blog/web — stop requested
      hold container/blog/db — unavailable: its manifest cannot be used; left as it is
      hold container/blog/web — unavailable: its manifest cannot be used; left as it is"
    `);
    host.change('container/blog/web', { running: false });
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "hold container/blog/db — unavailable: its manifest cannot be used; left as it is
      hold container/blog/web — stopped-by-user: stopped until \`tsdocker start\` or a changed spec; its manifest cannot be used"
    `);
  });

  test('never touches containers that were never declared here or belong to another driver', () => {
    const host = hostWith({ blog: { containers: { a: {}, b: {} } } });
    host.change('container/blog/a', { key: null });
    host.change('container/blog/b', { available: false });
    expect(textOn(host, declare({}, 2))).toBe('nothing to do');
  });

  test('holds a declared container of an unused driver', () => {
    const apps = { blog: { containers: { a: {}, b: { links: ['a'] } } } };
    const host = hostWith(apps);
    host.change('container/blog/a', { available: false, running: false });
    host.exit('container/blog/b', 1);
    expect(textOn(host, declare(apps))).toMatchInlineSnapshot(`
      "disconnect container/blog/b — exited with 1, restart policy no
      hold container/blog/a — unavailable: made by a driver that is not in use
      hold container/blog/b — finished: exited with 1, restart policy no"
    `);
  });

  test('is not delayed by a failed removal of the old spec', () => {
    const host = hostWith({ blog: { containers: { a: {} } } });
    const failure = { class: 'invalid', message: 'no', specHash: 'x', attempts: 1, retryAtBootMs: null };
    host.failures.set('container/blog/a', failure);
    expect(textOn(host, declare({}, 2))).toContain('remove container/blog/a');
    host.failures.set('container/blog/a', { ...failure, specHash: '', retryAtBootMs: host.bootMs + 500 });
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`"hold container/blog/a — backing-off: no"`);
  });
});

describe('volumes', () => {
  const withData = (written: Record<string, unknown>): { readonly blog: App } => ({
    blog: { volumes: { data: written } },
  });

  test('keep their data: a removed volume is released and adopted again by the same declaration', () => {
    const host = hostWith(withData({}));
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`"release volume/blog/data — no longer declared"`);
    host.volumes.set('volume/blog/data', { ...volumeOf(host), released: true });
    expect(textOn(host, declare({}, 2))).toBe('nothing to do');
    expect(textOn(host, declare(withData({}), 3))).toMatchInlineSnapshot(
      `"adopt volume/blog/data — declared in blog.yaml:1:3"`,
    );
  });

  test('wait for a person before data is deleted', () => {
    const host = hostWith(withData({ onRemove: 'delete' }));
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(
      `"hold volume/blog/data — needs-approval: no longer declared and onRemove is delete; \`tsdocker approve\` deletes its data"`,
    );
    host.approvals.add('volume/blog/data');
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(
      `"remove volume/blog/data — deletion of its data was approved"`,
    );
  });

  test('are adopted by another app only with `adopt: true`', () => {
    const host = hostWith(withData({}));
    host.volumes.set('volume/blog/data', { ...volumeOf(host), released: true });
    expect(textOn(host, declare({ shop: { volumes: { data: {} } } }, 2))).toMatchInlineSnapshot(
      `"create volume/shop/data — declared in shop.yaml:1:3"`,
    );
    expect(textOn(host, declare({ shop: { volumes: { data: { adopt: true } } } }, 2))).toMatchInlineSnapshot(
      `"adopt volume/shop/data — declared in shop.yaml:1:3"`,
    );
  });

  test('are adopted once: by the former app, else by the first that asks', () => {
    const host = hostWith({ blog: { volumes: { data: {} } } });
    host.applyAll(planOn(host, declare({}, 2)).ops, declare({}, 2));
    const adopt = { volumes: { data: { adopt: true } } };
    expect(
      textOn(host, declare({ shop: adopt, news: adopt, blog: { volumes: { data: {} } } }, 3)),
    ).toMatchInlineSnapshot(`
        "create volume/shop/data — declared in shop.yaml:1:3
        create volume/news/data — declared in news.yaml:1:3
        adopt volume/blog/data — declared in blog.yaml:1:3"
      `);
    expect(textOn(host, declare({ shop: adopt, news: adopt }, 3))).toMatchInlineSnapshot(`
      "adopt volume/shop/data — declared in shop.yaml:1:3
      create volume/news/data — declared in news.yaml:1:3"
    `);
  });

  test('with the same name are ambiguous and not adopted', () => {
    const host = hostWith({ ...withData({}), shop: { volumes: { data: {} } } });
    for (const volume of host.volumes.values()) host.volumes.set(volume.key, { ...volume, released: true });
    const next = { news: { volumes: { data: { adopt: true } }, containers: { a: { volumes: ['data:/d'] } } } };
    expect(textOn(host, declare(next, 2))).toMatchInlineSnapshot(`
      "hold volume/news/data — failed: volume/blog/data and volume/shop/data could be adopted; remove all but one, or set adopt: false
      hold container/news/a — dependency-not-ready: waits for volume/news/data: volume/blog/data and volume/shop/data could be adopted; remove all but one, or set adopt: false"
    `);
  });

  test('get new labels and onRemove on adoption', () => {
    const host = hostWith(withData({}));
    expect(textOn(host, declare(withData({ onRemove: 'delete' }), 2))).toMatchInlineSnapshot(
      `"adopt volume/blog/data — changed in blog.yaml:1:3"`,
    );
  });

  function volumeOf(host: ReturnType<typeof hostWith>) {
    const volume = host.volumes.get('volume/blog/data');
    if (!volume) throw new Error('no volume');
    return volume;
  }
});

describe('orphans', () => {
  test('are collected only by a full pass', () => {
    const host = hostWith({});
    host.orphans = [
      { type: 'process', id: 'ab12' },
      { type: 'bridge', id: 'tsd-1' },
      { type: 'lease', id: 'container/blog/web' },
    ];
    expect(textOn(host, declare({}))).toMatchInlineSnapshot(`
      "remove orphan process ab12 — its owner is gone
      remove orphan bridge tsd-1 — its owner is gone
      remove orphan lease container/blog/web — nothing uses it any more"
    `);
    expect(textOn(host, declare({}), { scope: new Set() })).toBe('nothing to do');
  });

  test('do not include the default bridge, which is repaired', () => {
    const host = hostWith({});
    const bridge = { key: 'network//bridge', specHash: '', spec: {}, decided: {} } as const;
    host.networks.set(bridge.key, { ...bridge, missing: [] });
    expect(textOn(host, declare({}))).toBe('nothing to do');
    host.networks.set(bridge.key, { ...bridge, missing: ['bridge or rules'] });
    expect(textOn(host, declare({ blog: { containers: { web: {} } } }))).toMatchInlineSnapshot(`
      "ensure network//bridge — bridge or rules missing
      create container/blog/web — declared in blog.yaml:1:3
      connect container/blog/web — declared in blog.yaml:1:3 (after ensure network//bridge)
      start container/blog/web — declared in blog.yaml:1:3"
    `);
  });
});
