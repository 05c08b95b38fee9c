import { describe, expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { NetworkNames } from '../../../src/reconcile/names/network-names.ts';
import { MAX_PEERS, type Peer, PeerIndex, peerLines } from '../../../src/reconcile/names/peer-index.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';
import type { RecordWatcher } from '../../../src/state/containers/containers.ts';
import { buildHosts } from '../../../src/state/containers/hosts.ts';
import { namesAmiss, namesLeftOut } from '../../../src/supervisor/views/name-conditions.ts';
import { containerRecord } from '../../support/container-record.ts';
import { ManualTime } from '../../support/manual-time.ts';

const keyOf = (app: string, name: string) => `container/${app}/${name}` as ResourceKey;

let addresses = 2;
const peer = (app: string, name: string, more: Partial<Peer> = {}): Peer => ({
  key: keyOf(app, name),
  app,
  name,
  engineName: `${app}-${name}`,
  hostnames: [],
  bridge: 'br0',
  address: `10.0.0.${addresses++}`,
  ...more,
});

describe('lines of a hosts file', () => {
  const lines = (peers: readonly Peer[], app: string, taken: string[] = []) =>
    peerLines(
      peers.map((one, index) => ({ ...one, address: `10.0.0.${index + 2}` })),
      app,
      new Set(taken),
    );

  test('have short names of the own app, and engine names and host names of all', () => {
    const peers = [peer('shop', 'web', { hostnames: ['www.example.org', 'www'] }), peer('blog', 'db')];
    expect(lines(peers, 'shop')).toEqual(['10.0.0.2\tweb shop-web www.example.org www', '10.0.0.3\tblog-db']);
    expect(lines(peers, 'blog')).toEqual(['10.0.0.2\tshop-web www.example.org www', '10.0.0.3\tdb blog-db']);
  });

  test('leave existing names of a file and loopback names unchanged', () => {
    const peers = [peer('shop', 'web', { hostnames: ['localhost', 'gate'] }), peer('shop', 'db')];
    expect(lines(peers, 'shop', ['db', 'gate'])).toEqual(['10.0.0.2\tweb shop-web', '10.0.0.3\tshop-db']);
  });

  test('never let a host name hide a container name, and give it to the first of two', () => {
    const peers = [
      peer('shop', 'a', { hostnames: ['web'] }),
      peer('shop', 'b', { hostnames: ['node'] }),
      peer('shop', 'c', { hostnames: ['node'] }),
      peer('shop', 'web'),
    ];
    expect(lines(peers, 'shop')).toEqual([
      '10.0.0.2\ta shop-a',
      '10.0.0.3\tb shop-b node',
      '10.0.0.4\tc shop-c',
      '10.0.0.5\tweb shop-web',
    ]);
  });

  test('prefer a short name of the own app over the engine name of another', () => {
    const peers = [peer('a', 'b-c'), peer('b', 'c', { engineName: 'b-c' })];
    expect(lines(peers, 'a')).toEqual(['10.0.0.2\tb-c a-b-c']);
  });
});

describe('of a large network', () => {
  const index = new PeerIndex();
  for (let n = 0; n < 300; n++) index.add(peer('many', `c${String(n).padStart(3, '0')}`, { address: `10.1.0.${n}` }));
  for (const name of ['x', 'y']) index.add(peer('zoo', name));

  test('list the own app first, then others by name, up to a limit', () => {
    const found = index.of('br0', 'zoo', keyOf('zoo', 'x'));
    expect(found).toHaveLength(MAX_PEERS + 1);
    expect(found.slice(0, 3).map(({ key }) => key)).toEqual([
      keyOf('zoo', 'x'),
      keyOf('zoo', 'y'),
      keyOf('many', 'c000'),
    ]);
    expect(index.leftOut('br0')).toBe(302 - 1 - MAX_PEERS);
  });

  test('include the container of the file', () => {
    const last = index.of('br0', 'many', keyOf('many', 'c299'));
    expect(last).toHaveLength(MAX_PEERS + 1);
    expect(last.at(-1)?.key).toBe(keyOf('many', 'c299'));
  });

  test('free the place of a removed container, without effect on other networks', () => {
    const all = index.of('br0', 'many', keyOf('many', 'c000'));
    for (const one of all.slice(0, 46)) index.remove(one);
    expect(index.leftOut('br0')).toBe(0);
    expect(index.of('br1', 'many', keyOf('many', 'c100'))).toEqual([]);
  });
});

/** A store in memory that counts what is written. */
class Files {
  readonly records = new Map<string, ContainerRecord>();
  readonly texts = new Map<string, string>();
  readonly writes = new Map<string, number>();
  failing = false;
  damagedIds: readonly string[] = [];
  #watcher: RecordWatcher | null = null;

  all = () => [...this.records.values()];
  get = (id: string) => this.records.get(id);
  readText = (id: string) => this.texts.get(id) ?? null;
  watch = (watcher: RecordWatcher) => {
    this.#watcher = watcher;
  };
  writeText = (id: string, _file: string, text: string) => {
    if (this.failing) throw Object.assign(new Error('no space'), { code: 'ENOSPC', errno: -28 });
    this.texts.set(id, text);
    this.writes.set(id, (this.writes.get(id) ?? 0) + 1);
    this.#watcher?.textWritten(id);
  };

  put(n: number, change: Partial<ContainerRecord> = {}): string {
    const id = String(n).padStart(64, '0');
    const written = { image: 'x', hostname: null, domainname: '' };
    const owner = {
      key: keyOf('app', `c${n}`),
      written,
      schemaVersion: 1,
      specHash: '',
      contentHashes: {},
      generation: 1,
    };
    const network = {
      address: `10.2.${n >> 8}.${n & 255}`,
      prefixLength: 16,
      mac: '',
      gateway: '10.2.0.1',
      bridge: 'br0',
      ports: [],
      exposed: [],
    };
    this.records.set(id, containerRecord({ id, owner, engineName: `app-c${n}`, network, run: 1, ...change }));
    this.#watcher?.recordChanged(id);
    return id;
  }
}

function started() {
  const time = new ManualTime();
  const files = new Files();
  const problems: string[] = [];
  const names = new NetworkNames({
    containers: files as never,
    clock: time,
    timers: time,
    onProblem: (text) => problems.push(text),
    unread: () => [],
  });
  return { time, files, names, problems };
}

describe('files of running containers', () => {
  test('are written once for several changes, and never without a change', async () => {
    const { time, files, names } = started();
    names.begin();
    for (let n = 1; n <= 200; n++) {
      const id = files.put(n);
      files.texts.set(
        id,
        buildHosts({ addresses: [], hostname: 'x', domainname: '', links: [], extraHosts: [], hostGateway: [] }),
      );
    }
    await time.advance(1_000);
    expect([...files.writes.values()].every((count) => count === 1)).toBe(true);
    expect(files.writes.size).toBe(200);
    files.put(7);
    await time.advance(1_000);
    expect(files.writes.get('1'.padStart(64, '0'))).toBe(1);
  });

  test('that cannot list their whole network are known, and why says so', () => {
    const { files, names } = started();
    const ids = Array.from({ length: MAX_PEERS + 5 }, (_, n) => files.put(n + 1));
    expect(names.leftOut(ids[0] ?? '')).toBe(4);
    const [condition] = namesLeftOut(names.leftOut(ids[0] ?? ''));
    expect(condition).toMatchObject({ type: 'NamesLeftOut', reason: 'TooManyPeers' });
    expect(namesAmiss(condition ? [condition] : [])).toEqual([
      '/etc/hosts names 256 others of its network, its own app first; 4 more are left out: link those that it needs',
    ]);
    expect(namesLeftOut(0)).toEqual([]);
    names.begin();
    names.renew();
    expect(
      files.texts
        .get(ids.at(-1) ?? '')
        ?.split('\n')
        .filter((line) => /\tc\d+ /.test(line)),
    ).toHaveLength(MAX_PEERS + 1);
  });

  test('are not written before adoption or after the end', async () => {
    const { time, files, names } = started();
    files.put(1);
    await time.advance(1_000);
    expect(files.writes.size).toBe(0);
    names.begin();
    names.end();
    await time.advance(1_000);
    names.renew();
    expect(files.writes.size).toBe(0);
  });

  test('are retried after a full disk, which is reported once', async () => {
    const { time, files, names, problems } = started();
    names.begin();
    files.failing = true;
    const id = files.put(1);
    await time.advance(20_000);
    expect(problems).toHaveLength(1);
    expect(problems[0]).toContain('names for app-c1');
    files.failing = false;
    await time.advance(20_000);
    expect(files.texts.get(id)).toContain('10.2.0.1\tc1 app-c1');
  });

  test('follow a moved name at once during a cut-over', () => {
    const { files, names } = started();
    names.begin();
    const [one, two] = [files.put(1), files.put(2)];
    names.renew();
    const moved = files.records.get(two) as ContainerRecord;
    files.put(2, { network: { ...(moved.network as NonNullable<typeof moved.network>), address: '10.2.0.77' } });
    names.renew();
    expect(files.texts.get(one)).toContain('10.2.0.77\tc2 app-c2');
  });
});
