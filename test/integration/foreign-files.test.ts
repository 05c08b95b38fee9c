/** Compose files, Kubernetes files and Quadlet units in the watched directory, and what `convert` makes of them. */
import { existsSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, IDLE } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();
/** As these files name images: in full. */
const IMAGE = 'example.test/busybox:1';

beforeAll(async () => {
  await supervisor.start();
  supervisor.drop('base.yaml', `${BUSYBOX_IMAGE}containers: { base: { image: busybox, command: ${FOREVER} } }\n`);
  const { imageId } = await supervisor.waitFor('base', 'ready', ({ ready }) => ready);
  await supervisor.ok('tag', imageId ?? '', IMAGE);
});

afterAll(async () => {
  await supervisor.destroy();
});

/** Serves what GREETING says. */
const SERVE = `mkdir -p /www; echo "$GREETING" > /www/index.html; busybox httpd -p 80 -h /www; ${IDLE}`;
const get = async (port: number) => (await fetch(`http://127.0.0.1:${port}/`)).text();

/** Puts the translation of a watched file in its place, and expects that nothing has to be done for it. */
async function expectSame(file: string, names: readonly string[], warning: RegExp): Promise<void> {
  const views = () => Promise.all(names.map((name) => supervisor.container(name)));
  const before = await views();
  const target = join(supervisor.base, 'converted.yaml');
  const { status, stderr } = await supervisor.cli('convert', '-f', file, '-o', target);
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(warning) });
  const text = readFileSync(target, 'utf8');
  rmSync(target);
  const at = async () => JSON.parse(await supervisor.ok('info', '-o', 'json')).generation as number;
  const generation = await at();
  supervisor.drop(file.slice(supervisor.manifests.length + 1), text);
  await until('the translation taken over', async () => (await at()) > generation);
  expect((await supervisor.cli('plan', '-o', 'json')).stdout).not.toMatch(/"op": "container\.(start|stop|create)"/);
  const after = await views();
  expect(after.map((view) => view?.pid)).toEqual(before.map((view) => view?.pid));
}

test('an untranslatable part of a watched file is reported everywhere', async () => {
  const file = supervisor.drop(
    'lossy.yaml',
    `services:
  one: { image: ${IMAGE}, command: ${FOREVER}, cgroup_parent: other, bogus: 1 }
`,
  );
  await supervisor.waitFor('one', 'ready', ({ ready }) => ready);
  const place = `${file}:2:`;
  const [view] = JSON.parse(await supervisor.ok('get', 'manifests', 'lossy', '-o', 'json'));
  expect(view).toMatchObject({ state: 'Active', issues: [] });
  expect(view.warnings.map(({ message }: { message: string }) => message)).toEqual([
    expect.stringContaining('cgroup_parent'),
    expect.stringContaining('bogus'),
  ]);
  expect(await supervisor.ok('get', 'manifests')).toMatch(/Active +\d+ +2 +warning: 2:\d+: .*\(and 1 more\)/);
  expect(await supervisor.ok('describe', 'manifest', 'lossy')).toMatch(/Warnings\n.*WARNING\n.*cgroup_parent/);
  const plan = await until('all done', async () => {
    const result = await supervisor.cli('plan');
    return result.status === 0 ? result.stdout : null;
  });
  expect(plan).toMatch(new RegExp(`warning  ${place}.*cgroup_parent[^]*warning  ${place}.*bogus[^]*Nothing to do`));
  const events = async () => (await supervisor.ok('events')).split('\n').filter((line) => line.includes('left-out'));
  expect(await events()).toEqual([expect.stringContaining('cgroup_parent'), expect.stringContaining('bogus')]);
  const logged = () =>
    supervisor.log.split('\n').filter((line) => line.includes(place) && line.includes('cgroup_parent'));
  expect(logged()).toHaveLength(1);
  // Another supervisor has a log of its own; what happened is on the timeline once.
  await supervisor.crash();
  await supervisor.start();
  await until('the look of the next supervisor', () => logged().length === 2);
  expect(await events()).toHaveLength(2);
  rmSync(file);
  await until('the app gone', async () => (await supervisor.container('one')) === undefined);
});

test('a Compose file runs, and its translation is equivalent', async () => {
  const port = await freePort();
  const file = supervisor.drop(
    'shop.yaml',
    `services:
  web:
    image: ${IMAGE}
    command: ["busybox", "sh", "-c", ${JSON.stringify(SERVE.replaceAll('$', '$$$$'))}]
    environment: { GREETING: "hello from compose" }
    ports: ["127.0.0.1:${port}:80"]
    volumes: ["content:/www"]
    healthcheck: { test: ["CMD", "busybox", "test", "-e", "/www/index.html"], interval: 1s }
  client:
    image: ${IMAGE}
    command: ["busybox", "sh", "-c", ${JSON.stringify(`until busybox wget -q -O - http://web/; do sleep 0.1; done; ${IDLE}`)}]
    depends_on: { web: { condition: service_healthy } }
    cap_drop: [ALL]
    cgroup_parent: other
volumes: { content: {} }
`,
  );
  await supervisor.waitFor('client', 'ready', ({ ready }) => ready);
  expect(await get(port)).toBe('hello from compose\n');
  await until('the neighbour reached by its name', async () => {
    return (await supervisor.ok('logs', 'client')).includes('hello from compose');
  });
  await expectSame(file, ['web', 'client'], /shop\.yaml:14:5: cgroup_parent is not in this version/);
});

test('a Compose file with inline files is merged with its override file', async () => {
  const say =
    'cat /index /etc/motd; echo "$GREETING"; busybox stat -c %a /etc/motd; (echo x > /etc/motd) 2>/dev/null || echo kept';
  supervisor.file('manifests/page/index', 'from the context\n');
  const over = (greeting: string) =>
    supervisor.drop('compose.override.yaml', `services: { page: { environment: { GREETING: ${greeting} } } }\n`);
  const override = over('one');
  const file = supervisor.drop(
    'compose.yaml',
    `name: texts
services:
  page:
    build: { context: ./page, dockerfile_inline: "FROM ${IMAGE}\\nCOPY index /index\\n" }
    command: ["busybox", "sh", "-c", ${JSON.stringify(`${say.replaceAll('$', '$$$$')}; ${IDLE}`)}]
    configs: [{ source: motd, target: /etc/motd }]
    volumes: ["./made/here:/made"]
configs: { motd: { content: "text of the file\\n" } }
`,
  );
  const { id } = await supervisor.waitFor('page', 'ready', ({ ready }) => ready);
  const said = async (text: string) => (await supervisor.ok('logs', 'page')).includes(text);
  await until('its texts', () => said('from the context\ntext of the file\none\n444\nkept\n'));
  expect(statSync(join(supervisor.manifests, 'made/here')).isDirectory()).toBe(true);
  const [view] = JSON.parse(await supervisor.ok('get', 'manifests', 'texts', '-o', 'json'));
  expect(view.warnings.map(({ message }: { message: string }) => message)).toEqual([
    expect.stringContaining('merged over compose.yaml beside it'),
  ]);
  over('two');
  await until('the override that was edited', () => said('\ntwo\n'));
  rmSync(file);
  rmSync(override);
  await until('the app gone', async () => (await supervisor.container('page')) === undefined);
  expect(existsSync(join(supervisor.root, 'containers', id))).toBe(false);
});

test('an edited inline file moves with the new container', async () => {
  const drop = (text: string) =>
    supervisor.drop(
      'words.yaml',
      `services:
  front:
    image: ${IMAGE}
    command: ["busybox", "sh", "-c", ${JSON.stringify(`cat /word; ${IDLE}`)}]
    configs: [word]
    deploy: { update_config: { order: start-first } }
configs: { word: { content: "${text}\\n" } }
`,
    );
  const word = async () => (await supervisor.cli('exec', 'front', 'busybox', 'cat', '/word')).stdout.trim();
  const file = drop('first');
  const before = await supervisor.waitFor('front', 'ready', ({ ready }) => ready);
  expect(await word()).toBe('first');
  drop('second');
  await supervisor.waitFor('front', 'the one that took over', ({ id, ready }) => ready && id !== before.id);
  expect(await word()).toBe('second');
  await supervisor.ok('restart', 'front', '--wait=2m');
  expect(await word()).toBe('second');
  rmSync(file);
  await until('the app gone', async () => (await supervisor.container('front')) === undefined);
});

test('a Kubernetes file runs, and its translation is equivalent', async () => {
  const port = await freePort();
  const file = supervisor.drop(
    'pod.yaml',
    `apiVersion: v1
kind: ConfigMap
metadata: { name: words }
data: { greeting: hello from a pod }
---
apiVersion: v1
kind: Pod
metadata: { name: site }
spec:
  initContainers:
    - { name: prepare, image: "${IMAGE}", command: [busybox, touch, /shared/prepared], volumeMounts: [{ name: shared, mountPath: /shared }] }
  containers:
    - name: server
      image: ${IMAGE}
      command: [busybox, sh, -c, ${JSON.stringify(`test -e /shared/prepared || exit 9; ${SERVE}`)}]
      env: [{ name: GREETING, valueFrom: { configMapKeyRef: { name: words, key: greeting } } }]
      ports: [{ containerPort: 80, hostPort: ${port}, hostIP: 127.0.0.1 }]
      readinessProbe: { httpGet: { port: 80, path: /index.html }, periodSeconds: 1 }
      volumeMounts: [{ name: shared, mountPath: /shared }]
    - { name: helper, image: "${IMAGE}", command: [busybox, sh, -c, ${JSON.stringify(`until busybox wget -q -O - http://127.0.0.1/; do sleep 0.1; done; ${IDLE}`)}] }
  volumes: [{ name: shared, emptyDir: {} }]
`,
  );
  await supervisor.waitFor('site-server', 'ready', ({ ready }) => ready);
  expect(await get(port)).toBe('hello from a pod\n');
  await until('the second container in the network of the first', async () => {
    return (await supervisor.ok('logs', 'site-helper')).includes('hello from a pod');
  });
  await expectSame(file, ['site-server', 'site-helper'], /pod\.yaml:21:\d+: emptyDir becomes the volume/);
});

test('Quadlet units run, and their translation applies', async () => {
  const units = {
    'data.volume': '[Volume]\nLabel=kind=data\n',
    'counter.container': `[Unit]
Description=Counts its starts
[Container]
Image=${IMAGE}
Volume=data.volume:/data
Environment="GREETING=hello from a unit"
Exec=busybox sh -c "echo $GREETING >> /data/starts; cat /data/starts; echo end; trap 'exit 0' TERM; sleep 3600 & wait"
[Service]
Restart=always
[Install]
WantedBy=multi-user.target
`,
  };
  for (const [name, text] of Object.entries(units)) supervisor.drop(name, text);
  await supervisor.waitFor('counter', 'ready', ({ ready }) => ready);
  const printed = (name: string, text: string) =>
    until(`${name} has printed its lines`, async () => (await supervisor.ok('logs', name)) === text);
  await printed('counter', 'hello from a unit\nend\n');
  await supervisor.ok('restart', 'counter');
  // What the volume keeps shows that both runs had it.
  await printed('counter', 'hello from a unit\nend\nhello from a unit\nhello from a unit\nend\n');
  expect(await supervisor.ok('get', 'volumes')).toMatch(/^data\s/m);

  for (const [name, text] of Object.entries(units)) supervisor.file(`units/${name}`, text);
  const translated = join(supervisor.base, 'translated.yaml');
  const { status, stderr } = await supervisor.cli('convert', '-f', join(supervisor.base, 'units'), '-o', translated);
  expect({ status, stderr }).toEqual({ status: 0, stderr: expect.stringMatching(/counter\.container:\d+:1: /) });
  await supervisor.ok('apply', '--wait=2m', '-f', translated);
  await printed('units/counter', 'hello from a unit\nend\n');
});
