import { describe, expect, test } from 'vitest';
import type { ResourceKey } from '../../../src/model/resource.ts';
import { nameAdvice } from '../../../src/supervisor/views/name-advice.ts';
import { unknownHost } from '../../../src/supervisor/views/unknown-host.ts';
import { type App, declare } from '../../support/declare.ts';

describe('the name that a program did not find', () => {
  test.each([
    ['node', 'Error: getaddrinfo ENOTFOUND db'],
    ['node', '    at GetAddrInfoReqWrap.onlookup { errno: -3008, code: "ENOTFOUND" } getaddrinfo EAI_AGAIN db db:5432'],
    ['psql', 'psql: error: could not translate host name "db" to address: Name or service not known'],
    [
      'psycopg',
      'psycopg2.OperationalError: could not translate host name "db" to address: Temporary failure in name resolution',
    ],
    ['Go', 'dial tcp: lookup db on 127.0.0.11:53: no such host'],
    ['Go', 'panic: dial tcp: lookup db: no such host'],
    ['Go', 'failed: Get "http://db/": dial tcp: lookup db on 10.0.0.1:53: server misbehaving'],
    ['Go', 'lookup db: Temporary failure in name resolution'],
    ['nginx', 'nginx: [emerg] host not found in upstream "db:8080" in /etc/nginx/conf.d/default.conf:5'],
    ['nginx', '2026/01/01 00:00:00 [emerg] 1#1: host not found in upstream "db" in /etc/nginx/nginx.conf:9'],
    ['nginx', '2026/01/01 00:00:00 [error] 7#7: *1 db could not be resolved (3: Host not found), client: 10.0.0.1'],
    ['haproxy', "[ALERT] 1/1 (1) : parsing [/h.cfg:9] : 'server x' : could not resolve address 'db'."],
    ['apache', 'AH00898: DNS lookup failure for: db returned by /'],
    ['mysql', "ERROR 2005 (HY000): Unknown MySQL server host 'db' (-2)"],
    ['mariadb', "ERROR 2005 (HY000): Unknown server host 'db' (-2)"],
    [
      'PyMySQL',
      "pymysql.err.OperationalError: (2003, \"Can't connect to MySQL server on 'db' ([Errno -2] Name or service not known)\")",
    ],
    [
      'PHP 8',
      'PHP Warning:  mysqli::__construct(): php_network_getaddresses: getaddrinfo for db failed: Name or service not known',
    ],
    ['Java', 'Caused by: java.net.UnknownHostException: db: Name or service not known'],
    ['Java', 'java.net.UnknownHostException: db'],
    [
      'urllib3',
      "HTTPConnectionPool(host='db', port=80): Max retries exceeded with url: / (Caused by NewConnectionError('<x>: Failed to establish a new connection: [Errno -2] Name or service not known'))",
    ],
    ['urllib3', `NameResolutionError("<x>: Failed to resolve 'db' ([Errno -3] Temporary failure in name resolution)")`],
    ['redis-py', 'redis.exceptions.ConnectionError: Error -2 connecting to db:6379. Name or service not known.'],
    ['redis-cli', 'Could not connect to Redis at db:6379: Name or service not known'],
    ['aiohttp', 'Cannot connect to host db:80 ssl:default [Name or service not known]'],
    ['pymongo', 'pymongo.errors.ServerSelectionTimeoutError: db:27017: [Errno -2] Name or service not known'],
    ['curl', 'curl: (6) Could not resolve host: db'],
    ['git', "fatal: unable to access 'http://db/x/': Could not resolve host: db"],
    ['ssh', 'ssh: Could not resolve hostname db: Name or service not known'],
    ['wget', 'wget: unable to resolve host address ‘db’'],
    ['busybox wget', "wget: bad address 'db'"],
    ['busybox ping', "ping: bad address 'db'"],
    ['busybox nslookup', "nslookup: can't resolve 'db': Name does not resolve"],
    ['nslookup', "** server can't find db: NXDOMAIN"],
    ['ping', 'ping: db: Name or service not known'],
    ['ping', 'ping: unknown host db'],
    ['mongo', 'Error: couldn’t connect: SocketException: Could not find address for db:27017: HostUnreachable'],
    ['kafka', "Couldn't resolve server db:9092 from bootstrap.servers as DNS resolution failed for db"],
    ['ruby', 'Failed to open TCP connection to db:80 (getaddrinfo: Name or service not known) (SocketError)'],
    [
      'elixir',
      '[error] Postgrex.Protocol failed to connect: ** (DBConnection.ConnectionError) tcp connect (db:5432): non-existing domain - :nxdomain',
    ],
    ['.NET', 'System.Net.Http.HttpRequestException: Name or service not known (db:80)'],
  ])('%s: %s', (_, line) => {
    expect(unknownHost(['starting', line, ''])).toBe('db');
  });

  test.each([
    'connection refused by db',
    'getaddrinfo failed: Name or service not known',
    'socket.gaierror: [Errno -2] Name or service not known',
    'lookup 10.0.0.1: no such host',
    "bad address ''",
    '',
  ])('is none in %j', (line) => {
    expect(unknownHost([line])).toBeNull();
  });

  test('is the last one, with its dots and without following text', () => {
    expect(unknownHost(["wget: bad address 'old'", 'curl: (6) Could not resolve host: api.example.org', 'bye'])).toBe(
      'api.example.org',
    );
    expect(unknownHost(['getaddrinfo ENOTFOUND db.'])).toBe('db');
  });

  test.each([
    'a'.repeat(100_000),
    'getaddrinfo ENOTFOUND '.repeat(5_000),
    "host='a'".repeat(20_000),
    `${'a.'.repeat(50_000)}: Name or servic`,
    '/a'.repeat(50_000),
    `lookup ${'a'.repeat(300)} on ${'b'.repeat(300)}`,
    '\u001b]0;x\u0007 getaddrinfo ENOTFOUND \u001b[31m',
  ])('a hostile log yields none', (line) => {
    expect(unknownHost(Array.from({ length: 50 }, () => line))).toBeNull();
  });
});

describe('the remedy for an unknown name', () => {
  const key = (name: string) => `container/${name}` as ResourceKey;
  const advice = (apps: Readonly<Record<string, App>>, name: string, up: readonly string[] = []) => {
    const { resources } = declare(apps);
    const asker = resources.get(key('shop/web'));
    if (asker?.kind !== 'container') throw new Error('shop/web is missing');
    const { line, hint } = nameAdvice({
      name,
      asker: asker as never,
      resources,
      isUp: (of) => up.some((one) => key(one) === of),
    });
    return `${line}. ${hint}`;
  };
  const shop = (web: object, more: object = {}, networks: readonly string[] = ['back', 'front']) => ({
    shop: { networks: Object.fromEntries(networks.map((name) => [name, {}])), containers: { web, ...more } } as App,
  });

  test('on another network is the field to write', () => {
    expect(advice(shop({ network: 'front' }, { db: { network: 'back' } }), 'db')).toBe(
      '"db" is unknown to it: shop/db is on network back, and this one on front. Write `network: back` at shop/web, or put both on one network.',
    );
  });

  test('in another app is its name there, or a link', () => {
    const both = { ...shop({}), blog: { containers: { db: {} } } as App };
    expect(advice(both, 'db')).toBe(
      '"db" is unknown to it: blog/db has that name in its own app only. Use blog-db, or write `links: [blog/db]` at shop/web.',
    );
  });

  test('in another app on another network', () => {
    const both = { ...shop({}), blog: { networks: { back: {} }, containers: { db: { network: 'back' } } } as App };
    expect(advice(both, 'blog-db')).toBe(
      '"blog-db" is unknown to it: blog/db is on network blog/back, and this one on bridge. Write `network: blog/back` at shop/web, or put both on one network; there it is called blog-db.',
    );
  });

  test('of a container that starts is a dependency', () => {
    expect(advice(shop({}, { db: {} }), 'DB')).toBe(
      '"DB" is unknown to it: shop/db is not up. `tsdocker why shop/db` tells why it is not up; `dependsOn: [db]` makes shop/web wait for it.',
    );
    expect(advice(shop({}, { db: {} }), 'db', ['shop/db'])).toBe(
      '"db" is unknown to it: shop/db had no address when it looked; it has one now. Write `dependsOn: [db]` at shop/web, so that it starts afterwards.',
    );
  });

  test('does not exist without a network on either side', () => {
    expect(advice(shop({ network: 'none' }, { db: {} }), 'db')).toContain('with `network: none` it has no names');
    expect(advice(shop({}, { db: { network: 'host' } }), 'db')).toBe(
      '"db" is unknown to it: shop/db has `network: host` and no name of its own. Give shop/db a network that shop/web is on.',
    );
  });

  test('does not exist without a container of that name', () => {
    expect(advice(shop({}), 'api.example.org')).toBe(
      '"api.example.org" is unknown to it: no container has that name, and the name servers do not know it. Check the name; for a host outside write `extraHosts: ["api.example.org:ADDRESS"]` or other `dns` servers.',
    );
  });
});
