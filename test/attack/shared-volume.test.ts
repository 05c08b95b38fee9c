/** A container that changes a shared volume without a pause while another one starts in it. */
import { spawn, spawnSync } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, mkdtempSync, openSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ContainerTree } from '../../src/drivers/exec/native/container-tree.ts';
import { OPEN_FLAGS } from '../../src/ffi/files/lookup.ts';
import { toTsdError } from '../../src/model/errors/errors.ts';
import { BUSYBOX_IMAGE, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

/** `a` becomes each of these in turn, each put in the place of the one before by a rename; in the end the link to `dir`. */
const exchange = (links: number): string => `
const fs = require('node:fs');
fs.mkdirSync('dir', { recursive: true });
let serial = 0;
let stopping = false;
process.on('SIGTERM', () => { stopping = true; });
const put = (make) => { const name = 'new' + serial++; make(name); fs.renameSync(name, 'a'); };
const turn = () => {
  for (let i = 0; i < 100; i++) {
    put((name) => fs.writeFileSync(name, ''));
    put((name) => fs.symlinkSync('a', name));
    put((name) => fs.symlinkSync('/proc/sys', name));
    for (let n = 0; n < ${links}; n++) put((name) => fs.symlinkSync('dir', name));
  }
  if (stopping) process.exit(0);
  setImmediate(turn);
};
turn();
`;

const FINAL = ['invalid', 'unsupported', 'bug', 'data-loss', 'precondition', 'not-found', 'denied'];
const LOOKUPS = 6_000;

describe.skipIf(spawnSync('node', ['-v']).error !== undefined)(
  'a container that exchanges files and links of a shared volume',
  () => {
    test('causes no permanent mount error in the other container', async () => {
      const base = mkdtempSync('/tmp/tsd-test-race-');
      const volume = join(base, 'volume');
      mkdirSync(volume);
      mkdirSync(join(base, 'root/v'), { recursive: true });
      const neighbour = spawn('node', ['-e', exchange(1)], { cwd: volume });
      const rootFd = openSync(join(base, 'root'), OPEN_FLAGS.path | OPEN_FLAGS.directory);
      try {
        await until('the first exchange', () => existsSync(join(volume, 'a')));
        const seen = new Map<string, number>();
        for (let n = 0; n < LOOKUPS; n++) {
          const tree = new ContainerTree(rootFd);
          for (const path of ['/proc', '/sys']) tree.addNewMount(path);
          tree.addHostMount('/v', volume);
          let outcome: string;
          try {
            outcome = tree.amongNeighbours(() => tree.target('/v/a/d', 'directory')).path;
          } catch (thrown) {
            const error = toTsdError(thrown);
            outcome = `${error.class}: ${error.message}`;
          }
          tree.close();
          seen.set(outcome, (seen.get(outcome) ?? 0) + 1);
        }
        // It has been found as it is, and while it was something else.
        expect(seen.get('/v/dir/d')).toBeGreaterThan(0);
        expect([...seen.keys()].some((outcome) => outcome.startsWith('unavailable: '))).toBe(true);
        expect([...seen.keys()].filter((outcome) => FINAL.some((name) => outcome.startsWith(`${name}: `)))).toEqual([]);
      } finally {
        neighbour.kill('SIGKILL');
        closeSync(rootFd);
        await until('the neighbour gone', () => neighbour.signalCode !== null);
        rmSync(base, { recursive: true });
      }
    });
  },
);

describe.skipIf(spawnSync('node', ['-v']).error !== undefined)('containers with a shared volume', () => {
  let supervisor: TestSupervisor;
  beforeEach(async () => {
    supervisor = await new TestSupervisor().start();
  });
  afterEach(() => supervisor.destroy());

  /** Mount points below the name that is exchanged: each is looked up through it. */
  const TARGETS = ['d0', 'd1', 'd2', 'd3'];
  const RESTARTS = 25;

  const manifest = (command: string): string => `
images: { node: { host: [node, sh] } }
volumes: { shared: {}, ${TARGETS.map((name) => `${name}: {}`).join(', ')} }
containers:
  neighbour:
    image: node
    command: [node, -e, ${JSON.stringify(exchange(60))}]
    workingDir: /v
    volumes: [shared:/v]
  victim:
    image: node
    command: ${command}
    volumes: [shared:/v, ${TARGETS.map((name) => `"${name}:/v/a/${name}"`).join(', ')}]
    workingDir: /v/a
    restart: { policy: always, backoff: { initial: 1ms, max: 10ms } }
`;

  test('`restart: always` starts the container once the other one has ended', async () => {
    const both = manifest('[sh, -c, "exit 1"]');
    // The neighbour comes first: the victim would make a directory of the name.
    supervisor.drop('app.yaml', both.slice(0, both.indexOf('  victim:')));
    await supervisor.waitFor('neighbour', 'runs', ({ ready }) => ready);
    supervisor.drop('app.yaml', both);
    const failed: string[] = [];
    await until(`${RESTARTS} restarts`, async () => {
      const view = await supervisor.container('victim');
      if (view?.phase === 'Failed') failed.push(view.message);
      return failed.length > 0 || (view?.restarts ?? 0) >= RESTARTS;
    });
    expect(failed).toEqual([]);
    await supervisor.ok('stop', 'neighbour');
    const alone = manifest('[sleep, "1000"]').replace('host: [node, sh]', 'host: [node, sh, sleep]');
    supervisor.drop('app.yaml', alone.replace(/ {2}neighbour:.*(?= {2}victim:)/s, ''));
    await supervisor.waitFor('victim', 'runs', ({ phase }) => phase === 'Running');
  });

  test.each([
    ['a link to the kernel interfaces', 'busybox ln -s /proc/sys /v/a'],
    ['a link to itself', 'busybox ln -s a /v/a'],
  ])('a container that finds %s at its mount point starts once that is removed', async (_, command) => {
    const neighbour = `${BUSYBOX_IMAGE}volumes: { shared: {}, data: {} }
containers:
  neighbour: { image: busybox, command: ${FOREVER}, volumes: [shared:/v] }
`;
    supervisor.drop('app.yaml', neighbour);
    await supervisor.waitFor('neighbour', 'runs', ({ ready }) => ready);
    await supervisor.ok('exec', 'neighbour', 'busybox', 'sh', '-c', command);
    const victim = `  victim: { image: busybox, command: ${FOREVER}, volumes: [shared:/v, "data:/v/a/data"], restart: always }\n`;
    supervisor.drop('app.yaml', `${neighbour}${victim}`);
    const failed = await supervisor.waitFor('victim', 'is tried', ({ phase }) => /BackingOff|Failed/.test(phase));
    expect(failed.phase, failed.message).toBe('BackingOff');
    await supervisor.ok('exec', 'neighbour', 'busybox', 'sh', '-c', 'busybox rm /v/a && busybox mkdir /v/a');
    await supervisor.waitFor('victim', 'runs', ({ phase }) => phase === 'Running');
  });
});
