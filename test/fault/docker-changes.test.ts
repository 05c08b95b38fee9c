/**
 * kill -9 of the supervisor within a change that a client of the Docker API asked for: the client's second try succeeds, or
 * gets the truth, and what there is agrees with what is said.
 */
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { docker } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
  await say('network', 'create', 'back');
}, 60_000);
afterAll(() => supervisor.destroy(), 60_000);
afterEach(async () => {
  const { stdout } = await docker(supervisor.socket, ['ps', '-aq']);
  const ids = stdout.split('\n').filter((id) => id !== '');
  if (ids.length > 0) await docker(supervisor.socket, ['rm', '-f', ...ids]);
});

async function say(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await docker(supervisor.socket, args);
  expect(status, `docker ${args.join(' ')}: ${stderr}`).toBe(0);
  return stdout.trim();
}

const run = (name: string): Promise<string> => say('run', '-d', '--name', name, 'busybox', 'sleep', '1000000');

/** A change that the log tells of: when it is asked for, when it begins to be carried out, and when that has ended. */
interface Moment {
  readonly when: string;
  readonly seen: (name: string) => RegExp;
}
const asked = (what: string): Moment => ({
  when: 'it was asked for',
  seen: (name) => new RegExp(`"key":"container/@docker/${name}","event":"override","what":"${what}"`),
});
const ended = (op: string): Moment => ({
  when: `${op} has ended`,
  seen: (name) => new RegExp(`"key":"container/@docker/${name}","op":"${op}"`),
});

/** @returns what the client got, whose supervisor dies at that moment */
async function crashAt({ when, seen }: Moment, name: string, ...args: readonly string[]): Promise<boolean> {
  const from = supervisor.log.length;
  const client = docker(supervisor.socket, args);
  await until(when, () => seen(name).test(supervisor.log.slice(from)));
  await supervisor.crash();
  const { status } = await client;
  await supervisor.start();
  return status === 0;
}

const interfacesIn = async (name: string): Promise<readonly string[]> =>
  (await say('exec', name, 'ip', '-o', '-4', 'addr', 'show')).match(/(?<=^\d+: )eth\d/gm) ?? [];
const networksOf = async (name: string): Promise<readonly string[]> =>
  Object.keys(JSON.parse(await say('inspect', '-f', '{{json .NetworkSettings.Networks}}', name))).sort();

async function atRest(): Promise<void> {
  await until('nothing is left to do', async () => (await supervisor.ok('plan')).includes('Nothing to do.'));
}

describe('kill -9 in docker network connect and disconnect, when', () => {
  let serial = 0;

  test.each([asked('connect'), ended('container.update')])('$when', async (moment) => {
    const name = `joins${serial++}`;
    await run(name);
    await crashAt(moment, name, 'network', 'connect', '--alias', 'shop', 'back', name);
    const again = await docker(supervisor.socket, ['network', 'connect', '--alias', 'shop', 'back', name]);
    if (again.status !== 0) expect(again.stderr).toContain(`endpoint with name ${name} already exists in network back`);
    await atRest();
    expect(await networksOf(name)).toEqual(['back', 'bridge']);
    expect(await interfacesIn(name)).toEqual(['eth0', 'eth1']);
  });

  test.each([asked('disconnect'), ended('container.update')])('$when of it', async (moment) => {
    const name = `leaves${serial++}`;
    const id = await run(name);
    await say('network', 'connect', 'back', name);
    await crashAt(moment, name, 'network', 'disconnect', 'back', name);
    const again = await docker(supervisor.socket, ['network', 'disconnect', 'back', name]);
    if (again.status !== 0) expect(again.stderr).toContain(`container ${id} is not connected to network back`);
    await atRest();
    expect(await networksOf(name)).toEqual(['bridge']);
    expect(await interfacesIn(name)).toEqual(['eth0']);
  });
});

test('kill -9 in docker rename leaves one name, in all places', async () => {
  const id = await run('first');
  await say('network', 'connect', 'back', 'first');
  await run('peer');
  await say('network', 'connect', 'back', 'peer');
  await crashAt(asked('rename'), 'first', 'rename', 'first', 'second');
  const again = await docker(supervisor.socket, ['rename', 'first', 'second']);
  if (again.status !== 0) expect(again.stderr).toContain('No such container: first');
  await atRest();
  expect(await say('inspect', '-f', '{{.Id}} {{.Name}}', 'second')).toBe(`${id} /second`);
  expect((await docker(supervisor.socket, ['inspect', 'first'])).status).not.toBe(0);
  expect(await say('ps', '-q', '--no-trunc', '--filter', 'name=second')).toBe(id);
  const { stdout } = await docker(supervisor.socket, ['exec', 'peer', 'busybox', 'nslookup', 'second']);
  expect(stdout).toContain(await say('inspect', '-f', '{{.NetworkSettings.IPAddress}}', 'second'));
  expect((await docker(supervisor.socket, ['exec', 'peer', 'busybox', 'nslookup', 'first'])).status).not.toBe(0);
  // Names are free again: another one may have the first.
  await run('first');
});
