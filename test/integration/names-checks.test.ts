/**
 * What programs in containers find by dig and by getaddrinfo of two libcs: with a supervisor, without one, and after the
 * resolver was killed. The host's servers are stubs at addresses of its loopback, which only its own namespace reaches.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { buildProbes } from '../support/libc-probe.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { inNetworkOf } from '../support/names.ts';
import { type Asked, addressOf, replyTo, StubServer, withCode } from '../support/resolver/stub-server.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const run = promisify(execFile);

const OWN = `127.53.${1 + (process.pid % 250)}`;
const [FIRST, SECOND, LATER] = [`${OWN}.1`, `${OWN}.2`, `${OWN}.3`];
const [NXDOMAIN, REFUSED] = [3, 5];
const MANY = Array.from({ length: 60 }, (_, index) => `192.0.2.${index + 1}`);

let directory: string;
let supervisor: TestSupervisor;
const stubs: StubServer[] = [];

const nameIn = ({ packet }: Asked): string => packet.questions?.[0]?.name ?? '';

/** Silent or refusing for some names; it has more addresses of one than a datagram holds. */
function first(asked: Asked): readonly Buffer[] {
  const name = nameIn(asked);
  if (name === 'silent.test') return [];
  if (name === 'refused.test') return [withCode(asked, REFUSED)];
  if (name !== 'many.test') return [addressOf(asked, '192.0.2.1')];
  return asked.transport === 'tcp' ? [addressOf(asked, ...MANY)] : [replyTo(asked, { flags: 0x0380 })];
}

/** Knows names with a domain alone, so that a search list is gone through. */
function known(asked: Asked): readonly Buffer[] {
  return [nameIn(asked).includes('.') ? addressOf(asked, '192.0.2.77') : withCode(asked, NXDOMAIN)];
}

function serve(address: string, answer: ConstructorParameters<typeof StubServer>[1]): StubServer {
  const stub = new StubServer(address, answer);
  stubs.push(stub);
  return stub;
}

const resolvConf = () => join(directory, 'host-resolv.conf');

const OWN_HOST = 'mount --bind "$HOST_RESOLV" /etc/resolv.conf; exec "$0" "$@"';

async function supervise(flags: readonly string[] = []): Promise<void> {
  writeFileSync(resolvConf(), `nameserver ${FIRST}\nnameserver ${SECOND}\n`);
  const launcher = ['unshare', '-m', 'env', `HOST_RESOLV=${resolvConf()}`, 'sh', '-ec', OWN_HOST];
  supervisor = await new TestSupervisor(flags, launcher).start();
}

beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'tsd-names-'));
  buildProbes(directory);
  writeFileSync(join(directory, 'nsswitch.conf'), 'hosts: files dns\n');
});

afterEach(async () => {
  for (const stub of stubs.splice(0)) stub.close();
  await supervisor.destroy();
});

afterAll(() => rmSync(directory, { recursive: true, force: true }));

async function ready(name: string) {
  const view = await supervisor.waitFor(name, 'ready', (found) => found.ready);
  return { id: view.id, pid: view.pid ?? 0, address: view.address ?? '' };
}

type Container = Awaited<ReturnType<typeof ready>>;

const lines = (text: string): string[] => text.split('\n').filter((line) => line !== '');

/** In the namespace of a container, with its own /etc/resolv.conf and /etc/hosts. */
async function within({ id, pid }: Container, ...command: readonly string[]): Promise<string> {
  const own = (file: string) => `mount --bind ${join(supervisor.root, 'containers', id, file)} /etc/${file}`;
  const nsswitch = `mount --bind ${directory}/nsswitch.conf /etc/nsswitch.conf`;
  const script = `${own('resolv.conf')}; ${own('hosts')}; ${nsswitch}; exec "$0" "$@"`;
  const enter = ['-t', String(pid), '-n', 'unshare', '--mount', 'sh', '-ec', script, ...command];
  return (await run('nsenter', enter)).stdout;
}

const dig = (at: Container, ...question: readonly string[]) => within(at, 'dig', '+tries=1', '+time=20', ...question);
const short = async (at: Container, ...question: readonly string[]) => lines(await dig(at, '+short', ...question));
const byLibc = async (libc: string, at: Container, ...asked: readonly string[]) =>
  lines(await within(at, join(directory, libc), ...asked)).sort();

/** What is asked for, and what comes. */
interface Check {
  readonly what: string;
  readonly ask: () => Promise<unknown>;
  readonly answer: unknown;
}

async function holds(checks: readonly Check[], when: string): Promise<void> {
  const found = await Promise.all(checks.map(async ({ what, ask }) => [what, await ask()]));
  expect({ when, ...Object.fromEntries(found) }).toEqual({
    when,
    ...Object.fromEntries(checks.map(({ what, answer }) => [what, answer])),
  });
}

const APP = `${BUSYBOX_IMAGE}networks:
  front: { ipv6: false }
  inner: { internal: true, ipv6: false }
  six: { ipv4: false, ipv6: true }
containers:
  web: { image: busybox, command: ${FOREVER}, network: front }
  one: { image: busybox, command: ${FOREVER}, networks: { front: { aliases: [pool] } } }
  two: { image: busybox, command: ${FOREVER}, networks: { front: { aliases: [pool] } } }
  three: { image: busybox, command: ${FOREVER}, networks: { front: { aliases: [pool] } } }
  server: { image: busybox, command: ${FOREVER}, network: front }
  inside: { image: busybox, command: ${FOREVER}, network: inner }
  peer: { image: busybox, command: ${FOREVER}, network: inner }
  asker6: { image: busybox, command: ${FOREVER}, network: six }
  peer6: { image: busybox, command: ${FOREVER}, network: six }
`;

/** What harms a resolver that trusts what it reads: noise, a pointer to itself, and half a frame by TCP. */
const HOSTILE = `
import os, socket
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
for n in range(50): s.sendto(os.urandom(n + 1), ('127.0.0.11', 53))
s.sendto(b'\\x00\\x01\\x01\\x00\\x00\\x01\\x00\\x00\\x00\\x00\\x00\\x00\\xc0\\x0c\\x00\\x01\\x00\\x01', ('127.0.0.11', 53))
t = socket.create_connection(('127.0.0.11', 53)); t.sendall(b'\\x00\\x40\\x00\\x01')
print('sent')
`;

test('the checks of names: with a supervisor, without one, and after the resolver was killed', async () => {
  serve(FIRST, first);
  serve(SECOND, (asked) => [addressOf(asked, '192.0.2.2')]);
  await supervise();
  supervisor.drop('app.yaml', APP);
  const [web, server, inside, peer] = [
    await ready('web'),
    await ready('server'),
    await ready('inside'),
    await ready('peer'),
  ];
  const asker6 = await ready('asker6');
  await ready('peer6');
  const pool = [(await ready('one')).address, (await ready('two')).address, (await ready('three')).address].sort();
  supervisor.drop(
    'chained.yaml',
    `${BUSYBOX_IMAGE}containers:
  chained: { image: busybox, command: ${FOREVER}, network: app/front, dns: ${server.address}, dnsSearch: [inner.test] }
`,
  );
  const chained = await ready('chained');
  const asked = inNetworkOf(server.pid, () => serve(server.address, known));
  const address6 = (await supervisor.container('peer6'))?.endpoints?.[0]?.ipv6?.split('/')[0] ?? '';
  expect(address6).toContain('::');
  const libcs = ['glibc', 'musl'];
  const reverse = web.address.split('.').reverse().join('.');
  const checks: readonly Check[] = [
    ...libcs.flatMap((libc): Check[] => [
      { what: `1 a peer, ${libc}`, ask: () => byLibc(libc, server, 'any', 'web'), answer: [web.address] },
      { what: `4 a name of IPv4 alone, ${libc}`, ask: () => byLibc(libc, server, '4', 'web'), answer: [web.address] },
      { what: `6 a name outside, ${libc}`, ask: () => byLibc(libc, web, '4', 'out.test'), answer: ['192.0.2.1'] },
      { what: `12 inside, a peer, ${libc}`, ask: () => byLibc(libc, inside, '4', 'peer'), answer: [peer.address] },
      { what: `13 IPv6 alone, ${libc}`, ask: () => byLibc(libc, asker6, 'any', 'peer6'), answer: [address6] },
    ]),
    {
      what: '2 an alias of three',
      ask: async () => {
        const answers = await Promise.all(Array.from({ length: 20 }, () => short(web, 'pool')));
        const sets = new Set(answers.map((each) => [...each].sort().join()));
        return { sets: [...sets], varies: new Set(answers.map((each) => each.join())).size > 1 };
      },
      answer: { sets: [pool.join()], varies: true },
    },
    { what: '3 name.network', ask: () => short(server, 'web.front'), answer: [web.address] },
    { what: '3 a name of another network', ask: () => short(web, 'peer'), answer: ['192.0.2.1'] },
    {
      what: '4 AAAA of a name of IPv4 alone',
      ask: async () => /status: (\w+).*ANSWER: (\d+)/s.exec(await dig(server, 'web', 'AAAA'))?.slice(1),
      answer: ['NOERROR', '0'],
    },
    { what: '5 PTR', ask: () => short(server, `${reverse}.in-addr.arpa`, 'PTR'), answer: ['app-web.app-front.'] },
    { what: '7 a container as server', ask: () => short(chained, 'out.test'), answer: ['192.0.2.77'] },
    { what: '7 its search domain', ask: () => byLibc('glibc', chained, '4', 'word'), answer: ['192.0.2.77'] },
    { what: '8 the first refuses', ask: () => short(web, 'refused.test'), answer: ['192.0.2.2'] },
    { what: '8 the first is silent', ask: () => short(web, 'silent.test'), answer: ['192.0.2.2'] },
    {
      what: '9 more than a datagram holds',
      ask: async () => [
        (await dig(web, '+noedns', '+ignore', 'many.test')).includes(' tc '),
        (await short(web, '+noedns', 'many.test')).length,
      ],
      answer: [true, MANY.length],
    },
    {
      what: '10 noise, and others are answered',
      ask: async () => [await within(web, 'python3', '-c', HOSTILE), await short(server, 'web')],
      answer: ['sent\n', [web.address]],
    },
    {
      what: '12 inside, a name outside',
      ask: async () => (await dig(inside, 'out.test')).includes('status: SERVFAIL'),
      answer: true,
    },
  ];
  await until('names of all', async () => (await short(asker6, 'peer6', 'AAAA'))[0] === address6);
  await holds(checks, 'with a supervisor');
  expect(asked.names).toEqual(expect.arrayContaining(['out.test', 'word.inner.test']));
  const [before = 0] = supervisor.resolvers();
  await supervisor.crash();
  await holds(checks, 'without a supervisor');
  await supervisor.start();
  await holds(checks, 'with the next supervisor');
  expect(supervisor.resolvers()).toEqual([before]);
  process.kill(before, 'SIGKILL');
  await until('another resolver', () => supervisor.resolvers().some((pid) => pid !== before));
  await until('it answers', async () => (await short(asker6, 'peer6', 'AAAA').catch(() => []))[0] === address6);
  await holds(checks, 'after the resolver was killed');
}, 180_000);

test('names follow what changes live: aliases, links, names, networks, and what stops', async () => {
  serve(FIRST, first);
  await supervise();
  const declare = (changes: { asker?: string; db?: string; name?: string }) =>
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}networks: { back: { ipv6: false, internal: true }, front: { ipv6: false } }
containers:
  ${changes.name ?? 'db'}: { image: busybox, command: ${FOREVER}, ${changes.db ?? 'network: back'} }
  other: { image: busybox, command: ${FOREVER}, networks: { back: { aliases: [pool] } } }
  asker: { image: busybox, command: ${FOREVER}, ${changes.asker ?? 'network: back'} }
`,
    );
  declare({});
  const [asker, db, other] = [await ready('asker'), await ready('db'), await ready('other')];
  const leads = (name: string, ...addresses: readonly string[]) =>
    until(`${name} leads to ${addresses}`, async () => {
      const found = (await short(asker, name)).sort();
      return found.join() === [...addresses].sort().join();
    });
  await leads('db', db.address);
  expect(await dig(asker, 'out.test')).toContain('status: SERVFAIL');
  declare({ db: 'networks: { back: { aliases: [pool, store] } }' });
  await leads('store', db.address);
  await leads('pool', db.address, other.address);
  declare({ db: 'networks: { back: { aliases: [pool] } }' });
  await leads('store');
  await supervisor.ok('stop', 'other');
  await leads('pool', db.address);
  // An outer network brings names outside, and the peers stay.
  declare({ asker: 'networks: [back, front]', db: 'networks: { back: { aliases: [pool] } }' });
  await leads('out.test', '192.0.2.1');
  await leads('db', db.address);
  declare({ asker: 'networks: [front]', db: 'networks: { back: { aliases: [pool] } }' });
  // Another network's names are unknown; the host's servers are asked.
  await leads('db', '192.0.2.1');
  declare({ asker: 'networks: [back]', db: 'networks: { back: { aliases: [pool] } }' });
  await leads('db', db.address);
  expect((await ready('asker')).pid).toBe(asker.pid);
  declare({ asker: 'networks: [back]', name: 'base' });
  await until('the name before is gone', async () => (await dig(asker, 'db')).includes('status: SERVFAIL'));
  await leads('base', (await ready('base')).address);
}, 120_000);

test('servers of the host are followed, with and without a supervisor; --dns and dns: win over them', async () => {
  serve(FIRST, first);
  serve(LATER, (asked) => [addressOf(asked, '192.0.2.3')]);
  await supervise();
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER} }
`,
  );
  const web = await ready('web');
  let serial = 0;
  // Another name each time: what was answered before is kept.
  const answers = (address: string) =>
    until(`${address} comes`, async () => (await short(web, `n${serial++}.test`)).join() === address);
  await answers('192.0.2.1');
  writeFileSync(resolvConf(), `nameserver ${LATER}\n`);
  await answers('192.0.2.3');
  await supervisor.crash();
  writeFileSync(resolvConf(), `nameserver ${FIRST}\n`);
  await answers('192.0.2.1');
});

test('--dns and --dns-search hold for all containers, dns: and dnsSearch: of one win over them', async () => {
  const given = `192.0.2.${1 + (process.pid % 250)}`;
  serve(FIRST, first);
  await supervise(['--dns', given, '--dns-search', 'flag.test']);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { ipv6: false } }
containers:
  web: { image: busybox, command: ${FOREVER}, network: back }
  own: { image: busybox, command: ${FOREVER}, network: back, dns: 203.0.113.9, dnsSearch: [own.test] }
`,
  );
  const asks = async (name: string, server: string, domain: string) => {
    const at = await ready(name);
    // The server is an address on its own loopback: it is asked from inside.
    await run('nsenter', ['-t', String(at.pid), '-n', 'ip', 'addr', 'add', `${server}/32`, 'dev', 'lo']);
    const stub = inNetworkOf(at.pid, () => serve(server, known));
    expect(await byLibc('glibc', at, '4', 'word')).toEqual(['192.0.2.77']);
    expect(stub.names).toContain(`word.${domain}`);
    await supervisor.crash();
    expect(await short(at, 'another.test')).toEqual(['192.0.2.77']);
    await supervisor.start();
  };
  await asks('web', given, 'flag.test');
  await asks('own', '203.0.113.9', 'own.test');
}, 120_000);

test('a network with 4,096 names is answered', async () => {
  serve(FIRST, first);
  await supervise();
  const CONTAINERS = 64;
  const aliases = (index: number) => Array.from({ length: 4_096 / CONTAINERS }, (_, n) => `n${index}-${n}`);
  const named = Array.from(
    { length: CONTAINERS },
    (_, index) =>
      `  c${index}: { image: busybox, command: ${FOREVER}, networks: { back: { aliases: [${aliases(index)}] } }, stopTimeout: 1s }\n`,
  );
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}networks: { back: { ipv6: false } }
containers:
${named.join('')}  asker: { image: busybox, command: ${FOREVER}, network: back }
`,
  );
  const asker = await ready('asker');
  for (const index of [0, 31, 63]) {
    const { address } = await ready(`c${index}`);
    const [first = '', last = ''] = [aliases(index)[0], aliases(index).at(-1)];
    for (const name of [first, last]) {
      await until(name, async () => (await short(asker, name)).join() === address);
    }
  }
  const { address } = await ready('c40');
  await supervisor.crash();
  expect(await short(asker, 'n40-63')).toEqual([address]);
}, 180_000);

test('the resolver is seen: in info, doctor, metrics and events, as it begins, dies and comes back', async () => {
  serve(FIRST, first);
  const metrics = join(directory, 'metrics.sock');
  await supervise(['--metrics', `unix://${metrics}`]);
  const info = async () => (JSON.parse(await supervisor.ok('info', '-o', 'json')) as { resolver: object }).resolver;
  expect(await info()).toMatchObject({ state: 'off', pid: null, containers: 0, ports: 0 });
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:
  web: { image: busybox, command: ${FOREVER}, ports: ["[::1]::80"] }
`,
  );
  const web = await ready('web');
  await until('names', async () => (await short(web, 'out.test').catch(() => [])).length > 0);
  const [pid = 0] = supervisor.resolvers();
  const running = { state: 'running', containers: 1, ports: 1, problem: null, memoryBytes: expect.any(Number) };
  await until('what it says of itself', async () =>
    (await supervisor.ok('info')).includes(`resolver running (pid ${pid})`),
  );
  await until(
    'its memory',
    async () => (await info()) !== null && JSON.stringify(await info()).includes('memoryBytes":4'),
  );
  expect(await info()).toEqual({ ...running, pid, restarts: 0 });
  const metric = async (name: string): Promise<number> => {
    const { stdout } = await run('curl', ['-s', '--unix-socket', metrics, 'http://metrics/metrics']);
    return Number(new RegExp(`^tsdocker_resolver_${name} (.*)$`, 'm').exec(stdout)?.[1]);
  };
  expect(await metric('up')).toBe(1);
  await until(
    'its questions',
    async () => (await metric('questions_total')) > 0 && (await metric('forwards_total')) > 0,
  );
  expect(await metric('relayed_ports')).toBe(1);
  process.kill(pid, 'SIGKILL');
  await until('another one', async () => {
    const [now] = supervisor.resolvers();
    return now !== undefined && now !== pid && (await supervisor.ok('info')).includes(`(pid ${now})`);
  });
  expect(await metric('restarts_total')).toBe(1);
  const events = lines(await supervisor.ok('events', '-o', 'json'))
    .map((line) => JSON.parse(line) as { readonly kind: string; readonly what: string })
    .filter(({ kind }) => kind === 'resolver');
  expect(events.map(({ what }) => what)).toEqual(['started', 'failed', 'started']);
  expect(await supervisor.ok('doctor')).toMatch(
    /names +the resolver \(pid \d+\) answers 1 containers and relays 1 ports/,
  );
});
