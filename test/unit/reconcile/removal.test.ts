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
  test('dependents stop first; networks, volumes and images follow the containers that used them', () => {
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

  test('a container that does not run is not stopped', () => {
    const host = hostWith({ blog: { containers: { job: { network: 'host' } } } });
    host.exit('container/blog/job', 0);
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`"remove container/blog/job — no longer declared"`);
  });

  test('another app stays as it is', () => {
    const host = hostWith({ blog: BLOG, shop: { containers: { till: {} } } });
    const text = textOn(host, declare({ shop: { containers: { till: {} } } }, 2));
    expect(text).not.toContain('shop');
  });

  test('an app whose manifest cannot be used is left as it is, and says so', () => {
    const host = hostWith({ blog: BLOG });
    const desired = { ...declare({}, 2), untouched: new Set(['blog']) };
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "hold container/blog/db — unavailable: its manifest cannot be used; left as it is
      hold container/blog/web — unavailable: its manifest cannot be used; left as it is"
    `);
  });

  test('a stop is carried out although the manifest cannot be used', () => {
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

  test('containers that were never declared here, or that another driver made, are never touched', () => {
    const host = hostWith({ blog: { containers: { a: {}, b: {} } } });
    host.change('container/blog/a', { key: null });
    host.change('container/blog/b', { available: false });
    expect(textOn(host, declare({}, 2))).toBe('nothing to do');
  });

  test('a declared container of a driver that is not in use is held', () => {
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

  test('a removal that failed for the old spec of the resource is not held back by it', () => {
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

  test('data is kept: the volume is released, and the same declaration adopts it again', () => {
    const host = hostWith(withData({}));
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(`"release volume/blog/data — no longer declared"`);
    host.volumes.set('volume/blog/data', { ...volumeOf(host), released: true });
    expect(textOn(host, declare({}, 2))).toBe('nothing to do');
    expect(textOn(host, declare(withData({}), 3))).toMatchInlineSnapshot(
      `"adopt volume/blog/data — declared in blog.yaml:1:3"`,
    );
  });

  test('data that would be deleted waits for a person', () => {
    const host = hostWith(withData({ onRemove: 'delete' }));
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(
      `"hold volume/blog/data — needs-approval: no longer declared and onRemove is delete; \`tsdocker approve\` deletes its data"`,
    );
    host.approvals.add('volume/blog/data');
    expect(textOn(host, declare({}, 2))).toMatchInlineSnapshot(
      `"remove volume/blog/data — deletion of its data was approved"`,
    );
  });

  test('another app takes released data over only when it says so', () => {
    const host = hostWith(withData({}));
    host.volumes.set('volume/blog/data', { ...volumeOf(host), released: true });
    expect(textOn(host, declare({ shop: { volumes: { data: {} } } }, 2))).toMatchInlineSnapshot(
      `"create volume/shop/data — declared in shop.yaml:1:3"`,
    );
    expect(textOn(host, declare({ shop: { volumes: { data: { adopt: true } } } }, 2))).toMatchInlineSnapshot(
      `"adopt volume/shop/data — declared in shop.yaml:1:3"`,
    );
  });

  test('data is adopted once: by the app that had it, else by the first that asks', () => {
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

  test('two released volumes of the name are not guessed between', () => {
    const host = hostWith({ ...withData({}), shop: { volumes: { data: {} } } });
    for (const volume of host.volumes.values()) host.volumes.set(volume.key, { ...volume, released: true });
    const next = { news: { volumes: { data: { adopt: true } }, containers: { a: { volumes: ['data:/d'] } } } };
    expect(textOn(host, declare(next, 2))).toMatchInlineSnapshot(`
      "hold volume/news/data — failed: volume/blog/data and volume/shop/data could be adopted; remove all but one, or set adopt: false
      hold container/news/a — dependency-not-ready: waits for volume/news/data: volume/blog/data and volume/shop/data could be adopted; remove all but one, or set adopt: false"
    `);
  });

  test('other labels or another onRemove are taken over', () => {
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
  test('are collected when everything is looked at, and only then', () => {
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

  test('the default bridge is mended and never removed', () => {
    const host = hostWith({});
    const bridge = {
      key: 'network//bridge',
      specHash: '',
      spec: {},
      bridge: 'tsdocker0',
      subnet: '10.9.0.0/24',
    } as const;
    host.networks.set(bridge.key, { ...bridge, healthy: true });
    expect(textOn(host, declare({}))).toBe('nothing to do');
    host.networks.set(bridge.key, { ...bridge, healthy: false });
    expect(textOn(host, declare({ blog: { containers: { web: {} } } }))).toMatchInlineSnapshot(`
      "ensure network//bridge — bridge or rules missing
      create container/blog/web — declared in blog.yaml:1:3
      connect container/blog/web — declared in blog.yaml:1:3 (after ensure network//bridge)
      start container/blog/web — declared in blog.yaml:1:3"
    `);
  });
});
