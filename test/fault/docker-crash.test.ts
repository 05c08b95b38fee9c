/** kill -9 of the supervisor while it does what a client of the Docker API asks for: asked again, the client gets it or the truth. */
import { type FSWatcher, watch } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { busyboxArchive } from '../support/busybox-image.ts';
import { ask, type RawAnswer } from '../support/docker-client.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
let state: ReturnType<TestSupervisor['hostState']>;

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  await supervisor.ok('load', '-i', supervisor.file('busybox.tar', busyboxArchive('busybox:latest')));
  // What the first container brings along stays.
  await made('first');
  await call('POST', '/containers/first/start');
  await call('DELETE', '/containers/first?force=1');
  // The kernel takes its interface away a moment later.
  await until('the first one gone', () => supervisor.hostState().links.length === 1);
  state = supervisor.hostState();
});
afterAll(() => supervisor.destroy());

const LOOP = ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 1 & wait; done'];
const call = (method: string, path: string, body?: unknown): Promise<RawAnswer> =>
  ask(supervisor.socket, method, path, { body });
const json = ({ body }: RawAnswer) => JSON.parse(body.toString());
const create = (name: string) => call('POST', `/containers/create?name=${name}`, { Image: 'busybox', Cmd: LOOP });
const made = async (name: string): Promise<string> => json(await create(name)).Id;
const inspected = async (name: string): Promise<{ status: number; id?: string; running?: boolean }> => {
  const answer = await call('GET', `/containers/${name}/json`);
  const { Id, State } = json(answer);
  return { status: answer.status, ...(answer.status === 200 && { id: Id, running: State.Running }) };
};

/**
 * Kills the supervisor when it has changed so many files and directories of its state since the request began. Returns
 * false when there were fewer changes.
 */
async function killedAfter(changes: number, request: () => Promise<unknown>): Promise<boolean> {
  let seen = 0;
  const { pid } = supervisor;
  const onChange = (): void => {
    seen += 1;
    if (seen === changes) process.kill(pid, 'SIGKILL');
  };
  const watched = ['.', 'tmp', 'containers', 'overlay'].map((name) => join(supervisor.root, name));
  const watchers: FSWatcher[] = watched.map((directory) => watch(directory, onChange));
  await request().catch(() => undefined);
  for (const watcher of watchers) watcher.close();
  if (seen < changes) return false;
  await supervisor.gone();
  await supervisor.start();
  return true;
}

/** Later changes are those of what comes after the answer. */
const MOST_CHANGES = 8;

async function atEachStep(
  name: string,
  { before, request, check }: Readonly<Record<'before' | 'request' | 'check', (name: string) => Promise<unknown>>>,
): Promise<void> {
  let kills = 0;
  for (let changes = 1; changes <= MOST_CHANGES; changes++) {
    const one = `${name}-${changes}`;
    await before(one);
    const killed = await killedAfter(changes, () => request(one));
    await check(one);
    for (const left of [one, `${one}-b`]) await call('DELETE', `/containers/${left}?force=1`);
    await until('nothing left of it', () => {
      expect(supervisor.hostState()).toEqual(state);
      return true;
    });
    if (!killed) break;
    kills += 1;
  }
  expect(kills).toBeGreaterThan(1);
}

test('a container that is made', () =>
  atEachStep('made', {
    before: async () => {},
    request: create,
    check: async (name) => {
      const again = await create(name);
      expect([201, 409], again.body.toString()).toContain(again.status);
      const found = await inspected(name);
      expect(found).toMatchObject({ status: 200, running: false });
      if (again.status === 409) expect(json(again).message).toContain(found.id);
      else expect(found.id).toBe(json(again).Id);
      expect((await supervisor.containers()).map((view) => view.name)).toEqual([name]);
    },
  }));

test('a container that is started', () =>
  atEachStep('started', {
    before: made,
    request: (name) => call('POST', `/containers/${name}/start`),
    check: async (name) => {
      expect([204, 304]).toContain((await call('POST', `/containers/${name}/start`)).status);
      expect(await inspected(name)).toMatchObject({ status: 200, running: true });
      expect(supervisor.hostState().processes).toHaveLength(1);
    },
  }));

test('a container that gets another name', async () => {
  let id = '';
  await atEachStep('named', {
    before: async (name) => {
      id = await made(name);
      await call('POST', `/containers/${name}/start`);
    },
    request: (name) => call('POST', `/containers/${name}/rename?name=${name}-b`),
    check: async (name) => {
      const again = await call('POST', `/containers/${name}/rename?name=${name}-b`);
      expect([204, 404], again.body.toString()).toContain(again.status);
      expect(await inspected(`${name}-b`)).toEqual({ status: 200, id, running: true });
      expect((await inspected(name)).status).toBe(404);
      expect(await supervisor.ok('plan')).toContain('Nothing to do.');
    },
  });
});

test('a container that is removed', () =>
  atEachStep('removed', {
    before: async (name) => {
      await made(name);
      await call('POST', `/containers/${name}/start`);
    },
    request: (name) => call('DELETE', `/containers/${name}?force=1`),
    check: async (name) => {
      const again = await call('DELETE', `/containers/${name}?force=1`);
      expect([204, 404], again.body.toString()).toContain(again.status);
      expect((await inspected(name)).status).toBe(404);
      expect(await supervisor.containers()).toEqual([]);
    },
  }));
