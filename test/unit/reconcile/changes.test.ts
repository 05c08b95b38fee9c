import { describe, expect, test } from 'vitest';
import { DEFAULT_NETWORK } from '../../../src/model/network-mode.ts';
import { plan } from '../../../src/reconcile/plan/plan.ts';
import type { App } from '../../support/declare.ts';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';

const web = (written: Record<string, unknown>, rest: Partial<App> = {}): { readonly blog: App } => ({
  blog: { images: { app: './app.tar' }, ...rest, containers: { web: written } },
});

describe('the strongest change class decides', () => {
  test('in place: the container keeps running', () => {
    const host = hostWith(web({ resources: { memory: '64MiB' }, ports: ['8080:80'] }));
    const next = declare(web({ resources: { memory: '128MiB' }, ports: ['8081:80'] }), 2);
    expect(textOn(host, next)).toMatchInlineSnapshot(
      `"update container/blog/web in place — ports, resources.memory changed in blog.yaml:2:3"`,
    );
  });

  test('restart: same container, same writable layer, same address', () => {
    const host = hostWith(web({ env: { A: '1' }, labels: { x: '1' } }));
    expect(textOn(host, declare(web({ env: { A: '2' }, labels: {} }), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — env.A, labels.x changed in blog.yaml:2:3
      start container/blog/web — env.A, labels.x changed in blog.yaml:2:3"
    `);
  });

  test('restart with other ports repairs the endpoint before the start', () => {
    const host = hostWith(web({ env: { A: '1' }, ports: ['8080:80'] }));
    expect(textOn(host, declare(web({ env: { A: '2' }, ports: ['8081:80'] }), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — env.A, ports changed in blog.yaml:2:3
      connect container/blog/web — env.A, ports changed in blog.yaml:2:3
      start container/blog/web — env.A, ports changed in blog.yaml:2:3"
    `);
  });

  test('restart with other links repairs the endpoint, whose rules say what is reached', () => {
    const linked = (links: readonly string[]) => ({ blog: { containers: { db: {}, web: { links } } } });
    const host = hostWith(linked([]));
    expect(textOn(host, declare(linked(['db']), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — links changed in blog.yaml:2:3
      connect container/blog/web — links changed in blog.yaml:2:3
      start container/blog/web — links changed in blog.yaml:2:3"
    `);
  });

  test('recreate: another container, another id', () => {
    const host = hostWith(web({ privileged: false }));
    const next = declare(web({ privileged: true }), 2);
    const before = host.container('container/blog/web').id;
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "stop container/blog/web — privileged changed in blog.yaml:2:3
      disconnect container/blog/web — privileged changed in blog.yaml:2:3
      remove container/blog/web — privileged changed in blog.yaml:2:3
      create container/blog/web — privileged changed in blog.yaml:2:3
      connect container/blog/web — privileged changed in blog.yaml:2:3
      start container/blog/web — privileged changed in blog.yaml:2:3"
    `);
    host.applyAll(planOn(host, next).ops, next);
    expect(host.container('container/blog/web').id).not.toBe(before);
    expect(host.container('container/blog/web').id).toMatch(/^[0-9a-f]{64}$/);
  });

  test('changed content of a file restarts', () => {
    const host = hostWith(web({}, { contentHashes: { './app.env': 'aa' } }));
    expect(textOn(host, declare(web({}, { contentHashes: { './app.env': 'bb' } }), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — content of ./app.env changed (restart)
      start container/blog/web — content of ./app.env changed (restart)"
    `);
  });

  test('another hash with equal fields is an upgrade and changes nothing', () => {
    const host = hostWith(web({}));
    host.change('container/blog/web', { specHash: 'of an earlier version' });
    expect(textOn(host, declare(web({})))).toBe('nothing to do');
  });
});

describe('images', () => {
  test('a changed image is loaded first, and its containers follow when its content changed', () => {
    const host = hostWith(web({}));
    const next = declare({ blog: { images: { app: './other.tar' }, containers: { web: {} } } }, 2);
    expect(textOn(host, next)).toMatchInlineSnapshot(
      `"load image/blog/app — changed in blog.yaml:1:3; what is made from it follows, if its content is another"`,
    );
    host.applyAll(planOn(host, next).ops, next);
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "stop container/blog/web — its image was loaded again with other content
      disconnect container/blog/web — its image was loaded again with other content
      remove container/blog/web — its image was loaded again with other content
      create container/blog/web — its image was loaded again with other content
      connect container/blog/web — its image was loaded again with other content
      start container/blog/web — its image was loaded again with other content"
    `);
  });

  test('an image that changed at its source is loaded again', () => {
    const host = hostWith(web({}));
    const image = host.images.get('image/blog/app');
    if (image) host.images.set(image.key, { ...image, current: false });
    expect(textOn(host, declare(web({})))).toMatchInlineSnapshot(
      `"load image/blog/app — refresh requested; what is made from it follows, if its content is another"`,
    );
  });

  test('one image of two containers is loaded once', () => {
    const host = hostWith({});
    const next = declare({ blog: { images: { app: './app.tar' }, containers: { a: {}, b: {} } } });
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "load image/blog/app — declared in blog.yaml:1:3
      create container/blog/a — declared in blog.yaml:2:3 (after load image/blog/app)
      connect container/blog/a — declared in blog.yaml:2:3
      start container/blog/a — declared in blog.yaml:2:3
      create container/blog/b — declared in blog.yaml:3:3 (after load image/blog/app)
      connect container/blog/b — declared in blog.yaml:3:3
      start container/blog/b — declared in blog.yaml:3:3"
    `);
  });

  test('a container that changes with its image is not stopped before the image is loaded', () => {
    const host = hostWith(web({ privileged: false }));
    const next = declare({ blog: { images: { app: './other.tar' }, containers: { web: { privileged: true } } } }, 2);
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "load image/blog/app — changed in blog.yaml:1:3; what is made from it follows, if its content is another
      hold container/blog/web — busy: privileged changed in blog.yaml:2:3; recreated when image/blog/app is loaded"
    `);
  });

  test('a restart change does not run with the old image', () => {
    const host = hostWith(web({ env: { MODE: 'one' } }));
    const next = declare(
      { blog: { images: { app: './other.tar' }, containers: { web: { env: { MODE: 'two' } } } } },
      2,
    );
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "load image/blog/app — changed in blog.yaml:1:3; what is made from it follows, if its content is another
      hold container/blog/web — busy: env.MODE changed in blog.yaml:2:3; restarted when image/blog/app is loaded"
    `);
  });
});

describe('networks', () => {
  const onBack = (subnet: string, extra: Record<string, unknown> = {}): { readonly blog: App } => ({
    blog: {
      images: { app: './app.tar' },
      networks: { back: { subnet, ...extra } },
      containers: { db: { network: 'back' }, web: { network: 'back', links: ['db'] } },
    },
  });

  test('that leave IPv6 open are said to have none where the host lacks it', () => {
    const networks = { open: {}, said: { ipv6: false }, asked: { ipv6: true }, six: { subnet6: 'fd00:1::/64' } };
    const host = hostWith({});
    const observed = { ...host.observe(), lacksIpv6: 'this kernel has no IPv6' };
    const desired = declare({ blog: { networks } });
    const made = plan({ desired, observed, now: host.now(), seed: 'seed', scope: null, busy: new Set<never>() });
    expect(made.ops.map(({ key, cause }) => `${key}: ${cause.message}`)).toMatchInlineSnapshot(`
      [
        "network/blog/open: declared in blog.yaml:1:3; without IPv6: this kernel has no IPv6",
        "network/blog/said: declared in blog.yaml:2:3",
        "network/blog/asked: declared in blog.yaml:3:3",
        "network/blog/six: declared in blog.yaml:4:3",
      ]
    `);
  });

  test('a rule is changed under running containers', () => {
    const host = hostWith(onBack('10.80.0.0/24'));
    expect(textOn(host, declare(onBack('10.80.0.0/24', { icc: false }), 2))).toMatchInlineSnapshot(
      `"ensure network/blog/back — icc changed in blog.yaml:2:3"`,
    );
  });

  test('another subnet disconnects and reconnects the containers', () => {
    const host = hostWith(onBack('10.80.0.0/24'));
    expect(textOn(host, declare(onBack('10.81.0.0/24'), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — subnet changed in blog.yaml:2:3
      stop container/blog/db — subnet changed in blog.yaml:2:3 (after stop container/blog/web)
      disconnect container/blog/db — subnet changed in blog.yaml:2:3
      disconnect container/blog/web — subnet changed in blog.yaml:2:3
      remove network/blog/back — subnet changed in blog.yaml:2:3 (after disconnect container/blog/db, disconnect container/blog/web)
      ensure network/blog/back — subnet changed in blog.yaml:2:3
      connect container/blog/db — subnet changed in blog.yaml:2:3 (after ensure network/blog/back)
      start container/blog/db — subnet changed in blog.yaml:2:3
      connect container/blog/web — subnet changed in blog.yaml:2:3 (after ensure network/blog/back)
      start container/blog/web — subnet changed in blog.yaml:2:3 (after start container/blog/db)"
    `);
  });

  test('what was decided when the network was made can be written down without a change of it', () => {
    const host = hostWith({ blog: { networks: { back: {} }, containers: { db: { network: 'back' } } } });
    const only = (extra: Record<string, unknown>) => ({
      blog: { networks: { back: { subnet: '10.99.0.0/24', ...extra } }, containers: { db: { network: 'back' } } },
    });
    expect(textOn(host, declare(only({ driver: 'bridge' }), 2))).toMatchInlineSnapshot(
      `"ensure network/blog/back — driver, subnet changed in blog.yaml:1:3"`,
    );
    expect(textOn(host, declare(only({ driver: 'macvlan' }), 2))).toContain('remove network/blog/back');
  });

  test('a network whose container cannot move stays unchanged, and so do its other containers', () => {
    const host = hostWith(onBack('10.80.0.0/24'));
    host.obstacles.set('container/blog/db', 'bind source /srv/db is missing');
    expect(textOn(host, declare(onBack('10.81.0.0/24'), 2))).toMatchInlineSnapshot(
      `"hold network/blog/back — dependency-not-ready: subnet changed in blog.yaml:2:3; waits until container/blog/db can move"`,
    );
  });

  test('a bind source is created before anything is stopped', () => {
    const host = hostWith({ blog: { containers: { web: {} } } });
    host.missingDirectories.set('container/blog/web', ['/srv/web']);
    const desired = declare(
      {
        blog: { containers: { web: { volumes: [{ source: '/srv/web', target: '/data', create: true }] } } },
      },
      2,
    );
    expect(textOn(host, desired)).toMatchInlineSnapshot(`
      "make-directories container/blog/web — missing, and to be made as its mount says: /srv/web
      stop container/blog/web — volumes changed in blog.yaml:1:3
      disconnect container/blog/web — volumes changed in blog.yaml:1:3
      remove container/blog/web — volumes changed in blog.yaml:1:3
      create container/blog/web — volumes changed in blog.yaml:1:3
      connect container/blog/web — volumes changed in blog.yaml:1:3
      start container/blog/web — volumes changed in blog.yaml:1:3"
    `);
  });

  test('a missing bridge is repaired', () => {
    const host = hostWith(onBack('10.80.0.0/24'));
    const network = host.networks.get('network/blog/back');
    if (network) host.networks.set(network.key, { ...network, missing: ['bridge or rules'] });
    expect(textOn(host, declare(onBack('10.80.0.0/24')))).toMatchInlineSnapshot(
      `"ensure network/blog/back — bridge or rules missing"`,
    );
  });

  test('a container that shares the network of a recreated one is restarted around it', () => {
    const pod = (privileged: boolean): { readonly blog: App } => ({
      blog: { containers: { proxy: { privileged }, web: { network: 'container:proxy' } } },
    });
    const host = hostWith(pod(false));
    expect(textOn(host, declare(pod(true), 2))).toMatchInlineSnapshot(`
      "stop container/blog/web — container/blog/proxy, whose network it shares, is recreated
      stop container/blog/proxy — privileged changed in blog.yaml:1:3 (after stop container/blog/web)
      disconnect container/blog/proxy — privileged changed in blog.yaml:1:3
      remove container/blog/proxy — privileged changed in blog.yaml:1:3
      create container/blog/proxy — privileged changed in blog.yaml:1:3
      connect container/blog/proxy — privileged changed in blog.yaml:1:3
      start container/blog/proxy — privileged changed in blog.yaml:1:3
      start container/blog/web — container/blog/proxy, whose network it shares, is recreated (after start container/blog/proxy)"
    `);
  });

  test('host mode has no endpoint', () => {
    const host = hostWith({});
    expect(textOn(host, declare({ blog: { containers: { web: { network: 'host' } } } }))).toMatchInlineSnapshot(`
      "create container/blog/web — declared in blog.yaml:1:3
      start container/blog/web — declared in blog.yaml:1:3"
    `);
  });
});

describe('a transfer between containers', () => {
  test('gives the host port to the renamed container after the old one released it', () => {
    const host = hostWith({ blog: { containers: { old: { ports: ['8080:80'] } } } });
    const next = declare({ blog: { containers: { new: { ports: ['8080:80'] } } } }, 2);
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "stop container/blog/old — no longer declared
      disconnect container/blog/old — no longer declared
      remove container/blog/old — no longer declared
      create container/blog/new — declared in blog.yaml:1:3
      connect container/blog/new — declared in blog.yaml:1:3 (after disconnect container/blog/old)
      start container/blog/new — declared in blog.yaml:1:3"
    `);
  });

  const ports = (...containers: string[][]) => ({
    blog: { containers: Object.fromEntries(containers.map((ports, index) => ['abc'[index], { ports }])) },
  });

  test('lets containers that exchange ports in a circle let go of one first, and of no other', () => {
    const host = hostWith(ports(['8080:80', '9000:90'], ['8081:80']));
    const swapped = declare(ports(['8081:80', '9000:90'], ['8080:80']), 2);
    expect(planOn(host, swapped).ops[0]).toMatchObject({ ports: [{ hostPort: 8080, protocol: 'tcp' }] });
    expect(textOn(host, swapped)).toMatchInlineSnapshot(`
      "withdraw container/blog/a — exchanges host port 8080/tcp with blog/b
      update container/blog/b in place — ports changed in blog.yaml:2:3 (after withdraw container/blog/a)
      update container/blog/a in place — ports changed in blog.yaml:1:3 (after update container/blog/b)"
    `);
    const three = hostWith(ports(['8080:80'], ['8081:80'], ['8082:80']));
    const round = declare(ports(['8081:80'], ['8082:80'], ['8080:80']), 2);
    expect(textOn(three, round)).toMatchInlineSnapshot(`
      "withdraw container/blog/a — exchanges host port 8080/tcp with blog/c
      update container/blog/c in place — ports changed in blog.yaml:3:3 (after withdraw container/blog/a)
      update container/blog/b in place — ports changed in blog.yaml:2:3 (after update container/blog/c)
      update container/blog/a in place — ports changed in blog.yaml:1:3 (after update container/blog/b)"
    `);
    host.applyAll(planOn(host, swapped).ops, swapped);
    expect(textOn(host, swapped)).toBe('nothing to do');
  });

  test.each([
    [
      'keep a number at addresses of their own',
      ['127.0.0.1:80:80', '81:81'],
      ['127.0.0.2:80:80', '82:82'],
      ['127.0.0.1:80:80', '83:81'],
      ['127.0.0.2:80:80', '84:82'],
    ],
    ['pass one on', ['8080:80'], ['8081:80'], ['8082:80'], ['8080:80']],
    ['do so at different protocols', ['80:80/tcp'], ['81:80/udp'], ['81:80/tcp'], ['80:80/udp']],
  ])('withdraws nothing from containers that %s', (_, a, b, nextA, nextB) => {
    const ops = planOn(hostWith(ports(a, b)), declare(ports(nextA, nextB), 2)).ops;
    expect(ops.map(({ op }) => op)).toEqual(['container.update', 'container.update']);
  });

  test('writes the new address of a link target into the hosts file', () => {
    const apps = { blog: { containers: { db: {}, web: { links: ['db:database'] } } } };
    const host = hostWith(apps);
    host.change('container/blog/db', { endpoints: [{ network: DEFAULT_NETWORK, ipv4: '10.0.0.77', ipv6: null }] });
    expect(textOn(host, declare(apps))).toMatchInlineSnapshot(
      `"relink container/blog/web — address of database changed"`,
    );
  });
});

describe('drift', () => {
  const apps = { blog: { containers: { web: { ports: ['8080:80'] }, side: { network: 'container:web' } } } };

  test('missing kernel objects are repaired under the running container', () => {
    const host = hostWith(apps);
    host.change('container/blog/web', { drift: ['port 8080 missing', 'veth missing'] });
    expect(textOn(host, declare(apps))).toMatchInlineSnapshot(
      `"connect container/blog/web — port 8080 missing, veth missing"`,
    );
  });

  test('a lost namespace is connected again', () => {
    const host = hostWith(apps);
    host.change('container/blog/web', { sandbox: false });
    expect(textOn(host, declare(apps))).toMatchInlineSnapshot(`"connect container/blog/web — network sandbox missing"`);
  });

  test('a container that lost its shared namespace restarts in the current one', () => {
    const host = hostWith(apps);
    host.change('container/blog/side', { drift: ['network of container/blog/web was replaced'] });
    expect(textOn(host, declare(apps))).toMatchInlineSnapshot(`
      "stop container/blog/side — network of container/blog/web was replaced
      start container/blog/side — network of container/blog/web was replaced"
    `);
  });
});

describe('a changed file', () => {
  const file = (hash: string, reaction: string, running = {}) => {
    const desired = declare(web(running, { contentHashes: { './app.conf': hash } }), 2);
    const key = 'container/blog/web';
    const web1 = desired.resources.get(key);
    if (web1)
      (desired.resources as Map<string, typeof web1>).set(key, {
        ...web1,
        reactions: { './app.conf': reaction as never },
      });
    return desired;
  };

  test('sends a signal and records the content without a stop', () => {
    const host = hostWith(web({}, { contentHashes: { './app.conf': 'aa' } }));
    const next = file('bb', 'signal:SIGHUP');
    expect(textOn(host, next)).toMatchInlineSnapshot(`
      "signal container/blog/web — content of ./app.conf changed (signal:SIGHUP)
      update container/blog/web in place — content of ./app.conf changed (signal:SIGHUP)"
    `);
    host.applyAll(planOn(host, next).ops, next);
    expect(host.signals).toEqual(['container/blog/web SIGHUP']);
    expect(textOn(host, next)).toBe('nothing to do');
  });

  test('sends no signal to a stopped container', () => {
    const host = hostWith(web({ restart: 'no' }, { contentHashes: { './app.conf': 'aa' } }));
    host.exit('container/blog/web', 0);
    expect(textOn(host, file('bb', 'signal:SIGHUP', { restart: 'no' }))).toContain('update container/blog/web');
    expect(textOn(host, file('bb', 'signal:SIGHUP', { restart: 'no' }))).not.toContain('signal container/blog/web');
  });

  test('can recreate the container', () => {
    const host = hostWith(web({}, { contentHashes: { './app.conf': 'aa' } }));
    expect(textOn(host, file('bb', 'recreate'))).toMatchInlineSnapshot(`
      "stop container/blog/web — content of ./app.conf changed (recreate)
      disconnect container/blog/web — content of ./app.conf changed (recreate)
      remove container/blog/web — content of ./app.conf changed (recreate)
      create container/blog/web — content of ./app.conf changed (recreate)
      connect container/blog/web — content of ./app.conf changed (recreate)
      start container/blog/web — content of ./app.conf changed (recreate)"
    `);
  });

  test('sends no signal with a restart', () => {
    const host = hostWith(web({ env: { A: '1' } }, { contentHashes: { './app.conf': 'aa' } }));
    expect(textOn(host, file('bb', 'signal:SIGHUP', { env: { A: '2' } }))).toMatchInlineSnapshot(`
      "stop container/blog/web — env.A changed in blog.yaml:2:3; content of ./app.conf changed (signal:SIGHUP)
      start container/blog/web — env.A changed in blog.yaml:2:3; content of ./app.conf changed (signal:SIGHUP)"
    `);
  });

  test('does not count another reaction as a change of the mount', () => {
    const mount = (more: object) => web({ volumes: [{ source: '/a.conf', target: '/a', readOnly: true, ...more }] });
    const host = hostWith(mount({}));
    expect(textOn(host, declare(mount({ onChange: 'signal:hup', watch: true }), 2))).toMatchInlineSnapshot(
      `"update container/blog/web in place — volumes changed in blog.yaml:2:3"`,
    );
  });
});

describe('drift by policy', () => {
  const drifted = (policy: string) => {
    const host = hostWith(web({ drift: policy }));
    host.change('container/blog/web', { drift: ['veth missing'] });
    return textOn(host, declare(web({ drift: policy })));
  };

  test('is repaired, reported or ignored', () => {
    expect(drifted('heal')).toMatchInlineSnapshot(`"connect container/blog/web — veth missing"`);
    expect(drifted('report')).toMatchInlineSnapshot(
      `"hold container/blog/web — drifted: veth missing; left as it is (drift: report)"`,
    );
    expect(drifted('ignore')).toBe('nothing to do');
  });

  test('of a network follows its policy too, in the words of its driver', () => {
    const text = (policy: string) => {
      const host = hostWith({ blog: { networks: { back: { drift: policy } } } });
      const network = host.networks.get('network/blog/back');
      if (network) host.networks.set(network.key, { ...network, missing: ['parent interface', 'route'] });
      return textOn(host, declare({ blog: { networks: { back: { drift: policy } } } }));
    };
    expect(text('heal')).toMatchInlineSnapshot(`"ensure network/blog/back — parent interface, route missing"`);
    expect(text('report')).toMatchInlineSnapshot(
      `"hold network/blog/back — drifted: parent interface, route missing; left as it is (drift: report)"`,
    );
    expect(text('ignore')).toBe('nothing to do');
  });
});

describe('a stop for a time', () => {
  const KEY = 'container/blog/web';
  const stopped = (policy: string) => {
    const host = hostWith(web({ restart: policy }));
    host.exit(KEY, 143);
    host.change(KEY, {
      stopOverride: true,
      sandbox: false,
      stopUntil: { bootMs: host.bootMs + 60_000, wallMs: 1_800_000_060_000 },
    });
    return host;
  };

  test('lasts, shows its end, and is checked then', () => {
    const host = stopped('always');
    const plan = planOn(host, declare(web({ restart: 'always' })));
    expect(plan.ops).toEqual([]);
    expect(plan.holds).toEqual([
      {
        key: KEY,
        reason: 'stopped-by-user',
        message: 'stopped until 2027-01-15T08:01:00Z, `tsdocker start` or a changed spec',
        untilBootMs: host.bootMs + 60_000,
      },
    ]);
  });

  test.each(['always', 'no'])('ends with a start (%s)', (policy) => {
    const host = stopped(policy);
    host.change(KEY, { stopOverride: false, stopExpired: true });
    expect(textOn(host, declare(web({ restart: policy })))).toContain(
      'start container/blog/web — the time it was stopped for is over',
    );
  });
});
