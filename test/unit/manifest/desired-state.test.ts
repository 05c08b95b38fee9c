import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NETWORK_DRIVERS_OF_MANIFESTS } from '../../../src/composition/network-drivers.ts';
import { desiredState, type GoodRevision, type SourceRevision } from '../../../src/manifest/desired-state.ts';
import { ParseCache } from '../../../src/manifest/parse-cache.ts';
import { formatPosition } from '../../../src/model/resource.ts';

type Files = Record<string, string>;

const options = (files: Files = {}) => ({
  generation: 7,
  defaultHostIp: '0.0.0.0',
  networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
  readFile: (path: string) => {
    const content = files[path];
    if (content === undefined)
      return { ok: false as const, reason: 'missing' as const, message: `${path}: no such file` };
    return { ok: true as const, bytes: Buffer.from(content) };
  },
  hashSecret: (bytes: Buffer) => createHash('sha256').update('key').update(bytes).digest('hex'),
});

const good = (text: string, contentHashes = {}): GoodRevision => ({ text, contentHashes });

function source(file: string, text: string, lastGood: GoodRevision | null = null): SourceRevision {
  return { sourceId: file, file, baseDir: '/m', content: { ok: true, text }, lastGood };
}

/** Images that containers name in full, which stand for themselves. */
const UNDECLARED = /^image\/.*-[0-9a-f]{8}$/;

/** Issues of each source as `file:line:column message`, and the keys of the state. */
function resolve(sources: SourceRevision[], files: Files = {}) {
  const { state, sources: outcomes } = desiredState(sources, options(files));
  return {
    keys: [...state.resources.keys()].filter((key) => !UNDECLARED.test(key)),
    using: Object.fromEntries([...outcomes].map(([id, { using }]) => [id, using])),
    issues: [...outcomes.values()].flatMap(({ issues }) =>
      issues.map((one) => `${formatPosition(one.position)} ${one.message}`),
    ),
  };
}

/** Issues of one app `a`. */
const issuesOf = (text: string, files: Files = {}) => resolve([source('a.yaml', text)], files).issues;

describe('a resource', () => {
  const text = `
images: { app: { rootfs: ./root } }
volumes: { data: }
networks: { back: }
containers:
  db: { image: app, network: back, env: { P: { fromFile: ./secret } } }
  web:
    image: app
    network: back
    links: [ db ]
    volumes: [ "data:/data", "./conf:/conf:ro", "../up:/up" ]
    envFile: web.env
`;
  const files = { '/m/secret': 'hush', '/m/web.env': 'A=1', '/m/conf': 'text' };
  const { state, sources } = desiredState([source('a.yaml', text)], options(files));
  const web = state.resources.get('container/a/web');

  test('has absolute paths, keys for names and hashes for files', () => {
    expect(sources.get('a.yaml')?.issues).toEqual([]);
    expect(web).toMatchObject({
      engineName: 'a-web',
      app: 'a',
      references: {
        image: 'image/a/app',
        volumes: { '/data': 'volume/a/data' },
        networks: ['network/a/back'],
        networkContainer: null,
        links: ['container/a/db'],
        volumesFrom: [],
      },
      spec: { envFile: ['/m/web.env'], volumes: [{}, { source: '/m/conf' }, { source: '/up' }] },
      contentHashes: {
        'web.env': options().hashSecret(Buffer.from('A=1')),
        './conf': createHash('sha256').update('text').digest('hex'),
      },
    });
    expect(state.resources.get('image/a/app')?.spec).toMatchObject({ source: { type: 'rootfs', path: '/m/root' } });
  });

  test('has a reference and a keyed hash for a secret, never a value', () => {
    const db = state.resources.get('container/a/db');
    expect(db?.spec).toMatchObject({ env: { P: { fromFile: '/m/secret' } } });
    expect(JSON.stringify([...state.resources])).not.toContain('hush');
  });

  test('lists files whose change matters', () => {
    expect(sources.get('a.yaml')?.inputs).toEqual(['/m/conf', '/m/secret', '/m/web.env']);
  });

  test('keeps the content of a file that cannot be read now, and a new one is an error', () => {
    const silent = {
      ...options(),
      readFile: (path: string) => ({
        ok: false as const,
        reason: 'unanswered' as const,
        message: `${path} is being looked at`,
      }),
    };
    const hashes = { './secret': 's', 'web.env': 'w', './conf': 'c' };
    const known = desiredState([source('a.yaml', text, good(text, hashes))], silent);
    expect(known.sources.get('a.yaml')).toMatchObject({ issues: [], using: 'current' });
    expect(known.state.resources.get('container/a/web')).toMatchObject({
      contentHashes: { 'web.env': 'w', './conf': 'c' },
    });
    const { sources: unknown } = desiredState([source('a.yaml', text)], silent);
    const messages = unknown.get('a.yaml')?.issues.map(({ message }) => message);
    expect(messages).toEqual(['/m/secret is being looked at', '/m/web.env is being looked at']);
  });

  test('lists files of a rejected revision too, which may wait for one of them', () => {
    const first = 'containers: { a: { image: x:1, envFile: [ here.env ] } }';
    const missing = 'containers: { a: { image: x:1, envFile: [ gone.env ], env: { P: { fromFile: ./no } } } }';
    const accepted = { '/m/here.env': '' };
    for (const before of [null, good(missing, { 'gone.env': 'x', './no': 'y' }), good(first, { 'here.env': 'x' })]) {
      const result = desiredState([source('a.yaml', missing, before)], options(accepted)).sources.get('a.yaml');
      expect(result).toMatchObject({ status: 'rejected', using: before ? 'last-good' : 'none' });
      expect(result?.inputs).toEqual(['/m/gone.env', '/m/no']);
    }
    const compose = 'services: { a: { image: "x:1", env_file: gone.env } }';
    expect(desiredState([source('c.yaml', compose)], options()).sources.get('c.yaml')?.inputs).toEqual(
      expect.arrayContaining(['/m/gone.env']),
    );
  });

  test('is frozen', () => {
    expect(Object.isFrozen(state)).toBe(true);
    expect(Object.isFrozen(web?.spec)).toBe(true);
    expect(Object.isFrozen(web?.references.links)).toBe(true);
  });

  test('changes its hash with a file', () => {
    const other = desiredState([source('a.yaml', text)], options({ ...files, '/m/secret': 'other' })).state;
    expect(other.resources.get('container/a/db')?.specHash).not.toBe(state.resources.get('container/a/db')?.specHash);
    expect(other.resources.get('container/a/web')?.specHash).toBe(web?.specHash);
  });
});

describe('references', () => {
  test.each<[string, string, string]>([
    [
      'a misspelt link',
      'containers: { db: { image: x:1 }, web: { image: x:1, links: [ bd ] } }',
      '1:63 there is no container "bd"; did you mean db?',
    ],
    [
      'an undeclared volume',
      'containers: { web: { image: x:1, volumes: [ "data:/d" ] } }',
      '1:45 there is no volume "data"',
    ],
    ['an undeclared network', 'containers: { web: { image: x:1, network: back } }', '1:34 there is no network "back"'],
    [
      'a misspelt image',
      'images: { nginx: { host: [sh] } }\ncontainers: { web: { image: ngnix } }',
      '2:22 there is no image "ngnix"; did you mean nginx? A tag on this host is written with its colon',
    ],
    [
      'a missing container to share',
      'containers: { web: { image: x:1, network: "container:db" } }',
      '1:34 there is no container "db"; this app has web',
    ],
    [
      'volumes from nobody',
      'containers: { web: { image: x:1, volumesFrom: [ b/db ] } }',
      '1:49 there is no container "b/db": there is no app b',
    ],
  ])('%s', (_, text, issue) => expect(issuesOf(text)).toEqual([`a.yaml:${issue}`]));

  test('reach into other apps by app/name', () => {
    const { issues, keys } = resolve([
      source('a.yaml', 'containers: { web: { image: b/img, links: [ b/db ], volumes: [ "b/data:/d" ] } }'),
      source('b.yaml', 'images: { img: { host: [sh] } }\nvolumes: { data: }\ncontainers: { db: { image: img } }'),
    ]);
    expect(issues).toEqual([]);
    expect(keys).toHaveLength(4);
  });

  test('an image with a tag or digest is never an image of an app with the same prefix', () => {
    const text = `containers:\n  a: { image: "gitea/gitea:1.24" }\n  b: { image: "gitea/gitea@sha256:${'ab'.repeat(32)}" }\n`;
    expect(resolve([source('gitea.yaml', text)]).issues).toEqual([]);
    const { state } = desiredState([source('gitea.yaml', text)], options({}));
    expect([...state.resources.values()].filter(({ kind }) => kind === 'image')).toHaveLength(2);
  });

  test('a full image name is pulled once where it is missing, a word or an id is an image of the host', () => {
    const { state } = desiredState(
      [
        source(
          'a.yaml',
          `containers:
  a: { image: nginx:1.27 }
  b: { image: docker.io/library/nginx:1.27 }
  c: { image: nginx }
  d: { image: "sha256:${'ab'.repeat(32)}" }
  e: { image: "registry.example:5000/team/app@sha256:${'cd'.repeat(32)}" }
`,
        ),
      ],
      options({}),
    );
    const images = [...state.resources.values()].filter(({ kind }) => kind === 'image');
    expect(images.map(({ key, spec }) => [key, spec])).toMatchInlineSnapshot(`
      [
        [
          "image/a/nginx-1-27-cd4495bb",
          {
            "config": null,
            "source": {
              "platform": null,
              "policy": "missing",
              "reference": "nginx:1.27",
              "type": "pull",
            },
          },
        ],
        [
          "image/a/app-da141eff",
          {
            "config": null,
            "source": {
              "platform": null,
              "policy": "missing",
              "reference": "registry.example:5000/team/app@sha256:cdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcdcd",
              "type": "pull",
            },
          },
        ],
      ]
    `);
    const [first] = images;
    expect(first?.source).toEqual({ file: 'a.yaml', line: 2, column: 8 });
    const imageOf = (name: string) => state.resources.get(`container/a/${name}`)?.references.image;
    expect(imageOf('a')).toBe(first?.key);
    expect(imageOf('b')).toBe(first?.key);
    expect(imageOf('c')).toBe(null);
    expect(imageOf('d')).toBe(null);
  });
});

describe('contradictions', () => {
  const container = (fields: string, rest = '') => `containers:\n  web: { image: x:1, ${fields} }\n${rest}`;
  test.each<[string, string, string[]]>([
    [
      'host network',
      container('network: host, ports: [80], links: [db], dns: 1.1.1.1, hostname: h', '  db: { image: x:1 }'),
      ['ports', 'links', 'dns', 'hostname'].map((field) => `${field} cannot be combined with network: host`),
    ],
    ['no network', container('network: none, ports: [80]'), ['ports cannot be combined with network: none']],
    [
      'limits without an interface of its own',
      container('network: host, bandwidth: 1Mbit, sysctls: { net.core.somaxconn: 1, kernel.shmmax: 1 }'),
      ['bandwidth cannot be combined with network: host', 'net.core.somaxconn cannot be combined with network: host'],
    ],
    [
      'a shared network',
      container('network: "container:db", hostname: h, expose: [1]', '  db: { image: x:1 }'),
      [
        'hostname cannot be combined with network: container:db',
        'expose cannot be combined with network: container:db',
      ],
    ],
    [
      'sharing a host network',
      container('network: "container:db"', '  db: { image: x:1, network: host }'),
      ['that container has no network of its own; write network: host'],
    ],
    [
      'sharing a shared network',
      container('network: "container:db"', '  db: { image: x:1, network: "container:c" }\n  c: { image: x:1 }'),
      ['that container has no network of its own; write network: container:c'],
    ],
    [
      'a link to the host network',
      container('links: [db]', '  db: { image: x:1, network: host }'),
      ['db uses network: host and has no address to link to'],
    ],
    [
      'a link across networks',
      container('links: [db]', '  db: { image: x:1, network: back }\nnetworks: { back: }'),
      ['db is on another network; links need a common one'],
    ],
    ['a link to itself', container('links: [web]'), ['a container cannot link to itself']],
    [
      'an alias twice',
      container('links: [db, "c:db"]', '  db: { image: x:1 }\n  c: { image: x:1 }'),
      ['the alias db is used twice'],
    ],
    ['a target twice', container('volumes: ["/a", "/b/../a/"]'), ['/a is mounted twice']],
    ['volumes from itself', container('volumesFrom: [web]'), ['a container cannot take volumes from itself']],
    [
      'privileged with drop',
      container('privileged: true, capabilities: { drop: [ALL] }'),
      ['a privileged container has all capabilities; drop has no effect'],
    ],
    [
      'add and drop',
      container('capabilities: { add: [KILL], drop: [CAP_KILL] }'),
      ['capabilities: KILL is both added and dropped'],
    ],
    ['a device twice', container('devices: ["/dev/a:/dev/x", "/dev/b:/dev/x"]'), ['the device /dev/x is given twice']],
    [
      'an address on the default bridge',
      container('address: 10.0.0.2'),
      ['the default bridge has no fixed addresses; use a network'],
    ],
    [
      'an address without a subnet',
      container('network: n, address: 10.0.0.2', 'networks: { n: }'),
      ['a fixed address needs a network with a subnet'],
    ],
    [
      'an address outside',
      container('network: n, address: 10.0.1.2', 'networks: { n: { subnet: 10.0.0.0/24 } }'),
      ['10.0.1.2 is not a host address of 10.0.0.0/24'],
    ],
    [
      "the gateway's address",
      container('network: n, address: 10.0.0.1', 'networks: { n: { subnet: 10.0.0.0/24 } }'),
      ['10.0.0.1 is the gateway of the network'],
    ],
    [
      'ports of an internal network',
      container('network: n, ports: [80]', 'networks: { n: { internal: true } }'),
      ['an internal network has no published ports'],
    ],
    [
      'a port on one address of the host, of a routed network',
      container('network: n, ports: ["127.0.0.1:80:80"]', 'networks: { n: { gatewayMode: routed } }'),
      ['a port on 127.0.0.1 is not possible: n routes to its containers, whose ports are open at their own addresses'],
    ],
    [
      'an update that cannot settle in its time',
      container('update: { settle: 60s }'),
      ['settle has to be shorter than timeout: no update could succeed'],
    ],
    ['a wait for itself', container('dependsOn: [web]'), ['a container cannot wait for itself']],
    [
      'a dependency that is not there',
      container('dependsOn: [webb]'),
      ['there is no container "webb"; did you mean web?'],
    ],
    [
      'a wait for what never completes',
      'containers:\n  web: { image: x:1, dependsOn: [ db:completed ] }\n  db: { image: x:1, restart: always }\n',
      ['db never completes: its restart policy is always'],
    ],
    [
      'an unknown condition',
      container('dependsOn: [db:redy]'),
      ['dependsOn[0]: "db:redy": "redy" is not a condition; did you mean ready?'],
    ],
    ['a missing env file', container('envFile: none.env'), ['/m/none.env: no such file']],
    ['a missing secret', container('env: { P: { fromFile: /s } }'), ['/s: no such file']],
  ])('%s', (_, text, expected) => {
    expect(issuesOf(text).map((issue) => issue.replace(/^\S+ /, ''))).toEqual(expected);
  });
});

describe('circles', () => {
  test('are reported with their path, and not for resources that only lead into one', () => {
    const text = `containers:
  a: { image: x:1, links: [ b ] }
  b: { image: x:1, volumesFrom: [ c ] }
  c: { image: x:1, network: container:a }
  d: { image: x:1, volumesFrom: [ a ] }
`;
    expect(issuesOf(text)).toEqual(['a.yaml:2:20 these wait for each other: a/a -> a/b -> a/c -> a/a']);
  });

  test('of dependsOn are reported too, also over a shared network', () => {
    const text = `containers:
  a: { image: x:1, dependsOn: [ b:started ] }
  b: { image: x:1, network: container:a }
`;
    expect(issuesOf(text)).toEqual(['a.yaml:2:20 these wait for each other: a/a -> a/b -> a/a']);
  });

  test('across apps name both apps', () => {
    const { issues } = resolve([
      source('a.yaml', 'containers: { x: { image: i:1, links: [ b/y ] } }'),
      source('b.yaml', 'containers: { y: { image: i:1, links: [ a/x ] } }'),
    ]);
    expect(issues).toEqual([
      'a.yaml:1:32 these wait for each other: a/x -> b/y -> a/x',
      'b.yaml:1:32 these wait for each other: a/x -> b/y -> a/x',
    ]);
  });
});

describe('clashes', () => {
  const port = (text: string) => `containers: { web: { image: x:1, ports: [ ${text} ] } }`;

  test('of two new files reject both and name both places', () => {
    const { issues, using, keys } = resolve([
      source('a.yaml', port('80:1')),
      source('b.yaml', port('"127.0.0.1:80:2"')),
    ]);
    expect(issues).toEqual([
      'a.yaml:1:43 host port 127.0.0.1:80/tcp is also claimed by container/b/web at b.yaml:1:43',
      'b.yaml:1:43 host port 127.0.0.1:80/tcp is also claimed by container/a/web at a.yaml:1:43',
    ]);
    expect(using).toEqual({ 'a.yaml': 'none', 'b.yaml': 'none' });
    expect(keys).toEqual([]);
  });

  test('with an accepted file reject only the new one', () => {
    const { using, keys } = resolve([
      source('a.yaml', port('80:1'), good(port('80:1'))),
      source('b.yaml', port('80:2')),
    ]);
    expect(using).toEqual({ 'a.yaml': 'current', 'b.yaml': 'none' });
    expect(keys).toEqual(['container/a/web']);
  });

  test('with the last good revision of a broken file reject the other change', () => {
    const { using } = resolve([
      source('a.yaml', port('80:1'), good(port('81:1'))),
      source('b.yaml', 'broken: [', good(port('80:1'))),
      source('c.yaml', port('82:1')),
    ]);
    expect(using).toEqual({ 'a.yaml': 'last-good', 'b.yaml': 'last-good', 'c.yaml': 'current' });
  });

  test.each<[string, string, string]>([
    ['the same app', 'app: same\nvolumes: { a: }', 'app: same\nvolumes: { b: }'],
    [
      'engine names',
      'app: one-two\ncontainers: { three: { image: x:1 } }',
      'app: one\ncontainers: { two-three: { image: x:1 } }',
    ],
    [
      'container names',
      'containers: { x: { image: x:1, containerName: n } }',
      'containers: { y: { image: x:1, containerName: n } }',
    ],
    ['subnets', 'networks: { n: { subnet: 10.0.0.0/16 } }', 'networks: { n: { subnet: 10.0.3.0/24 } }'],
    ['IPv6 subnets', 'networks: { n: { subnet6: "fd00::/48" } }', 'networks: { n: { subnet6: "fd00:0:0:5::/64" } }'],
    ['bridges', 'networks: { n: { bridgeName: br0 } }', 'networks: { n: { bridgeName: br0 } }'],
    ['wildcard and address', port('"[::]:53:53/udp"'), port('"[::1]:53:53/udp"')],
    ['all addresses and one', port('"80:80/sctp"'), port('"192.0.2.1:80:81/sctp"')],
    ['all addresses and all of IPv6', port('80:80'), port('"[::]:80:80"')],
    ['all addresses and one of IPv6', port('80:80'), port('"[FD00:0::1]:80:80"')],
    ['one address in two forms', port('"[FD00:0::1]:80:80"'), port('"[fd00::1]:80:80"')],
    ['a range and a port in it', port('"8000-8009:80-89"'), port('"127.0.0.1:8004:80"')],
    [
      'addresses',
      'networks: { n: { subnet: 10.0.0.0/24 } }\ncontainers: { x: { image: x:1, network: n, address: 10.0.0.9 } }',
      'containers: { y: { image: x:1, network: a/n, address: 10.0.0.9 } }',
    ],
  ])('are found for %s', (_, first, second) => {
    const { using } = resolve([source('a.yaml', first, good(first)), source('b.yaml', second)]);
    expect(using).toEqual({ 'a.yaml': 'current', 'b.yaml': 'none' });
  });

  test.each<[string, string, string]>([
    ['protocols', port('53:53/tcp'), port('53:53/udp')],
    ['addresses', port('"127.0.0.1:80:80"'), port('"127.0.0.2:80:80"')],
    ['families', port('"192.0.2.1:80:80"'), port('"[::]:80:80"')],
    [
      'neighbouring IPv6 subnets',
      'networks: { n: { subnet6: "fd00:0:0:1::/64" } }',
      'networks: { n: { subnet6: "fd00:0:0:2::/64" } }',
    ],
    ['ports left to the supervisor', port('80'), port('80')],
    ['neighbouring subnets', 'networks: { n: { subnet: 10.0.0.0/24 } }', 'networks: { n: { subnet: 10.0.1.0/24 } }'],
  ])('are not found for different %s', (_, first, second) => {
    expect(resolve([source('a.yaml', first), source('b.yaml', second)]).issues).toEqual([]);
  });
});

test('one container may publish a port on all addresses of each family by a line of its own', () => {
  const issues = (...ports: string[]) =>
    resolve([
      source('a.yaml', `containers: { web: { image: x:1, ports: [${ports.map((p) => `"${p}"`).join(', ')}] } }`),
    ]).issues;
  expect(issues('0.0.0.0:80:80', '[::]:80:80')).toEqual([]);
  expect(issues('0.0.0.0:80:80', '[::]:80:81')).toHaveLength(1);
  expect(issues('0.0.0.0:80:80', '[::1]:80:80')).toHaveLength(1);
});

describe('a bad revision freezes its source at the last good one', () => {
  const before = 'containers: { web: { image: x:1 }, db: { image: x:1 } }';

  test('without affecting other sources', () => {
    const { keys, using } = resolve([
      source('a.yaml', 'containers: { web: {', good(before)),
      source('b.yaml', 'volumes: { v: }'),
    ]);
    expect(keys).toEqual(['container/a/web', 'container/a/db', 'volume/b/v']);
    expect(using).toEqual({ 'a.yaml': 'last-good', 'b.yaml': 'current' });
  });

  test('without rejecting a good change that relies on it', () => {
    const user = 'containers: { web: { image: x:1, links: [ a/db ] } }';
    const { issues, using } = resolve([
      source('a.yaml', 'containers: { other: { imag: x:1 } }', good(before)),
      source('b.yaml', user),
    ]);
    expect(using).toEqual({ 'a.yaml': 'last-good', 'b.yaml': 'current' });
    expect(issues.every((issue) => issue.startsWith('a.yaml'))).toBe(true);
  });

  test('and reports all its mistakes at once', () => {
    expect(issuesOf('containers: { web: { image: x:1, links: [ gone ] }, other: { image: x:1, tty: 1 } }')).toEqual([
      'a.yaml:1:43 there is no container "gone"; this app has web, other',
      'a.yaml:1:79 tty: expected true or false, found a number',
    ]);
  });

  test('also when the file cannot be read', () => {
    const unreadable: SourceRevision = {
      ...source('a.yaml', '', good(before)),
      content: { ok: false, message: 'permission denied' },
    };
    expect(resolve([unreadable])).toMatchObject({
      keys: ['container/a/web', 'container/a/db'],
      issues: ['a.yaml:1:1 permission denied'],
    });
  });

  test('with the old content of its files', () => {
    const text = 'containers: { web: { image: x:1, envFile: a.env } }';
    const accepted = desiredState([source('a.yaml', text)], options({ '/m/a.env': 'A=1' }));
    const hashes = accepted.sources.get('a.yaml')?.contentHashes ?? {};
    const frozen = (current: string, files: Files) =>
      desiredState([source('a.yaml', current, good(text, hashes))], options(files));
    const hash = accepted.state.resources.get('container/a/web')?.specHash;
    expect(frozen('broken: [', { '/m/a.env': 'A=2' }).state.resources.get('container/a/web')?.specHash).toBe(hash);
    // The text is the same, but the env file is gone.
    const gone = frozen(text, {});
    expect(gone.sources.get('a.yaml')).toMatchObject({ status: 'rejected', using: 'last-good' });
    expect(gone.state.resources.get('container/a/web')?.specHash).toBe(hash);
  });

  test('a change that removes a resource another accepted app needs is held', () => {
    const user = 'containers: { web: { image: x:1, links: [ b/db ] } }';
    const { keys, issues } = resolve([
      source('a.yaml', user, good(user)),
      source('b.yaml', 'volumes: { v: }', good('containers: { db: { image: x:1 } }')),
    ]);
    expect(keys).toEqual(['container/a/web', 'container/b/db']);
    expect(issues).toEqual(['b.yaml:1:1 with this change, a.yaml:1:43 fails: there is no container "b/db"']);
  });

  test('an app whose partner is removed stays, with an issue and a dangling key', () => {
    const user = 'containers: { web: { image: x:1, links: [ b/db ] } }';
    const { state, sources } = desiredState([source('a.yaml', user, good(user))], options());
    expect(sources.get('a.yaml')?.status).toBe('rejected');
    expect(state.resources.get('container/a/web')?.references.links).toEqual(['container/b/db']);
  });
});

describe('any mix of sources', () => {
  const text = fc.constantFrom(
    'containers: { web: { image: x:1, ports: [ "80:80" ] } }',
    'containers: { web: { image: x:1, links: [ b/db ] } }',
    'containers: { db: { image: x:1, ports: [ "80:81" ] } }',
    'containers: { db: { image: x:1, links: [ a/web ] } }',
    'networks: { n: { subnet: 10.0.0.0/24 } }',
    'app: same\nvolumes: { v: }',
    'broken: [',
  );
  const anySource = (file: string) =>
    fc
      .record({ text, before: fc.option(text) })
      .map(({ text: now, before }) => source(file, now, before === null ? null : good(before)));
  const anySources = fc.tuple(anySource('a.yaml'), anySource('b.yaml'), anySource('c.yaml'));
  const plain = (sources: SourceRevision[], cache?: ParseCache) => {
    const { state, sources: outcomes } = desiredState(sources, options(), cache);
    return JSON.stringify([[...state.resources], [...outcomes]]);
  };

  test('reads build contexts once', () => {
    const cache = new ParseCache();
    const text = 'volumes: { v: }';
    const parse = () => cache.parse(source('a.yaml', text), text, options().readFile);
    const parsed = parse();
    expect(parse()).toBe(parsed);
    desiredState([source('a.yaml', text)], options(), cache);
    expect(parse()).toBe(parsed);
    for (let turn = 0; turn < 2; turn++) desiredState([], options(), cache);
    expect(parse()).not.toBe(parsed);
  });

  test('gives the same result in any order, and with a cache', () => {
    const cache = new ParseCache();
    fc.assert(
      fc.property(anySources, (sources) => {
        const expected = plain(sources);
        expect(plain([...sources].reverse())).toBe(expected);
        expect(plain(sources, cache)).toBe(expected);
      }),
    );
  });

  test('accepts an accepted state again without a change', () => {
    fc.assert(
      fc.property(anySources, (sources) => {
        const first = desiredState(sources, options());
        const accepted = sources.map((one) => {
          const using = first.sources.get(one.sourceId)?.using;
          const now = using === 'current' && one.content.ok ? good(one.content.text) : one.lastGood;
          return { ...one, lastGood: now };
        });
        const second = desiredState(accepted, options());
        expect([...second.state.resources]).toEqual([...first.state.resources]);
      }),
    );
  });
});

describe('a defect', () => {
  const APP = 'images: { app: { rootfs: ./root } }\ncontainers: { web: { image: app } }\n';
  const FATAL = 'images: { app: { rootfs: ./root } }\ncontainers: { web: { image: app, envFile: fatal.env } }\n';
  const fails = {
    ...options(),
    hashSecret: () => {
      throw new TypeError('defect');
    },
    readFile: () => ({ ok: true as const, bytes: Buffer.from('A=1') }),
  };

  test('in handling one file rejects only that file', () => {
    const sources = [source('a.yaml', APP), source('b.yaml', FATAL), source('c.yaml', FATAL, good(APP))];
    const { state, sources: outcomes } = desiredState(sources, fails);
    expect([...state.resources.keys()].filter((key) => key.startsWith('container/'))).toEqual([
      'container/a/web',
      'container/c/web',
    ]);
    expect([...outcomes].map(([id, { using, issues }]) => [id, using, issues.map(({ code }) => code)])).toEqual([
      ['a.yaml', 'current', []],
      ['b.yaml', 'none', ['TSD_BUG']],
      ['c.yaml', 'last-good', ['TSD_BUG']],
    ]);
  });
});
