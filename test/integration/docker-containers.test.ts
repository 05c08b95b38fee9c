/** Containers that clients of the Docker API make. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import Database from 'better-sqlite3';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, docker, type RawAnswer } from '../support/docker-client.ts';
import { app, FOREVER } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
});
afterAll(() => supervisor.destroy());

const call = (method: string, path: string, body?: unknown): Promise<RawAnswer> =>
  ask(supervisor.socket, method, path, { body });
const json = ({ body }: RawAnswer) => JSON.parse(body.toString());

const LOOP = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'];

async function create(name: string, config: object = {}): Promise<string> {
  const answer = await call('POST', `/containers/create?name=${name}`, { Image: 'busybox', Cmd: LOOP, ...config });
  expect(answer.status, answer.body.toString()).toBe(201);
  return json(answer).Id;
}

const remove = (name: string, query = '?force=1&v=1'): Promise<RawAnswer> =>
  call('DELETE', `/containers/${name}${query}`);
const message = (answer: RawAnswer): string => json(answer).message;
const phaseOf = async (name: string): Promise<string | undefined> => (await supervisor.container(name))?.phase;

describe('a container of the Docker API', () => {
  test('is made, is not started, and is removed', async () => {
    const id = await create('first_one');
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(await supervisor.container('first_one')).toMatchObject({ app: '@docker', id, phase: 'Pending' });
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    expect(await supervisor.ok('why', 'first_one')).toContain('asked for by');
    const gone = await remove('first_one', '');
    expect(gone.status, gone.body.toString()).toBe(204);
    expect(await supervisor.containers()).toEqual([]);
    expect((await remove('first_one')).status).toBe(404);
    expect(await create('first_one')).not.toBe(id);
    expect((await remove('first_one')).status).toBe(204);
  });

  test('has its name alone, also beside the containers of manifests', async () => {
    const id = await create('taken');
    const again = await call('POST', '/containers/create?name=taken', { Image: 'busybox' });
    expect(again.status).toBe(409);
    expect(message(again)).toBe(
      `Conflict. The container name "/taken" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
    );
    const bad = await call('POST', '/containers/create?name=..', { Image: 'busybox' });
    expect([bad.status, message(bad)]).toEqual([
      400,
      'Invalid container name (..), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed',
    ]);
    const missing = await call('POST', '/containers/create', { Image: 'nothing' });
    expect([missing.status, message(missing)]).toEqual([404, 'No such image: nothing:latest']);
    const unnamed = json(await call('POST', '/containers/create', { Image: 'busybox' })).Id;
    expect((await supervisor.containers()).find((view) => view.id === unnamed)?.name).toMatch(/^[a-z]+_[a-z]+$/);
    for (const name of ['taken', unnamed]) expect((await remove(name)).status).toBe(204);
  });

  test('is removed while it runs only by force', async () => {
    await create('runs');
    await supervisor.ok('start', 'runs');
    const refused = await remove('runs', '');
    expect([refused.status, message(refused)]).toEqual([
      409,
      'cannot remove container "/runs": container is running: stop the container before removing or force remove',
    ]);
    expect(await phaseOf('runs')).toBe('Running');
    expect((await remove('runs')).status).toBe(204);
    expect(supervisor.hostState().processes).toEqual([]);
  });

  test('outlives a supervisor that is killed, made or running', async () => {
    const ids = [await create('made'), await create('up')];
    await supervisor.ok('start', 'up');
    await supervisor.crash();
    await supervisor.start();
    expect(await phaseOf('made')).toBe('Pending');
    expect(await phaseOf('up')).toBe('Running');
    expect((await supervisor.containers()).map(({ id }) => id).sort()).toEqual(ids.sort());
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    for (const name of ['made', 'up']) expect((await remove(name)).status).toBe(204);
  });

  test('goes when its run has ended where that was asked for, also when no supervisor saw it end', async () => {
    const AutoRemove = { HostConfig: { AutoRemove: true } };
    await create('short', { Cmd: ['true'], ...AutoRemove });
    await supervisor.cli('start', 'short');
    await until('the container gone', async () => (await supervisor.container('short')) === undefined);
    const id = await create('later', { Cmd: ['sh', '-c', 'until [ -e /over ]; do sleep 0.1; done'], ...AutoRemove });
    await supervisor.ok('start', 'later');
    const { pid } = await supervisor.waitFor('later', 'running', ({ phase }) => phase === 'Running');
    await supervisor.crash();
    // It ends while no supervisor sees it, and not a moment before.
    writeFileSync(`/proc/${pid}/root/over`, '');
    await supervisor.exitRecord(id);
    await supervisor.start();
    await until('the container gone', async () => (await supervisor.container('later')) === undefined);
  });

  test('that was made is not started by a new supervisor, whatever its policy, and one that was stopped as Docker has it', async () => {
    const policy = (Name: string) => ({ HostConfig: { RestartPolicy: { Name } } });
    const policies = ['no', 'always', 'unless-stopped', 'on-failure'];
    for (const name of policies) {
      await create(`made-${name}`, policy(name));
      await create(`stopped-${name}`, policy(name));
      await create(`up-${name}`, policy(name));
    }
    await supervisor.ok('start', ...policies.flatMap((name) => [`stopped-${name}`, `up-${name}`]));
    await supervisor.ok('stop', ...policies.map((name) => `stopped-${name}`));
    await supervisor.crash();
    await supervisor.start();
    await supervisor.waitFor('stopped-always', 'running', ({ phase }) => phase === 'Running');
    const phases = Object.fromEntries((await supervisor.containers()).map(({ name, phase }) => [name, phase]));
    for (const name of policies) {
      expect([name, phases[`made-${name}`]]).toEqual([name, 'Pending']);
      expect([name, phases[`up-${name}`]]).toEqual([name, 'Running']);
      if (name !== 'always') expect([name, phases[`stopped-${name}`]]).toEqual([name, 'Exited']);
    }
    expect((await docker(supervisor.socket, ['container', 'prune', '-f'])).stdout).toContain('Deleted Containers');
    await Promise.all(policies.flatMap((name) => [remove(`stopped-${name}`), remove(`up-${name}`)]));
    expect(await supervisor.containers()).toEqual([]);
  });

  test('gets another name, running and with its address, and keeps it over a crash', async () => {
    const id = await create('before');
    await create('friend', { HostConfig: { NetworkMode: 'container:before' } });
    await supervisor.ok('start', 'before', 'friend');
    const was = await supervisor.container('before');
    const same = { id, pid: was?.pid, address: was?.address, phase: 'Running' };
    expect((await call('POST', '/containers/before/rename?name=friend')).status).toBe(409);
    expect((await docker(supervisor.socket, ['rename', 'before', 'after.now'])).stderr).toBe('');
    const renamed = await supervisor.container('after.now');
    expect(renamed).toMatchObject(same);
    expect(await supervisor.ok('why', 'after.now')).toContain('was before: `tsdocker why before` has what came before');
    const filters = encodeURIComponent(JSON.stringify({ event: ['rename'] }));
    const until = Math.ceil(Date.now() / 1000);
    const events = await call('GET', `/events?since=0&until=${until}&filters=${filters}`);
    expect(json(events)).toMatchObject({
      Action: 'rename',
      Actor: { Attributes: { name: 'after.now', oldName: '/before' } },
    });
    expect(await create('before')).not.toBe(id);
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    expect(await supervisor.container('after.now')).toMatchObject(same);
    expect(await phaseOf('friend')).toBe('Running');
    for (const name of ['friend', 'after.now', 'before']) expect((await remove(name)).status).toBe(204);
  });

  test('is refused where the image is of another platform than is asked for, with the words after which docker pulls', async () => {
    const answer = await call('POST', '/containers/create?name=other&platform=linux/s390x', { Image: 'busybox' });
    const actual = process.arch === 'x64' ? 'linux/amd64' : `linux/${process.arch}`;
    expect([answer.status, json(answer).message]).toEqual([
      404,
      `image with reference busybox was found but does not match the specified platform: wanted linux/s390x, actual: ${actual}`,
    ]);
    expect((await call('POST', `/containers/create?name=same&platform=${actual}`, { Image: 'busybox' })).status).toBe(
      201,
    );
    expect((await remove('same')).status).toBe(204);
  });

  test('is on a network that a client makes, over a crash', async () => {
    const made = await call('POST', '/networks/create', { Name: 'p_default' });
    expect(made.status, made.body.toString()).toBe(201);
    expect((await call('POST', '/networks/create', { Name: 'p_default' })).status).toBe(409);
    await create('web', { HostConfig: { NetworkMode: 'p_default' } });
    await supervisor.ok('start', 'web');
    expect((await call('DELETE', '/networks/p_default')).status).toBe(403);
    await supervisor.crash();
    await supervisor.start();
    expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    expect(await phaseOf('web')).toBe('Running');
    expect((await remove('web')).status).toBe(204);
    expect((await call('DELETE', `/networks/${json(made).Id}`)).status).toBe(204);
  });

  test('that a manifest declares is changed in the manifest alone', async () => {
    const file = supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${FOREVER} }\n`));
    await supervisor.waitFor('web', 'running', ({ phase }) => phase === 'Running');
    for (const [method, path] of [
      ['DELETE', '/containers/app-web?force=1'],
      ['POST', '/containers/app-web/rename?name=other'],
    ] as const) {
      const answer = await call(method, path);
      expect([answer.status, message(answer)]).toEqual([409, expect.stringContaining(`${file}:`)]);
    }
    expect(await phaseOf('web')).toBe('Running');
  });

  test('comes and goes a hundred times without a generation, and nothing of it is left', async () => {
    const generations = async (): Promise<number> => JSON.parse(await supervisor.ok('history', '-o', 'json')).length;
    const before = await generations();
    const state = supervisor.hostState();
    for (let index = 0; index < 100; index++) {
      await create(`many-${index}`);
      expect((await remove(`many-${index}`)).status).toBe(204);
    }
    expect(await generations()).toBe(before);
    expect(supervisor.hostState()).toEqual(state);
    const database = new Database(join(supervisor.root, 'history.db'), { readonly: true });
    const rows = (table: string) =>
      database.prepare(`SELECT count(*) FROM ${table} WHERE key LIKE '%many-%'`).pluck().get();
    for (const table of ['failures', 'networks', 'images']) expect([table, rows(table)]).toEqual([table, 0]);
    database.close();
  });
});
