// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of Compose files are what is tested
import { describe, expect, test } from 'vitest';
import { groupFiles } from '../../../src/manifest/importers/bundle.ts';
import { type Files, service, translated, translatedTogether } from './translation.ts';

const a = (result: { manifest: Record<string, Record<string, unknown>> }) =>
  result.manifest.containers?.a as Record<string, unknown>;

describe('fields', () => {
  test('that are empty are absent, except where empty text has a meaning', () => {
    const result = service(
      'platform: ${X:-}\nuser: ""\nmem_limit: ${Y:-}\nrestart: ""\nenvironment: { E: "" }\ncommand: ""',
    );
    expect(result.issues).toEqual([]);
    expect(a(result)).toEqual({ image: 'docker.io/library/x:latest', env: { E: '' }, command: [], network: 'default' });
    expect(result.manifest.images).toBeUndefined();
  });

  test.each([
    [':443:443', '443:443'],
    ['${IP:-}:80:81', '80:81'],
    ['${PORT:-}:80', '80'],
    ['127.0.0.1::80', '127.0.0.1::80'],
    ['[::1]:53:53/udp', '[::1]:53:53/udp'],
  ])('ports: %s is %s', (written, port) => {
    const result = service(`ports: ["${written}"]`);
    expect(result.issues).toEqual([]);
    expect(a(result).ports).toEqual([port]);
  });

  test.each([
    ['any', 'always'],
    ['none', 'no'],
    ['unless-stopped', 'unless-stopped'],
    ['on-failure', 'on-failure:3'],
  ])('restart_policy with the condition %s is %s, regardless of restart', (condition, restart) => {
    const lines = `restart: "no"\ndeploy: { restart_policy: { condition: ${condition}, max_attempts: 3 } }`;
    expect(a(service(lines))).toMatchObject({ restart });
    expect(service('deploy: { restart_policy: { condition: sometimes } }').issues[0]).toContain('is not a condition');
  });

  test('a health check of zeros uses the defaults of Docker', () => {
    const result = service('healthcheck: { test: x, retries: 0, interval: 0s, timeout: 0 }');
    expect(result.issues).toEqual([]);
    expect(a(result).health).toMatchObject({ retries: 3, interval: '30s', timeout: '30s' });
  });

  test('update_config selects the update order, where two instances can coexist', () => {
    const config = 'deploy: { update_config: { order: start-first, failure_action: pause, parallelism: 2 } }';
    expect(a(service(config)).update).toEqual({ order: 'start-first', onFailure: 'hold' });
    const written = service(`${config}\nvolumes: [ data:/data ]`, { '.': 'volumes: { data: {} }' });
    expect(a(written).update).toEqual({ onFailure: 'hold' });
    expect(written.issues).toEqual([]);
    expect(written.warnings).toEqual(
      expect.arrayContaining([expect.stringContaining('both containers would write to its volumes')]),
    );
  });

  test('the socket of another engine is reported, and SELinux labels once', () => {
    const { warnings } = service('volumes: [ "/var/run/docker.sock:/s:ro", "./a:/a:z", "./b:/b:Z" ]');
    expect(warnings.filter((text) => text.includes('is the socket of Docker'))).toHaveLength(1);
    expect(warnings.filter((text) => text.includes('SELinux'))).toHaveLength(1);
  });
});

test.each([
  ['"./data:/data"', { source: './data', target: '/data', create: true }],
  ['"./data:/data:ro"', { source: './data', target: '/data', readOnly: true, create: true }],
  ['"./nginx.conf:/etc/nginx/nginx.conf"', './nginx.conf:/etc/nginx/nginx.conf'],
  ['"/run/x.sock:/run/x.sock"', '/run/x.sock:/run/x.sock'],
  ['"named:/data"', 'named:/data'],
  ['{ type: bind, source: ./data, target: /data }', './data:/data'],
  ['{ type: bind, source: ./data, target: /data, bind: {} }', { source: './data', target: '/data', create: true }],
  ['{ type: bind, source: ./data, target: /data, bind: { create_host_path: false } }', './data:/data'],
])('a missing directory is created where Compose creates it: %s', (written, mount) => {
  const result = service(`volumes: [ ${written} ]`, { '.': 'volumes: { named: {} }' });
  expect([result.issues, result.warnings]).toEqual([[], []]);
  expect(a(result).volumes).toEqual([mount]);
});

describe('configs and secrets', () => {
  const root = `
configs:
  text: { content: "port=\${PORT}\\nprice=$$1\\n" }
  value: { environment: PORT }
  gone: { environment: GONE }
  other: { external: true }
secrets:
  value: { environment: PORT }
  file: { file: ./pw }
`;
  const use = (lines: string) => service(lines, { '.': root, '/app/.env': 'PORT=8080\n' });

  test('with inline text are mounted as that text', () => {
    const result = use('configs: [ text, { source: value, target: /etc/port, mode: 0440 } ]');
    expect(result.issues).toEqual([]);
    expect(a(result).volumes).toEqual([
      { target: '/text', content: 'port=8080\nprice=$1\n' },
      { target: '/etc/port', content: '8080' },
    ]);
    expect(result.warnings).toContainEqual(expect.stringContaining('mode: the file is of root, 0444'));
  });

  test('from files are secrets wherever they are mounted', () => {
    const result = use('secrets: [ file, { source: file, target: /etc/pw } ]');
    expect(a(result).volumes).toEqual([
      './pw:/run/secrets/file:ro',
      { source: './pw', target: '/etc/pw', readOnly: true, secret: true },
    ]);
  });

  test.each([
    ['configs: [ gone ]', 'the variable GONE has no value in .env'],
    ['configs: [ other ]', 'what is kept by another system cannot be reached'],
    ['secrets: [ value ]', 'a value of the environment would be kept as plain text'],
    ['configs: [ nowhere ]', 'it is not declared'],
  ])('that are unavailable are refused: %s', (lines, reason) => {
    expect(use(lines).issues).toEqual([expect.stringContaining(reason)]);
  });
});

test('an inline Dockerfile is used by the build', () => {
  const result = service('build: { context: ./src, dockerfile_inline: "FROM x\\nRUN y\\n" }');
  expect(result.issues).toEqual([]);
  expect(result.manifest.images?.a).toEqual({ build: { context: './src', dockerfileInline: 'FROM x\nRUN y\n' } });
  expect(result.specs['image/a']).toMatchObject({ source: { dockerfileInline: 'FROM x\nRUN y\n' } });
  const own = 'images: { a: { build: { context: ., dockerfile: D, dockerfileInline: FROM x } } }\n';
  expect(translated('/app/own.yaml', { '/app/own.yaml': own }).issues).toEqual([
    expect.stringContaining('dockerfile and dockerfileInline exclude each other'),
  ]);
  const both = service('build: { context: ., dockerfile: D, dockerfile_inline: "FROM x" }').issues;
  expect(both).toContainEqual(expect.stringContaining('dockerfile and dockerfile_inline exclude each other'));
});

test('optional dependencies are omitted where they are missing', () => {
  const result = service('depends_on: { gone: { condition: service_started, required: false } }');
  expect(result.issues).toEqual([]);
  expect(result.warnings).toContainEqual(expect.stringContaining('gone is left out'));
});

describe('networks', () => {
  test('that share a service stay what each of them is', () => {
    const networks = 'networks: { back: { internal: true }, front: {} }';
    const { issues, warnings, manifest } = service('networks: [ back, front ]', { '.': networks });
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.networks).toEqual({ back: { internal: true }, front: {} });
    expect(manifest.containers?.a).toMatchObject({ networks: ['back', 'front'] });
    expect(manifest.containers?.a).not.toHaveProperty('network');
  });

  test('names that do not resolve are reported wherever a host name can appear, and no others', () => {
    const { warnings } = translated('/app/shop.yaml', {
      '/app/shop.yaml': `
services:
  web: { image: x, networks: [ front ] }
  my_db: { image: x }
  other: { image: x }
  third: { image: x, container_name: the-third, hostname: drei }
  a:
    image: x
    environment:
      URL: http://web/
      QUEUE: amqp://me:pw@web:5672/x
      DB_HOST: my_db
      OTHER_HOST: other,the-third,drei
      ROLE: web
      DIR: /srv/web/
      SCRIPT: "# web"
networks: { front: {} }
`,
    });
    expect(warnings).toEqual([
      '/app/shop.yaml:10:7: web does not resolve here: a is on the network default, and web on front',
      '/app/shop.yaml:12:7: my_db does not resolve here: the container is called my-db; use that name, or list my_db under links',
    ]);
  });
});

describe('several files', () => {
  const base = `
services:
  web:
    image: nginx:1
    command: [ a, b ]
    environment: { A: "1", B: "1" }
    ports: [ "80:80", "443:443" ]
    volumes: [ "./conf:/conf", "data:/data" ]
    depends_on: [ db ]
    logging: { driver: json-file, options: { max-size: 10m } }
    healthcheck: { test: [ CMD, x ], retries: 5 }
    deploy: { resources: { limits: { memory: 100M, cpus: "1" } } }
  db: { image: postgres:16 }
volumes: { data: {} }
`;
  const over = `
services:
  web:
    command: [ c ]
    environment: [ "B=2", "C=3" ]
    ports: [ "8080:80", "443:443" ]
    volumes: [ "./other:/conf" ]
    depends_on: { cache: { condition: service_started } }
    logging: { options: { max-file: "2" } }
    healthcheck: { retries: 7 }
    deploy: { resources: { limits: { memory: 200M } } }
  cache: { image: redis }
`;
  const merged = {
    image: 'docker.io/library/nginx:1',
    command: ['c'],
    env: { A: '1', B: '2', C: '3' },
    ports: ['80:80', '443:443', '8080:80'],
    links: ['db', 'cache'],
    log: { maxSize: '10m', maxFiles: 2 },
    health: { exec: ['x'], retries: 7 },
    resources: { memory: '200M', cpus: 1 },
  };

  test('of several -f are merged as Compose merges them', () => {
    const files = { '/app/compose.yaml': base, '/app/prod.yaml': over };
    const result = translatedTogether(['/app/compose.yaml', '/app/prod.yaml'], files);
    expect(result.issues).toEqual([]);
    expect(result.app).toBe('app');
    expect(result.manifest.containers?.web).toMatchObject(merged);
    const mounts = (result.specs['container/web'] as { volumes: { source: string; target: string }[] }).volumes;
    expect(mounts.map(({ source, target }) => `${source}:${target}`)).toEqual(['./other:/conf', 'data:/data']);
  });

  test('of which one is an override by name are merged, with a note', () => {
    const files = { '/app/docker-compose.yml': base, '/app/compose.override.yaml': over };
    const result = translated('/app/docker-compose.yml', files);
    expect(result.manifest.containers?.web).toMatchObject(merged);
    expect(result.warnings).toContain(
      '/app/compose.override.yaml:1:1: it is merged over docker-compose.yml beside it, as Compose does',
    );
    expect(result.inputs).toContain('/app/compose.override.yaml');
    const sources = groupFiles(Object.entries(files).map(([path, text]) => ({ path, content: { ok: true, text } })));
    expect(sources.map(({ path }) => path)).toEqual(['/app/docker-compose.yml']);
    expect(translated('/app/docker-compose.yml', { '/app/docker-compose.yml': base }).inputs).toContain(
      '/app/compose.override.yml',
    );
  });

  test('merge with !reset as removal and !override as replacement', () => {
    const result = translatedTogether(['/app/a.yaml', '/app/b.yaml'], {
      '/app/a.yaml': base,
      '/app/b.yaml': `
services:
  web:
    ports: !override [ "9:9" ]
    environment: { A: !reset null }
    volumes: !reset []
    command: !reset null
  db: !reset {}
`,
    });
    // What is taken away cannot be depended on.
    expect(result.issues).toEqual([expect.stringContaining('there is no service "db"')]);
    expect(result.manifest.containers?.web).toMatchObject({ ports: ['9:9'], env: { B: '1' } });
    expect(result.manifest.containers?.web).not.toHaveProperty('volumes');
    expect(result.manifest.containers?.web).not.toHaveProperty('command');
    expect(
      translated('/app/kube.yaml', { '/app/kube.yaml': 'apiVersion: v1\nkind: Pod\nspec: !reset {}\n' }).issues,
    ).toContain('/app/kube.yaml:3:14: the tag !reset is not supported');
  });

  test('of different forms are not merged', () => {
    const { issues } = translatedTogether(['/app/a.yaml', '/app/b.yaml'], {
      '/app/a.yaml': base,
      '/app/b.yaml': 'services: { web: { ports: { a: b } } }\n',
    });
    expect(issues).toContainEqual(
      expect.stringContaining('services.web.ports has another form than on line 7 of /app/a.yaml'),
    );
  });
});

describe('include', () => {
  const files: Files = {
    '/app/.env': 'TAG=9\n',
    '/app/shop.yaml': `
include:
  - ../common/compose.yaml
  - { path: [ parts/a.yaml, parts/b.yaml ], project_directory: ., env_file: parts/a.env }
services:
  web: { image: "web:\${TAG}", depends_on: [ db, worker ] }
`,
    '/common/compose.yaml': `
name: ignored
services:
  db:
    image: "db:\${TAG}-\${OWN}"
    build: .
    env_file: [ ./db.env ]
    volumes: [ "./data:/data" ]
    secrets: [ pw ]
  extended: { extends: { file: base.yaml, service: base } }
secrets: { pw: { file: ./pw } }
`,
    '/common/.env': 'TAG=1\nOWN=2\n',
    '/common/base.yaml': 'services: { base: { image: base, volumes: [ "./b:/b" ] } }\n',
    '/app/parts/a.yaml': 'services: { worker: { image: "worker:${V}", volumes: [ "./w:/w" ] } }\n',
    '/app/parts/b.yaml': 'services: { worker: { command: [ "run" ] } }\n',
    '/app/parts/a.env': 'V=3\n',
  };

  test('adds other projects, with their own paths and variables', () => {
    const result = translated('/app/shop.yaml', files);
    expect(result.issues).toEqual([]);
    const { db, web, worker, extended } = result.manifest.containers ?? {};
    expect(Object.keys(result.manifest.containers ?? {})).toHaveLength(4);
    expect(result.app).toBe('shop');
    expect(web).toMatchObject({ image: 'docker.io/library/web:9', links: ['db', 'worker'] });
    expect(result.manifest.images?.db).toEqual({ build: '../common' });
    expect(db).toMatchObject({ envFile: ['../common/db.env'] });
    expect(JSON.stringify(db?.volumes)).toMatch(/\.\.\/common\/data.*\/data.*\.\.\/common\/pw.*\/run\/secrets\/pw/);
    expect(worker).toMatchObject({ image: 'docker.io/library/worker:3', command: ['run'] });
    expect(JSON.stringify(worker?.volumes)).toMatch(/\.\/w\b.*\/w/);
    expect(JSON.stringify(extended?.volumes)).toMatch(/\.\.\/common\/b\b.*\/b/);
    expect(result.inputs).toEqual(expect.arrayContaining(['/common/compose.yaml', '/common/.env', '/app/parts/a.env']));
  });

  test('of a circle, too many files, a URL or a missing file is refused', () => {
    const including = (path: string) => `include: [ ${path} ]\nservices: {}\n`;
    const issuesOf = (first: string, others: Files = {}) =>
      translated('/app/shop.yaml', { '/app/shop.yaml': first, ...others }).issues;
    expect(issuesOf(including('b.yaml'), { '/app/b.yaml': including('shop.yaml') })).toEqual([
      '/app/b.yaml:1:12: include shop.yaml: it includes itself: shop.yaml → b.yaml → shop.yaml',
    ]);
    expect(issuesOf(including('oci://example.com/x'))[0]).toContain('files of the network are not in this version');
    expect(issuesOf(including('gone.yaml'))).toContain('/app/shop.yaml:1:12: gone.yaml: no such file');
    const twice: Record<string, string> = {};
    for (let index = 0; index < 20; index++)
      twice[`/app/${index}.yaml`] = including(`${index + 1}.yaml, ${index + 1}.yaml`);
    expect(issuesOf(including('0.yaml'), twice)).toContainEqual(expect.stringContaining('includes more than 32 files'));
  });
});

test('aliases do not multiply without bound', () => {
  const aliases = Array.from({ length: 200 }, (_, index) => `a${index}`);
  const users = Array.from({ length: 20 }, (_, index) => [
    `s${index}`,
    { image: 'x', networks: ['n'], depends_on: ['t'] },
  ]);
  const services = { t: { image: 'x', networks: { n: { aliases } } }, ...Object.fromEntries(users) };
  const text = JSON.stringify({ services, networks: { n: {} } });
  const { issues, manifest } = translated('/app/shop.yaml', { '/app/shop.yaml': text });
  expect(issues).toContainEqual(expect.stringContaining('more than 64 aliases'));
  expect(manifest.containers?.s1?.links).toEqual(['t']);
});

test('extends does not multiply without bound', () => {
  const env = Array.from({ length: 3000 }, (_, index) => `V${index}=1`);
  const services = Array.from({ length: 100 }, (_, index) => [`s${index}`, { extends: 'base' }]);
  const text = JSON.stringify({
    services: { base: { image: 'x', environment: env }, ...Object.fromEntries(services) },
  });
  const { issues } = translated('/app/shop.yaml', { '/app/shop.yaml': text });
  expect(issues).toContainEqual(expect.stringContaining('grows too large when extends is written out'));
});
