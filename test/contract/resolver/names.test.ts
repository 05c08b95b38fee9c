/** The program of the build (npm run build), asked by real programs from inside network namespaces. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { enterOwnHost, UNPRIVILEGED, World } from '../../support/resolver/fixture.ts';

enterOwnHost();

describe('names of networks', () => {
  let world: World;
  beforeAll(async () => {
    world = await World.start();
    await world.network('front', {
      web: ['10.1.0.2', 'fd00:1::2'],
      db: '10.1.0.3',
      six: 'fd00:1::9',
      all: ['10.1.0.12', '10.1.0.13', '10.1.0.14'],
      many: Array.from({ length: 60 }, (_, index) => `10.1.1.${index + 1}`),
      shared: '10.1.0.5',
    });
    await world.network('back', { db: '10.2.0.3', shared: '10.2.0.5', store: '10.2.0.6' });
    await world.network('other', { secret: '10.3.0.2' });
  });
  afterAll(() => world.remove());

  it('are answered for the networks that a sandbox is in, the first that knows a name first', async () => {
    const both = await world.sandbox('both', { networks: ['back', 'front'] });
    expect(await both.short('db')).toEqual(['10.2.0.3']);
    expect(await both.short('WeB')).toEqual(['10.1.0.2']);
    expect(await both.short('db.front')).toEqual(['10.1.0.3']);
    expect(await both.short('store.back')).toEqual(['10.2.0.6']);
    expect(await both.dig('secret')).toContain('status: SERVFAIL');
    expect(await both.dig('secret.other')).toContain('status: SERVFAIL');
  });

  it('give each family what it has, and never "no such name" for a known one', async () => {
    const sandbox = await world.sandbox('families', { networks: ['front'] });
    expect(await sandbox.short('web', 'AAAA')).toEqual(['fd00:1::2']);
    for (const [name, type] of [
      ['db', 'AAAA'],
      ['six', 'A'],
      ['db', 'MX'],
      ['db', 'HTTPS'],
    ] as const) {
      const text = await sandbox.dig(name, type);
      expect(text).toContain('status: NOERROR');
      expect(text).toContain('ANSWER: 0');
      expect(text).not.toContain('SOA');
    }
    expect(await sandbox.dig('web', 'ANY')).toContain('10.1.0.2');
  });

  it('have addresses that name them', async () => {
    const sandbox = await world.sandbox('pointers', { networks: ['front'] });
    expect(await sandbox.short('-x', '10.1.0.3')).toEqual(['db.front.']);
    expect(await sandbox.short('-x', 'fd00:1::9')).toEqual(['six.front.']);
    expect(await sandbox.dig('-x', '10.2.0.3')).toContain('status: SERVFAIL');
    expect(await sandbox.short('-x', '127.0.0.1')).toEqual(['localhost.']);
  });

  it('come in another order each time', async () => {
    const sandbox = await world.sandbox('orders', { networks: ['front'] });
    const orders = new Set<string>();
    for (let round = 0; round < 20; round++) {
      const text = await sandbox.dig('+short', 'all');
      expect(text.trim().split('\n').sort()).toEqual(['10.1.0.12', '10.1.0.13', '10.1.0.14']);
      orders.add(text);
    }
    expect(orders.size).toBeGreaterThan(2);
  });

  it('are cut where a datagram has no room, and come whole by TCP', async () => {
    const sandbox = await world.sandbox('large', { networks: ['front'] });
    const cut = await sandbox.dig('+noedns', '+ignore', 'many');
    expect(cut).toMatch(/flags: qr tc rd ra/);
    expect(Number(/ANSWER: (\d+)/.exec(cut)?.[1])).toBe(30);
    const whole = await sandbox.dig('+noedns', 'many');
    expect(whole).toContain('ANSWER: 60');
    expect(whole).toContain('(TCP)');
    const asked = await sandbox.dig('+bufsize=1232', 'many');
    expect(asked).toContain('ANSWER: 60');
    expect(asked).toContain('udp: 1232');
    expect(asked).toContain('(UDP)');
  });

  it('keep localhost, and names that are invalid, to the host', async () => {
    const sandbox = await world.sandbox('special', { networks: ['front'] });
    expect(await sandbox.short('localhost')).toEqual(['127.0.0.1']);
    expect(await sandbox.short('a.localhost', 'AAAA')).toEqual(['::1']);
    expect(await sandbox.dig('x.invalid')).toContain('status: NXDOMAIN');
  });

  it('answer another version of EDNS, other classes and transfers with their codes', async () => {
    const sandbox = await world.sandbox('codes', { networks: ['front'] });
    expect(await sandbox.dig('+edns=1', '+noednsneg', 'web')).toContain('status: BADVERS');
    expect(await sandbox.dig('-c', 'CH', 'web', 'TXT')).toContain('status: REFUSED');
    expect(await sandbox.dig('+opcode=5', 'web')).toContain('status: NOTIMP');
    expect(await sandbox.dig('+dnssec', 'web')).toMatch(/EDNS: version: 0, flags: do; udp: 1232/);
    expect(await sandbox.dig('+noedns', 'web')).not.toContain('EDNS');
  });

  it('of links are for one sandbox, and follow their target', async () => {
    await world.network('late', {});
    const aliases = [{ alias: 'Base', network: 'late', name: 'postgres' }];
    const linked = await world.sandbox('linked', { networks: ['front', 'late'], aliases });
    const other = await world.sandbox('unlinked', { networks: ['front', 'late'] });
    expect(await linked.dig('base')).toContain('status: SERVFAIL');
    await world.client.ask({
      kind: 'change-network',
      change: {
        key: 'late',
        from: 'first',
        digest: 'second',
        set: [{ name: 'postgres', scope: null, ipv4: ['10.4.0.2'], ipv6: [] }],
        unset: [],
        setPointers: [{ address: '10.4.0.2', name: 'postgres.late' }],
        unsetPointers: [],
      },
    });
    expect(await linked.short('base')).toEqual(['10.4.0.2']);
    expect(await other.dig('base')).toContain('status: SERVFAIL');
    expect(await other.short('-x', '10.4.0.2')).toEqual(['postgres.late.']);
  });

  it('of a scope are found by those of it alone, before those of all', async () => {
    await world.client.ask({
      kind: 'set-network',
      network: {
        key: 'scopes',
        digest: 'first',
        labels: [
          { label: 'default', scope: 'blog' },
          { label: 'blog-default', scope: null },
        ],
        names: [
          { name: 'web', scope: 'blog', ipv4: ['10.5.0.2'], ipv6: [] },
          { name: 'web', scope: 'shop', ipv4: ['10.5.0.3'], ipv6: [] },
          { name: 'web', scope: null, ipv4: ['10.5.0.4'], ipv6: [] },
        ],
        pointers: [],
      },
    });
    const blog = await world.sandbox('blog', { networks: ['scopes'], scope: 'blog' });
    const none = await world.sandbox('none', { networks: ['scopes'] });
    expect(await blog.short('web')).toEqual(['10.5.0.2']);
    expect(await blog.short('web.default')).toEqual(['10.5.0.2']);
    expect(await none.short('web')).toEqual(['10.5.0.4']);
    expect(await none.short('web.blog-default')).toEqual(['10.5.0.4']);
    expect(await none.dig('web.default')).toContain('status: SERVFAIL');
  });

  it('change and go at once', async () => {
    await world.network('moving', { web: '10.6.0.2' });
    const sandbox = await world.sandbox('moving', { networks: ['moving'] });
    expect(await sandbox.short('web')).toEqual(['10.6.0.2']);
    await world.network('moving', { app: '10.6.0.2' });
    expect(await sandbox.dig('web')).toContain('status: SERVFAIL');
    expect(await sandbox.short('app')).toEqual(['10.6.0.2']);
    await world.client.ask({ kind: 'remove-network', key: 'moving' });
    expect(await sandbox.dig('app')).toContain('status: SERVFAIL');
  });

  it('are given by a process without privileges, in the namespace of the host', () => {
    const status = readFileSync(`/proc/${world.resolver.pid}/status`, 'utf8');
    expect(status).toMatch(new RegExp(`^Uid:\\s+${`${UNPRIVILEGED}\\s+`.repeat(3)}${UNPRIVILEGED}$`, 'm'));
    expect(status).toMatch(/^Groups:\s*$/m);
    for (const set of ['CapPrm', 'CapEff', 'CapInh', 'CapAmb'])
      expect(status).toMatch(new RegExp(`^${set}:\\s+0+$`, 'm'));
    for (const task of readdirSync(`/proc/${world.resolver.pid}/task`)) {
      const thread = readFileSync(`/proc/${world.resolver.pid}/task/${task}/status`, 'utf8');
      expect(thread).toMatch(/^NoNewPrivs:\s+1$/m);
      expect(thread).toMatch(/^Seccomp:\s+2$/m);
    }
    expect(readlinkSync(`/proc/${world.resolver.pid}/ns/net`)).toBe(readlinkSync('/proc/thread-self/ns/net'));
  });
});
