import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OpFailureCache } from '../../../src/reconcile/op-failure-cache.ts';
import { type History, openHistory } from '../../../src/state/history/history.ts';
import type { LeaseChange } from '../../../src/state/history/lease-store.ts';
import { MIGRATIONS, migrate } from '../../../src/state/history/migrations.ts';
import { DEFAULT_RETENTION } from '../../../src/state/history/prune.ts';
import { temporaryDirectories } from '../../support/temp-root.ts';

const directory = temporaryDirectories('history');
const opened: History[] = [];
afterEach(() => {
  for (const history of opened.splice(0)) history.close();
});

let path = '';
let history: History;
function open(): History {
  const made = openHistory(path);
  opened.push(made);
  return made;
}
beforeEach(() => {
  path = join(directory(), 'history.db');
  history = open();
});
function reopen(): History {
  opened.pop()?.close();
  history = open();
  return history;
}

const NO_PINS = { apps: {}, images: {}, content: {} };
const NO_CHANGES = { files: [], resources: [] };
const source = (text: string, origin = '/m/blog.yaml') => ({ kind: 'watched', origin, baseDir: '/m', text }) as const;

describe('sources and generations', () => {
  it('stores each text once and counts its revisions', () => {
    const first = history.sources.record(source('a'), 1);
    expect(history.sources.record(source('a'), 2)).toEqual(first);
    expect(history.sources.record(source('b'), 3)).toMatchObject({ revision: 2, text: 'b', recordedAtMs: 3 });
    expect(history.sources.record(source('a'), 4)).toMatchObject({ revision: 3, sha256: first.sha256 });
    expect(history.sources.latest('applied', '/m/blog.yaml')).toBeNull();
  });

  it('restores the current generation and its texts after a restart', () => {
    const { id } = history.sources.record(source('a'), 1);
    const pins = {
      apps: { blog: { generation: 1, reason: 'web did not become ready', sources: [] } },
      images: { 'image/blog/app': 'x' },
      content: {},
    };
    history.generations.append({ cause: 'first', createdAtMs: 5, pins: NO_PINS, changes: NO_CHANGES }, [id]);
    const second = history.generations.append(
      { cause: 'edited blog.yaml', createdAtMs: 6, pins, changes: NO_CHANGES },
      [history.sources.record(source('b'), 6).id],
    );
    const again = reopen();
    expect(again.generations.current()).toEqual(second);
    expect(again.generations.currentNumber()).toBe(second.n);
    expect(again.sources.ofGeneration(1).map(({ text }) => text)).toEqual(['a']);
    expect(again.sources.ofGeneration(second.n).map(({ text }) => text)).toEqual(['b']);
  });

  it('saves nothing of a failed generation', () => {
    expect(() =>
      history.generations.append({ cause: 'x', createdAtMs: 1, pins: NO_PINS, changes: NO_CHANGES }, [999]),
    ).toThrow();
    expect(history.generations.current()).toBeNull();
    expect(history.generations.currentNumber()).toBe(0);
  });

  it('keeps the current number of a generation that was rolled back', () => {
    const append = () =>
      history.generations.append({ cause: 'x', createdAtMs: 1, pins: NO_PINS, changes: NO_CHANGES }, []);
    append();
    expect(history.generations.currentNumber()).toBe(1);
    const seen: number[] = [];
    expect(() =>
      history.durable(() => {
        append();
        seen.push(history.generations.currentNumber());
        throw new Error('taken back');
      }),
    ).toThrow('taken back');
    expect([...seen, history.generations.currentNumber()]).toEqual([2, 1]);
    history.durable(() => {
      append();
      const last = history.generations.currentNumber();
      expect(() =>
        history.durable(() => {
          append();
          throw new Error('taken back');
        }),
      ).toThrow('taken back');
      expect(history.generations.currentNumber()).toBe(last);
    });
    expect(history.generations.currentNumber()).toBe(history.generations.current()?.n);
  });

  it('drops old ones, but not those that the current one is pinned to', () => {
    for (let n = 1; n <= 6; n++) {
      const pins = { ...NO_PINS, apps: n === 6 ? { blog: { generation: 2, reason: 'held', sources: [] } } : {} };
      history.durable(() => {
        const { id } = history.sources.record(source(`text ${n}`), n);
        history.generations.append({ cause: 'edit', createdAtMs: n, pins, changes: NO_CHANGES }, [id]);
      });
    }
    history.prune({ ...DEFAULT_RETENTION, generations: 2, ops: 10 });
    expect(history.generations.list(10).map(({ n }) => n)).toEqual([6, 5, 2]);
    expect(history.sources.ofGeneration(2).map(({ text }) => text)).toEqual(['text 2']);
    expect(history.sources.record(source('text 7'), 7).revision).toBe(7);
    const database = new Database(path, { readonly: true });
    const texts = database.prepare('SELECT text FROM texts ORDER BY text').pluck().all();
    database.close();
    expect(texts).toEqual(['text 2', 'text 5', 'text 6', 'text 7']);
  });
});

describe('timeline', () => {
  const draft = {
    atMs: 1,
    kind: 'exit',
    key: 'container/blog/web',
    generation: 3,
    what: 'exited',
    ok: false,
    cause: 'run 2',
    message: 'exited with 3',
    source: { file: '/m/blog.yaml', line: 4, column: 3 },
    run: 2,
    log: ['no database'],
  } as const;

  it('returns entries unchanged, by resource and in order', () => {
    history.timeline.append(draft);
    history.timeline.append({ ...draft, key: null, kind: 'edit', atMs: 5, source: null, run: null, log: [] });
    const again = reopen();
    expect(again.timeline.ofKey('container/blog/web', 10)).toEqual([{ ...draft, id: 1 }]);
    expect(again.timeline.after(0, 0, 10).map(({ id, key, ok, log }) => [id, key, ok, log])).toEqual([
      [1, 'container/blog/web', false, ['no database']],
      [2, null, false, []],
    ]);
    expect(again.timeline.after(0, 2, 10)).toHaveLength(1);
    expect(again.timeline.after(2, 0, 10)).toEqual([]);
    expect(again.timeline.lastId()).toBe(2);
    expect([2, 3].map((run) => again.timeline.hasExit('container/blog/web', run, 0))).toEqual([true, false]);
    // Run 2 of a container that was made after that end.
    expect(again.timeline.hasExit('container/blog/web', 2, 2)).toBe(false);
  });

  it('keeps which container it was, and of which image', () => {
    const container = { id: 'c'.repeat(64), image: 'busybox:latest' };
    history.timeline.append({ ...draft, container });
    history.timeline.append(draft);
    const again = reopen();
    expect(again.timeline.ofKey('container/blog/web', 10).map((entry) => entry.container)).toEqual([
      undefined,
      container,
    ]);
    expect(again.timeline.imageOf('container/blog/web', container.id)).toBe('busybox:latest');
    expect(again.timeline.imageOf('container/blog/web', 'other')).toBeUndefined();
  });

  it('queues writes behind another writer without blocking', () => {
    const other = new Database(path);
    other.exec('BEGIN EXCLUSIVE');
    expect(() => history.timeline.append(draft)).toThrow(/locked/);
    history.timeline.note(draft);
    other.exec('COMMIT');
    other.close();
    history.timeline.note({ ...draft, run: 3 });
    expect(history.timeline.after(0, 0, 10).map(({ run }) => run)).toEqual([2, 3]);
  });

  it('cuts texts that are too long', () => {
    history.timeline.append({ ...draft, message: 'x'.repeat(5000) });
    expect(history.timeline.ofKey('container/blog/web', 1)[0]?.message).toHaveLength(1000);
  });

  it('keeps the latest entries of a container in a restart loop', () => {
    history.timeline.append({ ...draft, kind: 'op', what: 'container.create' });
    for (let n = 0; n < 50; n++) history.timeline.append({ ...draft, kind: n % 2 === 0 ? 'start' : 'exit' });
    history.prune({ ...DEFAULT_RETENTION, timelineOfOne: 10 });
    const kinds = history.timeline.ofKey('container/blog/web', 100).map(({ kind }) => kind);
    expect([kinds.length, kinds.at(-1)]).toEqual([11, 'op']);
  });

  it('is bounded for each resource', () => {
    history.timeline.append({ ...draft, key: 'container/blog/db' });
    for (let n = 0; n < 50; n++) history.timeline.append(draft);
    history.prune({ ...DEFAULT_RETENTION, timelineOfOne: 10 });
    expect(history.timeline.ofKey('container/blog/web', 100).map(({ id }) => id)).toEqual(
      Array.from({ length: 10 }, (_, index) => 51 - index),
    );
    expect(history.timeline.ofKey('container/blog/db', 100)).toHaveLength(1);
    history.prune({ ...DEFAULT_RETENTION, timeline: 4 });
    expect(history.timeline.after(0, 0, 100)).toHaveLength(4);
  });
});

describe('journal', () => {
  const start = {
    reconcileId: 'r1',
    opId: 'start web',
    op: 'container.start',
    key: 'container/blog/web',
    cause: 'declared',
  } as const;
  const error = { code: 'TSD_SYSCALL', class: 'unavailable', message: 'm', hint: 'h', errno: 5 } as const;

  it('lists how ops ended, newest first', () => {
    history.journal.end(history.journal.begin(start, 1), 'failed', error, 2);
    const second = history.journal.begin({ ...start, key: 'container/blog/db' }, 3);
    history.journal.end(second, 'succeeded', null, 4);
    history.journal.end(second, 'failed', error, 5);
    expect(history.journal.recent(10)).toMatchObject([
      { key: 'container/blog/db', status: 'succeeded', startedAtMs: 3, endedAtMs: 4, error: null },
      { ...start, status: 'failed', error },
    ]);
    expect(history.journal.ofKey('container/blog/web', 10)).toHaveLength(1);
  });

  it('names unfinished ops of a dead supervisor, once', () => {
    history.journal.begin(start, 1);
    const again = reopen();
    expect(again.journal.interruptUnfinished(9)).toMatchObject([{ ...start, status: 'running' }]);
    expect(again.journal.interruptUnfinished(9)).toEqual([]);
    expect(again.journal.recent(1)).toMatchObject([{ status: 'interrupted', endedAtMs: 9 }]);
  });

  it('is bounded', () => {
    for (let n = 0; n < 20; n++) history.journal.end(history.journal.begin(start, n), 'succeeded', null, n);
    const running = history.journal.begin(start, 20);
    for (let n = 0; n < 20; n++) history.journal.end(history.journal.begin(start, n), 'succeeded', null, n);
    history.prune({ ...DEFAULT_RETENTION, ops: 5 });
    expect(history.journal.recent(100)).toHaveLength(6);
    expect(history.journal.recent(100).map(({ id }) => id)).toContain(running);
  });
});

describe('leases', () => {
  const network = 'network/blog/back';
  const web = 'container/blog/web';
  const db = 'container/blog/db';

  const write = (change: Partial<LeaseChange>): void => {
    const nothing = { containers: [], addresses: [], ports: [], last: [], goneNetworks: [] };
    history.leases.write({ ...nothing, ...change });
  };

  it('keep an address until its release, and remember the last allocation', () => {
    const lease = (address: string) => ({ network, container: web, address });
    write({ containers: [web], addresses: [lease('10.80.0.2')], last: [{ network, address: '10.80.0.2' }] });
    write({ containers: [web], addresses: [lease('10.80.0.3')], last: [{ network, address: '10.80.0.3' }] });
    expect(reopen().leases.addresses()).toEqual([lease('10.80.0.3')]);
    write({ containers: [web] });
    expect([history.leases.addresses(), history.leases.lastAddress(network, 'ipv4')]).toEqual([[], '10.80.0.3']);
    write({ containers: [web], addresses: [lease('10.80.0.4')] });
    write({ goneNetworks: [network] });
    expect([history.leases.addresses(), history.leases.lastAddress(network, 'ipv4')]).toEqual([[], null]);
  });

  it.each(['tcp', 'udp', 'sctp'] as const)('keep a port of %s', (protocol) => {
    const port = { container: web, containerPort: 80, protocol, hostIp: '0.0.0.0', hostPort: 49153 };
    write({ containers: [web], ports: [port] });
    expect(reopen().leases.ports()).toEqual([port]);
  });

  it('give an address to one owner only: the latest', () => {
    const port = { containerPort: 80, protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 49153 } as const;
    for (const container of [web, db]) {
      const addresses = [{ network, container, address: '10.80.0.2' }];
      write({ containers: [container], addresses, ports: [{ container, ...port }] });
    }
    expect(history.leases.ports()).toEqual([{ container: db, ...port }]);
    expect(history.leases.addresses()).toEqual([{ network, container: db, address: '10.80.0.2' }]);
  });
});

describe('resources, failures, approvals', () => {
  it('survive a restart', () => {
    const networkRecord = {
      key: 'network/blog/back',
      specHash: 'h',
      written: { internal: true },
      schemaVersion: 1,
      driver: 'bridge',
      interfaceName: 'tsdbr1',
      ipv4: null,
      ipv6: { subnet: 'fd12:3456:789a:1::/64', gateway: 'fd12:3456:789a:1::1' },
      defaults: { ipv6: true, metadata: false, directAccess: false },
    } as const;
    const binding = {
      key: 'image/blog/app',
      specHash: 'h',
      imageId: 'i',
      sourceFingerprint: 'f',
      bases: { 'image/blog/base': 'b' },
    } as const;
    const failure = {
      key: 'image/blog/app',
      op: 'image.load',
      class: 'precondition',
      message: 'm',
      hint: 'Mend it.',
      specHash: 'h',
      attempts: 3,
      retryAtBootMs: 12.5,
      bootId: 'b',
    } as const;
    history.resources.setNetwork(networkRecord);
    history.resources.setImage(binding);
    history.failures.set(failure);
    history.approvals.grant('volume/blog/data', 1);
    const again = reopen();
    expect(again.resources.networks()).toEqual([networkRecord]);
    expect(again.resources.images()).toEqual([binding]);
    expect(again.failures.all()).toEqual([failure]);
    expect(again.approvals.all()).toEqual(new Set(['volume/blog/data']));
    again.resources.removeNetwork('network/blog/back');
    again.resources.removeImage('image/blog/app');
    again.failures.clear('image/blog/app');
    again.approvals.withdraw('volume/blog/data');
    expect([
      again.resources.networks(),
      again.resources.images(),
      again.failures.all(),
      again.approvals.all().size,
    ]).toEqual([[], [], [], 0]);
  });
});

describe('schema', () => {
  it('1 creates every table in an empty database', () => {
    const database = new Database(':memory:');
    migrate(database, MIGRATIONS.slice(0, 1));
    const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").pluck().all();
    database.close();
    expect(tables.filter((name) => name !== 'sqlite_sequence')).toEqual([
      'address_cursors',
      'address_leases',
      'approvals',
      'failures',
      'generation_sources',
      'generations',
      'images',
      'networks',
      'ops',
      'port_leases',
      'source_revisions',
      'texts',
    ]);
  });

  it('2 keeps the generations that 1 wrote', () => {
    const database = new Database(':memory:');
    migrate(database, MIGRATIONS.slice(0, 1));
    database.exec("INSERT INTO generations (created_at, cause, pins) VALUES (5, 'first', '{}')");
    migrate(database, MIGRATIONS.slice(0, 2));
    expect(database.prepare('SELECT n, created_at, cause, changes FROM generations').get()).toEqual({
      n: 1,
      created_at: 5,
      cause: 'first',
      changes: '{"files":[],"resources":[]}',
    });
    database.close();
  });

  it('7 keeps the failures that 6 wrote', () => {
    opened.pop()?.close();
    const database = new Database(`${path}-6`);
    migrate(database, MIGRATIONS.slice(0, 6));
    database.exec("INSERT INTO failures VALUES ('image/blog/app', 'precondition', 'm', 'h', 3, 12.5, 'b')");
    database.close();
    path = `${path}-6`;
    const book = new OpFailureCache(open().failures, 'b');
    const failure = { class: 'precondition', message: 'm', specHash: 'h', attempts: 3, retryAtBootMs: 12.5 };
    expect(book.get('image/blog/app')).toEqual(failure);
    book.record('container/blog/web', { ...failure, op: 'container.remove' });
    book.record('container/blog/db', failure);
    const again = new OpFailureCache(reopen().failures, 'b');
    expect(again.all()).toEqual(book.all());
  });

  it('12 keeps networks as they were: a bridge with IPv4, metadata reachable, and routed to as before', () => {
    opened.pop()?.close();
    const database = new Database(`${path}-11`);
    migrate(database, MIGRATIONS.slice(0, 11));
    database.exec(
      "INSERT INTO networks VALUES ('network/blog/back', 'h', '{\"icc\":false}', 1, 'tsdbr1', '10.80.0.0/24', '10.80.0.1')",
    );
    database.close();
    path = `${path}-11`;
    const history = open();
    const kept = {
      key: 'network/blog/back',
      specHash: 'h',
      written: { icc: false },
      schemaVersion: 1,
      driver: 'bridge',
      interfaceName: 'tsdbr1',
      ipv4: { subnet: '10.80.0.0/24', gateway: '10.80.0.1' },
      ipv6: null,
      defaults: { ipv6: false, metadata: true, directAccess: false },
    } as const;
    expect(history.resources.networks()).toEqual([kept]);
    const other = { ...kept, key: 'network/blog/front', interfaceName: 'tsdbr2', ipv4: null } as const;
    history.resources.setNetwork(other);
    expect(history.resources.networks()).toEqual([kept, other]);
  });

  it('runs only the missing steps, each atomically', () => {
    const database = new Database(':memory:');
    const first = 'CREATE TABLE one (x)';
    migrate(database, [first]);
    expect(() => migrate(database, [first, 'CREATE TABLE two (x); CREATE TABLE two (x)'])).toThrow('already exists');
    expect(database.pragma('user_version', { simple: true })).toBe(1);
    migrate(database, [first, 'CREATE TABLE two (x)']);
    expect(database.pragma('user_version', { simple: true })).toBe(2);
    database.close();
  });

  it('of a later tsdocker is refused and not changed', () => {
    opened.pop()?.close();
    const database = new Database(path);
    database.pragma('user_version = 99');
    database.close();
    expect(() => openHistory(path)).toThrow(expect.objectContaining({ code: 'TSD_VERSION_MISMATCH' }));
  });

  it('in a damaged file is recreated, and the file is kept aside', () => {
    opened.pop()?.close();
    writeFileSync(path, 'garbage '.repeat(1000));
    const again = open();
    expect(again.generations.current()).toBeNull();
    expect(again.issues).toMatchObject([{ path: `${path}.damaged-1` }]);
  });
});
