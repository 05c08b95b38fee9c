/** The supervisor is replaced by one of another version, while containers run below shims of the one before. */
import { existsSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { type Edit, type Installation, install } from '../support/other-version.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const version = (to: number): Edit => ({
  file: 'shim/protocol.h',
  from: '#define PROTOCOL_VERSION 1',
  to: `#define PROTOCOL_VERSION ${to}`,
});

/**
 * Before a terminal could be resized, before the status said whether there is one, and before shims held what a run was
 * started with, and its network.
 */
const OLDER: readonly Edit[] = [
  version(0),
  { file: 'dist/chunks', from: '[RUN_FACTS_FD, factsFd],', to: '' },
  { file: 'dist/chunks', from: 'NETNS_FD = 10;', to: 'NETNS_FD = 50;' },
  { file: 'shim/connections.c', from: 'case REQUEST_RESIZE: error = resize(shim, decoder); break;', to: '' },
  { file: 'shim/connections.c', from: 'static int resize(', to: 'static __attribute__((unused)) int resize(' },
  { file: 'shim/connections.c', from: '&status, sizeof status);', to: '&status, sizeof status - 8);' },
];

/** Says more than we know: an event of its own to everyone who connects, and a longer status. */
const NEWER: readonly Edit[] = [
  version(2),
  { file: 'shim/protocol.h', from: 'int32_t record_error;', to: 'int32_t record_error; uint32_t later[16];' },
  {
    file: 'shim/connections.c',
    from: '        *connection = (struct connection){.fd = fd};\n        return;',
    to: '        *connection = (struct connection){.fd = fd};\n        connection_send(connection, (enum answer)0x8077, shim, 64);\n        return;',
  },
];

/** With frames that we do not understand. */
const FOREIGN: readonly Edit[] = [
  { file: 'shim/protocol.h', from: '#define PROTOCOL_VERSION 1', to: '#define PROTOCOL_VERSION 257' },
  { file: 'shim/protocol.c', from: 'out[0] = PROTOCOL_VERSION, out[1] = 0;', to: 'out[0] = out[1] = 1;' },
  { file: 'dist/chunks', from: 'PROTOCOL_VERSION = 1;', to: 'PROTOCOL_VERSION = 257;' },
  // Calculated in the build.
  { file: 'dist/chunks', from: 'version >> 8 !== 0', to: 'version >> 8 !== 1' },
];

let supervisor: TestSupervisor;
let other: Installation | null = null;
let current: string;

beforeEach(() => {
  supervisor = new TestSupervisor();
  current = supervisor.program;
});

afterEach(async () => {
  await supervisor.destroy();
  other?.remove();
  other = null;
});

async function startOther(edits: readonly Edit[]): Promise<void> {
  other = install(edits);
  supervisor.program = other.program;
  await supervisor.start();
}

async function replace(program: string): Promise<void> {
  await supervisor.stop();
  supervisor.program = program;
  await supervisor.start();
}

const manifest = (port: number): string => `${BUSYBOX_IMAGE}volumes: { data: {} }
containers:
  web:
    image: busybox
    command: ${shell('busybox httpd -p 80; i=0; while :; do i=$((i+1)); echo line $i; sleep 0.02; done')}
    ports: ["127.0.0.1:${port}:80"]
    restart: always
    stopTimeout: 300ms
    env: { SAYS: inside }
    capabilities: { drop: [ALL], add: [NET_BIND_SERVICE] }
  job: { image: busybox, command: ${shell('until [ -e /data/go ]; do sleep 0.02; done; echo done; exit 7')}, volumes: ["data:/data"] }
  early: { image: busybox, command: ${shell('until [ -e /data/early ]; do sleep 0.02; done; exit 5')}, volumes: ["data:/data"] }
  terminal: { image: busybox, command: [busybox, cat], tty: true, stdin: true, restart: always }
`;

const running = ({ pid }: { pid: number | null }): boolean => pid !== null;

function accepts(port: number): Promise<boolean> {
  return new Promise((done) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => done(false));
    socket.on('connect', () => {
      socket.destroy();
      done(true);
    });
  });
}

describe('containers of another version', () => {
  test.each<[string, readonly Edit[]]>([
    ['older', OLDER],
    ['newer', NEWER],
  ])('of a %s version are taken over', async (_, edits) => {
    const port = await freePort();
    await startOther(edits);
    supervisor.drop('app.yaml', manifest(port));
    const names = ['web', 'job', 'early', 'terminal'];
    const before = await Promise.all(names.map((name) => supervisor.waitFor(name, 'runs', running)));
    const lines = async () => (await supervisor.ok('logs', 'web')).trimEnd().split('\n');
    await until('output', async () => (await lines()).length > 1);

    await supervisor.stop();
    // No one is there when it ends.
    const early = before[2]?.pid ?? 0;
    writeFileSync(`/proc/${early}/root/data/early`, '');
    await until('the end of early', () => !existsSync(`/proc/${early}`));
    supervisor.program = current;
    await supervisor.start();

    for (const { name, id, pid } of before.filter(({ name }) => name !== 'early')) {
      expect(await supervisor.container(name)).toMatchObject({ id, pid, phase: 'Running', restarts: 0 });
    }
    expect(await supervisor.container('early')).toMatchObject({ phase: 'Exited', exitCode: 5 });
    const seen = (await lines()).length;
    await until('more output', async () => (await lines()).length > seen);
    const log = await lines();
    expect(log).toEqual(log.map((_line, index) => `line ${index + 1}`));
    expect(await accepts(port)).toBe(true);
    const asked = ['busybox', 'sh', '-c', 'echo $SAYS; busybox grep CapBnd /proc/self/status'];
    expect(await supervisor.ok('exec', 'web', ...asked)).toBe('inside\nCapBnd:\t0000000000000400\n');
    await supervisor.ok('exec', 'job', 'busybox', 'touch', '/data/go');
    expect(await supervisor.waitFor('job', 'ended', ({ phase }) => phase === 'Exited')).toMatchObject({ exitCode: 7 });
    await supervisor.ok('kill', '-s', 'KILL', 'terminal');
    await supervisor.waitFor('terminal', 'restarted', ({ pid }) => pid !== null && pid !== before[3]?.pid);
    await supervisor.ok('stop', 'web');
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Exited', exitCode: 137, pid: null });
    await supervisor.ok('start', 'web');
    await supervisor.waitFor('web', 'runs below a shim of this version', running);
  });
});

test('a container whose shim has another protocol keeps running, and commands say why it is left alone', async () => {
  const port = await freePort();
  await startOther(FOREIGN);
  const web = `  web: { image: busybox, command: ${shell('busybox httpd -f -p 80')}, ports: ["127.0.0.1:${port}:80"], restart: always }\n`;
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n${web}`);
  const { id, pid } = await supervisor.waitFor('web', 'runs', running);
  await until('web answering', () => accepts(port));

  await replace(current);
  supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers:\n${web}  new: { image: busybox, command: ${FOREVER} }\n`);
  await supervisor.waitFor('new', 'runs', running);
  const left = await supervisor.container('web');
  expect(left).toMatchObject({ id, phase: 'Running', ready: false });
  expect(left?.conditions.map(({ type, status }) => [type, status])).toEqual([
    ['Ready', false],
    ['Unreachable', true],
  ]);
  expect(left?.message).toMatch(/runs on untouched: its shim speaks version 257 .* version 1; .*`kill -9 \d+`/);
  expect(existsSync(`/proc/${pid}`)).toBe(true);
  expect(supervisor.hostState().processes).toHaveLength(2);
  expect(await accepts(port)).toBe(true);
  // Once as a problem, once as the reason of its hold, however often it is asked again.
  await supervisor.cli('plan');
  expect(supervisor.log.match(/runs on untouched/g)).toHaveLength(2);
  const stopped = await supervisor.cli('stop', 'web');
  expect(stopped.status).not.toBe(0);
  expect(stopped.stderr).toContain('runs on untouched');

  await replace(other?.program ?? '');
  expect(await supervisor.container('web')).toMatchObject({ id, pid, phase: 'Running', restarts: 0 });

  await replace(current);
  const shim = Number(/kill -9 (\d+)/.exec((await supervisor.container('web'))?.message ?? '')?.[1]);
  process.kill(shim, 'SIGKILL');
  await supervisor.waitFor('web', 'started by this version', (view) => view.pid !== null && view.pid !== pid);
});
