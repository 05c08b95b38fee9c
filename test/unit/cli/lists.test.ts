import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { VIEWS } from '../../../src/cli/output/views.ts';
import { WEB } from '../../support/api/plain-supervisor.ts';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen } = useTerminal();

describe('get', () => {
  test('containers', async () => {
    expect(await screen(['get', 'containers'])).toMatchInlineSnapshot(`
      "NAME     APP   PHASE       READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   IMAGE  MESSAGE
      web      blog  Running     yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  nginx  -
      migrate  blog  BackingOff  no     137   11        10s    -          -                       nginx  exited with 137, next try in 4 s
      --- stderr
      hint: blog/migrate: \`tsdocker logs blog/migrate\` shows what it wrote.
      1 manifest rejected: \`tsdocker get manifests\`
      --- exit 0"
    `);
  });

  test('wide', async () => {
    expect(await screen(['get', 'c', 'web', '-o', 'wide'])).toMatchInlineSnapshot(`
      "NAME  APP   PHASE    READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   NETWORKS                        ENGINE NAME  ID            PID   CONDITIONS  SOURCE                                  IMAGE  MESSAGE
      web   blog  Running  yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  blog/back 10.80.0.3 fd00:80::3  blog-web     a1a1a1a1a1a1  4242  -           /etc/tsdocker/manifests/blog.yaml:12:3  nginx  -
      --- stderr
      1 manifest rejected: \`tsdocker get manifests\`
      --- exit 0"
    `);
  });

  test('80 columns fit the main columns of every list, -o wide shows all', async () => {
    const supervisor = served().supervisor;
    const [migrate] = supervisor.containers.slice(1);
    supervisor.containers = [
      { ...WEB, name: 'a-long-name-of-a-web-server', ports: ['127.0.0.1:8080->80/tcp', '0.0.0.0:8443->443/tcp'] },
      { ...(migrate ?? WEB), image: 'registry.example:5000/team/project/application:1.2.3' },
    ];
    const lists = ['containers', 'images', 'volumes', 'networks', 'manifests'];
    for (const list of lists) {
      const { stdout } = await run(['get', list], { columns: 80, env: { NO_COLOR: '1' } });
      expect(stdout.split('\n').filter((line) => line.length > 80)).toEqual([]);
      expect(stdout).toMatchSnapshot();
    }
    const wide = await run(['get', 'containers', '-o', 'wide'], { columns: 80, env: { NO_COLOR: '1' } });
    expect(wide.stdout).toBe((await run(['get', 'containers', '-o', 'wide'])).stdout);
  });

  test('APP/ selects the resources of an app, by default containers', async () => {
    expect((await run(['get', 'blog/', '-o', 'name'])).stdout).toBe('blog/web\nblog/migrate\n');
    expect((await run(['get', 'volumes', 'blog/', '-o', 'name'])).stdout).not.toBe('');
    expect(await screen(['get', 'blgo/'])).toMatchInlineSnapshot(`
      "--- stderr
      1 manifest rejected: \`tsdocker get manifests\`
      error: no app blgo has containers
      hint: Did you mean blog/? \`tsdocker get containers\` lists what exists.
      --- exit 1"
    `);
  });

  test('YAML has the same data as JSON', async () => {
    for (const argv of [['get', 'c'], ['get', 'images'], ['describe', 'web'], ['version'], ['info'], ['plan']]) {
      const [json, yaml] = await Promise.all(['json', 'yaml'].map((form) => run([...argv, '-o', form])));
      expect(parse(yaml?.stdout ?? '')).toEqual(JSON.parse(json?.stdout ?? ''));
    }
  });

  test('a row is one line on a narrow terminal', async () => {
    const { stdout } = await run(['get', 'containers'], { columns: 112, env: { NO_COLOR: '1' } });
    expect(stdout).toMatchInlineSnapshot(`
      "NAME     APP   PHASE       READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS            IMAGE  MESSAGE
      web      blog  Running     yes    -     2         4m     10.80.0.3  127.0.0.1:8080…  nginx  -
      migrate  blog  BackingOff  no     137   11        10s    -          -                nginx  exited with 137, ne…
      "
    `);
    expect(stdout.split('\n').every((line) => line.length <= 112)).toBe(true);
  });

  test.each(['images', 'volumes', 'networks', 'manifests'])('%s', async (list) => {
    expect(await screen(['get', list])).toMatchSnapshot();
    expect(await screen(['get', list, '-o', 'wide'])).toMatchSnapshot();
  });

  test('`images` is short for `get images`', async () => {
    expect(await screen(['images'])).toBe(await screen(['get', 'images']));
  });

  test.each([
    ['container', 'containers'],
    ['c', 'containers'],
    ['v', 'volumes'],
    ['manifest', 'manifests'],
  ])('%s is %s', async (alias, list) => {
    expect(await run(['get', alias])).toEqual(await run(['get', list]));
  });

  test('JSON is the array of the facade, with every field that scripts rely on', async () => {
    const { stdout } = await run(['get', 'containers', '-o', 'json']);
    expect(JSON.parse(stdout)).toEqual(served().supervisor.list('containers'));
    expect(Object.keys(JSON.parse(stdout)[0])).toEqual(
      expect.arrayContaining(
        'name app engineName phase ready pid exitCode restarts image address ports startedAt message source'.split(' '),
      ),
    );
  });

  test('short names, apps and engine names select rows, and an unknown one is an error after the rest', async () => {
    expect(await screen(['get', 'c', 'blog/web', 'blog-migrate', 'nope', '-o', 'name'])).toMatchInlineSnapshot(`
      "blog/web
      blog/migrate
      --- stderr
      error: none of the containers is named nope
      hint: \`tsdocker get containers\` lists what exists.
      --- exit 1"
    `);
  });

  test('an unknown list is an error that names all lists', async () => {
    expect(await screen(['get', 'pods'])).toMatchInlineSnapshot(`
      "--- stderr
      error: there is no list named pods
      hint: For a container of that name: \`tsdocker get containers pods\`. Lists: containers, images, volumes, networks, manifests.
      --- exit 1"
    `);
  });

  test('an empty list prints no table', async () => {
    served().supervisor.list = () => [];
    expect(await screen(['get', 'volumes'])).toMatchInlineSnapshot(`
      "--- stderr
      No volumes.
      --- exit 0"
    `);
    expect(await screen(['get', 'volumes', '-o', 'json'])).toMatchInlineSnapshot(`
      "[]
      --- exit 0"
    `);
  });
});

test('describe', async () => {
  expect(await screen(['describe', 'blog/web'])).toMatchInlineSnapshot(`
    "kind:        container
    name:        web
    app:         blog
    engineName:  blog-web
    id:          a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1a1
    phase:       Running
    ready:       true
    pid:         4242
    restarts:    2
    image:       nginx
    imageId:     b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2b2
    address:     10.80.0.3
    ports:       127.0.0.1:8080->80/tcp
    startedAt:   2026-01-02T03:00:00.000Z
    message:     -
    source:      /etc/tsdocker/manifests/blog.yaml:12:3
    hint:        Try again.
    generation:  7
    specHash:    e5e5e5e5e5e5

    Conditions
    TYPE   STATUS  SINCE  REASON   MESSAGE
    Ready  yes     -      Running  runs since 03:00

    Networks
    NETWORK    INTERFACE  IPV4          IPV6           MAC                GATEWAY    ALIASES
    blog/back  eth0       10.80.0.3/24  fd00:80::3/64  02:42:0a:50:00:03  10.80.0.1  www

    Specification
      image: nginx
      env:
        PASSWORD: tsd-secret:1f
      ports:
        - 127.0.0.1:8080:80

    Latest operations
    AT                        OP               STATUS  CAUSE     MESSAGE
    2026-01-02T03:00:00.000Z  container.start  done    declared  -
    --- exit 0"
  `);
  const { stdout } = await run(['describe', 'container/web', '-o', 'json']);
  expect(JSON.parse(stdout)).toEqual(served().supervisor.describe('container', 'web'));
});

test('describe manifest shows problems, resources and changes, by file, suffix or app', async () => {
  expect(await screen(['describe', 'manifest', 'blog'])).toMatchInlineSnapshot(`
    "kind:        manifest
    file:        /etc/tsdocker/manifests/blog.yaml
    app:         blog
    origin:      watched
    state:       Active
    generation:  7

    Declares
    RESOURCE           PHASE       SOURCE                                  MESSAGE
    container/web      Running     /etc/tsdocker/manifests/blog.yaml:12:3  -
    container/migrate  BackingOff  /etc/tsdocker/manifests/blog.yaml:12:3  exited with 137, next try in 4 s
    image/nginx        Ready       /etc/tsdocker/manifests/blog.yaml:3:3   -
    volume/data        Ready       /etc/tsdocker/manifests/blog.yaml:6:3   -
    network/back       Ready       /etc/tsdocker/manifests/blog.yaml:9:3   -

    Generations that it changed
    GENERATION  AGE  CAUSE
    7           4m   edited blog.yaml
    --- exit 0"
  `);
  expect(await screen(['describe', 'manifest/shop.yaml'])).toMatchInlineSnapshot(`
    "kind:        manifest
    file:        /etc/tsdocker/manifests/shop.yaml
    origin:      applied
    state:       Rejected
    generation:  5

    Problems
    AT                                     PROBLEM                                     HINT
    /etc/tsdocker/manifests/shop.yaml:4:5  unknown key "imgae"; did you mean "image"?  See docs/manifest.md.
    /etc/tsdocker/manifests/shop.yaml:4:5  unknown key "imgae"; did you mean "image"?  See docs/manifest.md.
    --- exit 0"
  `);
  const { stdout } = await run(['describe', 'm', '/etc/tsdocker/manifests/blog.yaml', '-o', 'json']);
  expect(Object.keys(JSON.parse(stdout) as object)).toEqual(['manifest', 'resources', 'history']);
  expect(await run(['describe', 'blog.yaml'])).toEqual(await run(['describe', 'manifest', 'blog']));
  expect(await run(['describe', '/etc/tsdocker/manifests/blog.yaml'])).toEqual(await run(['describe', 'm/blog']));
  expect(await run(['why', 'blog.yaml'])).toEqual(await run(['describe', 'manifest', 'blog.yaml']));
  expect((await run(['describe', 'manifest', 'nobody'])).stderr).toContain('there is no manifest nobody');
});

test('a resource without an app is shown by its name only', () => {
  expect(VIEWS.images.names({ app: '', name: '2d75ab', tags: [] } as never)).toEqual(['2d75ab']);
  expect(VIEWS.images.names({ app: 'blog', name: 'web', tags: ['web:1'] } as never)).toEqual([
    'blog/web',
    'web',
    'blog/',
    'web:1',
  ]);
});

test('an image created at the epoch has no age, an old one has years', async () => {
  const [image] = served().supervisor.list('images');
  const made = (created: string) => ({ ...image, created });
  served().supervisor.list = () => [made('1970-01-01T00:00:00Z'), made('1980-01-01T00:00:01Z')] as never;
  const lines = (await screen(['images'])).split('\n').map((line) => line.split(/ {2,}/));
  expect(lines.slice(1, 3).map((cells) => cells[6])).toEqual(['-', '46y ago']);
});
