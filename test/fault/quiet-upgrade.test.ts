/** A host goes from an earlier version to this one: whatever ran continues, and there is nothing to do. */
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ContainerView, NetworkView } from '../../src/api/views/resource-views.ts';
import { armed } from '../support/armed.ts';
import { BUSYBOX_IMAGE, FOREVER, IDLE, shell } from '../support/manifests.ts';
import { hasCommit, programOf } from '../support/past-version.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

/** The last commit before contents were pinned, names resolved without links and commands waited for a settled run. */
const BEFORE = 'd456a48';

let supervisor: TestSupervisor;

beforeEach(() => {
  supervisor = new TestSupervisor();
});
afterEach(() => supervisor.destroy());

/** One of everything that a record, a lease, a mount or an image of the state is written for. */
const watched = (port: number, udp: number): string => `${BUSYBOX_IMAGE}
volumes: { data: {} }
networks: { back: {}, shut: { internal: true } }
containers:
  db:
    image: busybox
    network: back
    command: ${shell(`echo started >> /data/log; ${IDLE}`)}
    volumes: ["data:/data", "./settings.txt:/etc/settings.txt:ro", "./live:/live"]
    restart: always
    health: { exec: [busybox, test, -e, /data/log], interval: 500ms }
    resources: { memory: 64MiB, pids: 50, cpus: 0.5 }
  web:
    image: busybox
    network: back
    links: [db, "db:database"]
    command: ${shell('echo hello > /index.html; exec busybox httpd -f -p 80 -h /')}
    ports: ["127.0.0.1:${port}:80", "127.0.0.1:${udp}:53/udp"]
    env: { PASSWORD: { fromFile: ./secret }, PLAIN: text }
    envFile: ./web.env
    restart: { policy: on-failure, max: 5 }
    capabilities: { drop: [ALL], add: [NET_BIND_SERVICE, CHOWN] }
    extraHosts: ["other:10.1.2.3"]
  beside: { image: busybox, network: "container:web", command: ${FOREVER} }
  host: { image: busybox, network: host, command: ${FOREVER} }
  alone: { image: busybox, network: none, command: ${FOREVER}, init: true }
  shut: { image: busybox, network: shut, command: ${FOREVER}, user: "1000:1000", readOnly: true, volumes: [{ type: tmpfs, target: /tmp }], update: { order: start-first, timeout: 20s } }
  terminal: { image: busybox, command: [busybox, cat], tty: true, stdin: true, restart: unless-stopped }
  job: { image: busybox, command: ${shell('exit 0')}, restart: on-failure }
  after: { image: busybox, command: ${FOREVER}, dependsOn: [{ container: job, condition: completed }] }
  failed: { image: busybox, command: ${shell('exit 3')} }
  stopped: { image: busybox, command: ${FOREVER} }
`;

/** Applied from a file beside the watched directory, with an image that is built. */
const APPLIED = `images:
  busybox: { host: [busybox] }
  page: { build: ./page }
containers:
  site: { image: page, command: ${FOREVER}, volumes: ["./conf.txt:/conf.txt:ro"], restart: always }
`;

/** A file of Compose, of which this version may make more than the earlier one. */
const COMPOSE = `services:
  page:
    build: ./own
    command: /busybox sleep 1000000
    volumes: ["./live:/live", "./conf.txt:/conf.txt:ro", "kept:/kept"]
    ports: ["127.0.0.1::80/tcp"]
    environment: { NEXT: "http://next/" }
    restart: always
  next: { build: ./own, command: /busybox sleep 1000000, depends_on: [page] }
volumes: { kept: {} }
`;

const facts = ({ id, pid, exitCode, restarts, run, address }: ContainerView & { run?: number }) => ({
  id,
  pid,
  exitCode,
  restarts,
  run,
  address,
});

async function everything(): Promise<Record<string, unknown>> {
  const containers = await supervisor.containers();
  return Object.fromEntries(containers.map((view) => [`${view.app}/${view.name}`, facts(view)]));
}

const isUp = ({ name, phase, ready }: ContainerView): boolean =>
  ['job', 'failed', 'stopped'].includes(name) ? phase === 'Exited' : ready;

async function runBefore(port: number, udp: number): Promise<Record<string, unknown>> {
  supervisor.program = programOf(BEFORE);
  await supervisor.start();
  for (const [name, text] of Object.entries({
    'settings.txt': 'one\n',
    secret: 'hidden\n',
    'web.env': 'FROM=file\n',
  })) {
    writeFileSync(join(supervisor.manifests, name), text);
  }
  supervisor.file('manifests/live/file', 'live\n');
  supervisor.drop('shop.yaml', watched(port, udp));
  supervisor.file('applied/page/Dockerfile', 'FROM busybox\nCOPY index.html /index.html\n');
  supervisor.file('applied/page/index.html', 'built\n');
  supervisor.file('applied/conf.txt', 'conf\n');
  const file = supervisor.file('applied/site.yaml', APPLIED);
  await supervisor.ok('apply', '--wait=2m', '-f', file);
  supervisor.file('applied/live/file', 'live\n');
  supervisor.file('applied/own/Dockerfile', 'FROM scratch\nCOPY --chmod=755 busybox /busybox\n');
  copyFileSync('/bin/busybox', join(dirname(file), 'own/busybox'));
  await supervisor.ok('apply', '--wait=2m', '-f', supervisor.file('applied/pages.compose.yaml', COMPOSE));
  await supervisor.waitFor('stopped', 'runs', ({ ready }) => ready);
  await supervisor.ok('stop', 'stopped');
  await until('all containers as declared', async () => {
    const views = await supervisor.containers();
    return views.length === 14 && views.every(isUp);
  });
  return everything();
}

async function expectQuiet(before: Record<string, unknown>): Promise<void> {
  const { ops } = JSON.parse((await supervisor.cli('plan', '-o', 'json')).stdout);
  expect(ops).toEqual([]);
  expect(await everything()).toEqual(before);
  const networks = JSON.parse(await supervisor.ok('get', 'networks', '-o', 'json')) as readonly NetworkView[];
  expect(networks.filter(({ subnet6 }) => subnet6 !== null)).toEqual([]);
}

/** Operations on the apps, also those that are of no consequence for what runs. */
async function reported(): Promise<string[]> {
  const lines = (await supervisor.ok('events', '--since', '1h')).split('\n');
  return lines.filter((line) => / op +\w+\/(shop|site|pages)\//.test(line));
}

/** One look at everything has ended since: what it found to do would have been done. */
async function afterALook(): Promise<void> {
  const probe = 'containers:\n  probe: { image: shop/busybox, command: [busybox, "true"] }\n';
  supervisor.drop('later.yaml', probe);
  await supervisor.waitFor('probe', 'ended', ({ phase }) => phase === 'Exited');
}

test.skipIf(!hasCommit(BEFORE)).each(['is stopped', 'crashes'] as const)(
  `nothing restarts and the plan is empty when the supervisor of ${BEFORE} %s and this one starts (needs the history of the repository)`,
  async (end) => {
    const current = supervisor.program;
    const [port, udp] = [await freePort(), await freePort()];
    const before = await runBefore(port, udp);
    const known = (await reported()).length;
    if (end === 'crashes') await supervisor.crash();
    else await supervisor.stop();
    supervisor.program = current;
    await supervisor.start();
    await expectQuiet(before);
    expect((await reported()).slice(known)).toEqual([]);
    expect(await (await fetch(`http://127.0.0.1:${port}/`)).text()).toBe('hello\n');
    await afterALook();
    const now = await everything();
    expect(now).toMatchObject(before);
    // And once more by this version, over what it wrote itself.
    await supervisor.crash();
    await supervisor.start();
    expect(await everything()).toEqual(now);
  },
);

test.skipIf(!hasCommit(BEFORE))(
  `containers of ${BEFORE} keep their control groups until their next run (needs the history of the repository)`,
  async () => {
    const current = supervisor.program;
    supervisor.program = programOf(BEFORE);
    await supervisor.start();
    const container = (name: string, fields: string): string =>
      `  ${name}: { image: busybox, command: ${FOREVER}${fields} }\n`;
    const limits = ', resources: { memory: 64MiB }';
    supervisor.drop(
      'app.yaml',
      `${BUSYBOX_IMAGE}containers:\n${container('plain', '')}${container('limited', limits)}`,
    );
    const groups = (pid: number | null): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8');
    const before = [];
    for (const name of ['plain', 'limited']) {
      const { pid } = await supervisor.waitFor(name, 'runs', ({ ready }) => ready);
      before.push({ name, pid, groups: groups(pid) });
    }
    await supervisor.crash();
    supervisor.program = current;
    await supervisor.start();
    const own = (id: string): string => `/tsdocker-${supervisor.instance}/${id}`;
    for (const { name, pid, groups: kept } of before) {
      const view = await supervisor.waitFor(name, 'is adopted', ({ ready }) => ready);
      expect(view.pid).toBe(pid);
      expect(groups(pid)).toBe(kept);
      const shares = view.conditions.some(({ type }) => type === 'SharedGroups');
      expect(shares).toBe(
        kept
          .trim()
          .split('\n')
          .some((line) => !line.endsWith(own(view.id))),
      );
      const seen = ['busybox', 'sh', '-c', 'cat /proc/self/cgroup; busybox cmp /proc/self/cgroup /proc/1/cgroup'];
      expect(await supervisor.ok('exec', name, '--', ...seen)).not.toContain('differ');
    }
    await supervisor.ok('restart', 'plain');
    const { id, pid, conditions } = await supervisor.waitFor('plain', 'runs again', ({ ready }) => ready);
    const foreign = groups(pid)
      .trim()
      .split('\n')
      .filter((line) => !line.endsWith(own(id)));
    expect(foreign).toEqual([]);
    expect(conditions.some(({ type }) => type === 'SharedGroups')).toBe(false);
  },
);

test.skipIf(!hasCommit(BEFORE))(
  `containers of ${BEFORE} have a system call filter from their next run on (needs the history of the repository)`,
  async () => {
    const current = supervisor.program;
    supervisor.program = programOf(BEFORE);
    await supervisor.start();
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${FOREVER} }\n`);
    const before = await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
    const mode = (pid: number | null) => /^Seccomp:\t(\d)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    const report = async () => (await supervisor.cli('doctor')).stdout;
    await supervisor.crash();
    supervisor.program = current;
    await supervisor.start();
    const adopted = await supervisor.waitFor('web', 'is adopted', ({ ready }) => ready);
    expect([adopted.pid, mode(adopted.pid)]).toEqual([before.pid, '0']);
    expect(adopted.conditions.find(({ type }) => type === 'Unfiltered')).toMatchObject({ reason: 'EarlierVersion' });
    expect(await report()).toContain('app-web (an earlier version started it)');
    expect(await supervisor.ok('exec', 'web', 'busybox', 'grep', 'Seccomp:', '/proc/self/status')).toContain('\t0');
    await supervisor.ok('restart', 'web');
    const next = await supervisor.waitFor('web', 'runs again', ({ ready, pid }) => ready && pid !== before.pid);
    expect(mode(next.pid)).toBe('2');
    expect(await report()).not.toContain('an earlier version started it');
  },
);

test.skipIf(!hasCommit(BEFORE))(
  `a container of ${BEFORE} that is asked to end is waited for after the third signal (needs the history of the repository)`,
  async () => {
    const current = supervisor.program;
    supervisor.program = programOf(BEFORE);
    await supervisor.start();
    const script =
      'trap "echo asked; until [ -e /go ]; do sleep 0.1; done; exit 5" TERM; while :; do sleep 3600 & wait; done';
    const web = `web: { image: busybox, command: ${shell(script)}, stopTimeout: 10m }`;
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n  ${web}\n`);
    const { id, pid } = await supervisor.waitFor('web', 'runs', ({ ready }) => ready);
    await armed(pid);
    await supervisor.stop();
    supervisor.program = current;
    await supervisor.start('--stop-containers');
    await supervisor.waitFor('web', 'is adopted', ({ ready }) => ready);
    supervisor.signal('SIGTERM');
    await until('its last words', async () => (await supervisor.ok('logs', 'web')).includes('asked'));
    for (const count of [2, 3]) {
      supervisor.signal('SIGTERM');
      await until(`signal ${count}`, () => supervisor.log.includes(`signal ${count} of 4`));
    }
    // It still answers: the stage of the containers is not over.
    await supervisor.ok('version');
    writeFileSync(`/proc/${pid}/root/go`, '');
    expect(await supervisor.gone()).toEqual({ code: 0, signal: null });
    expect(await supervisor.exitRecord(id)).toMatchObject({ exitCode: 5 });
  },
);
