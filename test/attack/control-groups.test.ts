/** A container that mounts the hierarchies of control groups finds its own groups there, and neither neighbours nor the host. */
import { execFileSync } from 'node:child_process';
import { readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { findHierarchies, hostSources } from '../../src/drivers/exec/native/cgroups/hierarchies.ts';
import { FOREVER, IDLE } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const { v1, unifiedMount } = findHierarchies(hostSources());

/** No other test's. */
const PLANTED = `planted-${process.pid}`;

/** Mounts each hierarchy, sets the limits of a container, and makes groups beside those of the host. */
const attack = (neighbour: string): string => `
${v1
  .map(({ name }, at) => `mkdir -p /h/${at}; mount -t cgroup -o ${name} none /h/${at} && mkdir /h/${at}/${PLANTED}`)
  .join('\n')}
mkdir -p /h/unified; mount -t cgroup2 none /h/unified && mkdir /h/unified/${PLANTED}
for d in $(find /h /sys/fs/cgroup -name ${neighbour}); do echo 7 > $d/pids.max; done
for d in /sys/fs/cgroup/*; do mkdir $d/${PLANTED}; done
cat /proc/self/cgroup
echo over`;

let supervisor: TestSupervisor;
beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});
afterEach(async () => {
  await supervisor.destroy();
  for (const path of planted()) rmdirSync(path);
});

const groupsOf = (pid: number | null): string => readFileSync(`/proc/${pid}/cgroup`, 'utf8').trim();

/** The limit on processes that the host has for a container. */
function pidsMax(pid: number | null): string {
  const lines = groupsOf(pid)
    .split('\n')
    .map((line) => line.split(':'));
  const pids = v1.find(({ name }) => name.split(',').includes('pids'));
  const path = lines.find(([, name]) => name === (pids?.name ?? ''))?.[2] ?? '';
  return readFileSync(join(pids?.mount ?? unifiedMount, path, 'pids.max'), 'utf8').trim();
}

/** What an attacker made in any hierarchy. */
function planted(): string[] {
  return [...v1.map(({ mount }) => mount), unifiedMount].flatMap((mount) =>
    execFileSync('find', [mount, '-depth', '-name', PLANTED, '-type', 'd'], { encoding: 'utf8' })
      .split('\n')
      .filter(Boolean),
  );
}

const IMAGE = 'images: { tools: { host: [busybox, unshare] } }\n';

test.each([
  // The filter of system calls would refuse the namespace.
  [
    'with Docker’s rights and a user namespace of its own',
    ', seccomp: unconfined',
    ['unshare', '-UrmC', 'busybox', 'sh', '-c'],
  ],
  ['with CAP_SYS_ADMIN', ', capabilities: { add: [SYS_ADMIN] }', ['busybox', 'sh', '-c']],
  ['that is privileged', ', privileged: true', ['busybox', 'sh', '-c']],
])('a container %s changes only its own groups', async (_, fields, how) => {
  supervisor.drop(
    'app.yaml',
    `${IMAGE}containers: { neighbour: { image: tools, command: ${FOREVER}, resources: { pids: 50 } } }\n`,
  );
  const neighbour = await supervisor.waitFor('neighbour', 'runs', ({ ready }) => ready);
  const command = JSON.stringify([...how, `${attack(neighbour.id)}; ${IDLE}`]);
  supervisor.drop(
    'attack.yaml',
    `containers: { attacker: { image: app/tools, command: ${command}, stopTimeout: 0s${fields} } }\n`,
  );
  const { id, pid } = await supervisor.waitFor('attacker', 'runs', ({ phase }) => phase === 'Running');
  const output = await until('the end of the attack', async () => {
    const log = await supervisor.ok('logs', 'attacker');
    return log.endsWith('over\n') ? log : null;
  });
  expect(pidsMax(neighbour.pid)).toBe('50');
  expect(planted().filter((path) => !path.includes(id))).toEqual([]);
  const seen = output.split('\n').filter((line) => /^\d+:/.test(line));
  expect(seen.length).toBeGreaterThan(v1.length);
  expect(seen.filter((line) => !line.endsWith(':/'))).toEqual([]);
  // As the host has it: in each hierarchy a group of its own.
  expect(
    groupsOf(pid)
      .split('\n')
      .filter((line) => !line.endsWith(`/tsdocker-${supervisor.instance}/${id}`)),
  ).toEqual([]);
});
