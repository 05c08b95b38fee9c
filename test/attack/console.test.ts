/** The consoles of the host, in a container. */
import { readFileSync, statSync } from 'node:fs';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Containers } from '../contract/exec-compile/fixture.ts';
import { execSpec } from '../support/exec-specs.ts';

let containers: Containers;
beforeEach(() => {
  containers = new Containers();
});
afterEach(() => containers.dispose());

test('a node 5:1, the console of the host, can be created but not opened', async () => {
  const { stdout } = await containers.script(
    'mknod /tmp/console c 5 1 && echo made; for way in if of; do dd $way=/tmp/console count=0 2>&1 | head -1; done',
  );
  const refusal = expect.stringMatching(/Operation not permitted$/);
  expect(stdout.split('\n')).toEqual(['made', refusal, refusal]);
});

/** Device of what is mounted at a path, as proc_pid_mountinfo(5) has it. */
const deviceAt = (pid: number | 'self', path: string): string | undefined =>
  readFileSync(`/proc/${pid}/mountinfo`, 'utf8')
    .split('\n')
    .map((line) => line.split(' '))
    .find(([, , , , target]) => target === path)?.[2];

test('a terminal belongs to the devpts of its container, also as /dev/console', async () => {
  const script = 'tty; ls -l /dev/pts; while read line; do echo "$line"; done';
  const spec = containers.spec(['sh', '-c', script], { tty: true, stdin: true });
  const { pid } = await containers.driver.start(spec);
  const own = deviceAt(pid, '/dev/pts');
  expect(own).toBeDefined();
  expect(own).not.toBe(deviceAt('self', '/dev/pts'));
  expect(deviceAt(pid, '/dev/console')).toBe(own);
  // The one node and the multiplexer: a terminal of the host would be neither.
  const listed = await containers.exec(spec.containerId, 'ls /dev/pts; readlink /proc/1/fd/0');
  expect(listed.out.split('\n')).toEqual(['0', 'ptmx', '/dev/pts/0']);
  expect(statSync(`/proc/${pid}/root/dev/console`).ino).toBe(statSync(`/proc/${pid}/root/dev/pts/0`).ino);
});

test('a fake multiplexer in a container gives no terminal', async () => {
  const script = 'umount /dev/pts; mknod /dev/pts/ptmx c 5 2; mkdir /dev/pts/pts; touch /tmp/ready; exec sleep 1000';
  const spec = containers.spec(['sh', '-c', script], { privileged: true });
  await containers.driver.start(spec);
  await containers.exec(spec.containerId, 'while ! [ -e /tmp/ready ]; do sleep 0.01; done');
  const refused = containers.driver.exec(spec.containerId, execSpec(['tty'], { tty: true }));
  await expect(refused).rejects.toThrow('not a terminal multiplexer');
});
