import { describe, expect, test } from 'vitest';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen } = useTerminal();

describe('get', () => {
  test('containers', async () => {
    expect(await screen(['get', 'containers'])).toMatchInlineSnapshot(`
      "NAME     APP   PHASE       READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   IMAGE  MESSAGE
      web      blog  Running     yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  nginx  -
      migrate  blog  BackingOff  no     137   11        10s    -          -                       nginx  exited with 137, next try in 4 s
      --- exit 0"
    `);
  });

  test('wide', async () => {
    expect(await screen(['get', 'c', 'web', '-o', 'wide'])).toMatchInlineSnapshot(`
      "NAME  APP   PHASE    READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   ENGINE NAME  ID            PID   CONDITIONS  SOURCE                                  IMAGE  MESSAGE
      web   blog  Running  yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  blog-web     a1a1a1a1a1a1  4242  -           /etc/tsdocker/manifests/blog.yaml:12:3  nginx  -
      --- exit 0"
    `);
  });

  test('on a narrow terminal a row stays a line', async () => {
    const { stdout } = await run(['get', 'containers'], { columns: 112, env: { NO_COLOR: '1' } });
    expect(stdout).toMatchInlineSnapshot(`
      "NAME     APP   PHASE       READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   IMAGE  MESSAGE
      web      blog  Running     yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  nginx  -
      migrate  blog  BackingOff  no     137   11        10s    -          -                       nginx  exited with …
      "
    `);
    expect(stdout.split('\n').every((line) => line.length <= 112)).toBe(true);
  });

  test.each(['images', 'volumes', 'networks', 'manifests'])('%s', async (list) => {
    expect(await screen(['get', list])).toMatchSnapshot();
    expect(await screen(['get', list, '-o', 'wide'])).toMatchSnapshot();
  });

  test('images is short for get images', async () => {
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

  test('json is the array of the facade, with every field that scripts rely on', async () => {
    const { stdout } = await run(['get', 'containers', '-o', 'json']);
    expect(JSON.parse(stdout)).toEqual(served().supervisor.list('containers'));
    expect(Object.keys(JSON.parse(stdout)[0])).toEqual(
      expect.arrayContaining(
        'name app engineName phase ready pid exitCode restarts image address ports startedAt message source'.split(' '),
      ),
    );
  });

  test('names select by short name, app and engine name; one that nobody has is an error after the rest', async () => {
    expect(await screen(['get', 'c', 'blog/web', 'blog-migrate', 'nope', '-o', 'name'])).toMatchInlineSnapshot(`
      "blog/web
      blog/migrate
      --- stderr
      error: none of the containers is named nope
      hint: \`tsdocker get\` lists what exists.
      --- exit 1"
    `);
  });

  test('an unknown list names those there are', async () => {
    expect(await screen(['get', 'pods'])).toMatchInlineSnapshot(`
      "--- stderr
      error: there is no list named pods
      hint: Lists: containers, images, volumes, networks, manifests.
      --- exit 1"
    `);
  });

  test('an empty list is no table', async () => {
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
    generation:  7
    specHash:    e5e5e5e5e5e5

    Conditions
    TYPE   STATUS  SINCE  REASON   MESSAGE
    Ready  yes     -      Running  runs since 03:00

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
