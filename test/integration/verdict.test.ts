/** Reports of commands about containers that they started: they check before they report ready. */
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../src/api/client.ts';
import type { ApplyEvent } from '../../src/api/requests.ts';
import { app, FOREVER, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

/** Ends with a code after a while, and says so first. */
const endsWith = (code: number, after: string) => shell(`echo "ends with ${code}"; sleep ${after}; exit ${code}`);

const container = (name: string, command: string, more = '') =>
  `  ${name}: { image: busybox, command: ${command}${more} }\n`;

const ALWAYS = ', restart: always';

const file = (name: string, containers: string): string => supervisor.file(`${name}.yaml`, app(containers));

async function events(...args: string[]): Promise<readonly ApplyEvent[]> {
  const { stdout } = await supervisor.cli(...args, '-o', 'json');
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as ApplyEvent);
}

const pidOf = async (name: string): Promise<number | null> => (await supervisor.container(name))?.pid ?? null;

describe('apply --wait', () => {
  test('reports a sleeper that may end as ready while it runs', async () => {
    const path = file('sleeper', container('sleeper', FOREVER, ', restart: no'));
    expect(await supervisor.ok('apply', '-f', path, '--wait')).toMatch(/^ready: generation \d+$/m);
    const pid = await pidOf('sleeper');
    expect(readFileSync(`/proc/${pid}/comm`, 'utf8')).toBe('busybox\n');
  });

  test('reports exit code 0 as completed, not ready', async () => {
    const path = file('once', container('once', endsWith(0, '0')));
    const stdout = await supervisor.ok('apply', '-f', path, '--wait');
    expect(stdout).toContain('completed container/once/once: exited with 0\n');
    expect(stdout).toMatch(/^completed: generation \d+$/m);
    expect(stdout).not.toMatch(/^ready/m);
  });

  test('reports a dependency that exits with 3 as an error, with its output', async () => {
    const web = container('web', FOREVER, ', dependsOn: ["migrate:completed"]');
    const path = file('job', container('migrate', endsWith(3, '2')) + web);
    const { status, stdout, stderr } = await supervisor.cli('apply', '-f', path, '--wait');
    expect({ status, ready: /^ready/m.test(stdout) }).toEqual({ status: 1, ready: false });
    expect(stderr).toContain('error: container/job/migrate: exited with 3 after ');
    expect(stderr).toContain('    | ends with 3\n');
    expect(stderr).toContain('`tsdocker logs job/migrate`');
    expect(await pidOf('web')).toBeNull();
  });

  // On a busy machine a program may take longer to crash than it says; the settle time leaves room for that.
  test.each([
    ['0', 3, []],
    ['0.9', 4, ['--settle', '1m']],
  ])('reports a crash after %s s as an error, although the policy restarts it at once', async (after, code, settle) => {
    const name = `crash${code}`;
    const path = file(name, container(name, endsWith(code, after), ', restart: always'));
    const { status, stdout, stderr } = await supervisor.cli('apply', '-f', path, '--wait', ...settle);
    expect({ status, ready: /^ready/m.test(stdout) }).toEqual({ status: 1, ready: false });
    expect(stderr).toContain(`error: container/${name}/${name}: exited with ${code} after `);
    expect(stderr).toContain(`    | ends with ${code}\n`);
    const view = await supervisor.waitFor(name, 'started again', ({ restarts }) => restarts > 0);
    expect(view.restarts).toBeGreaterThan(0);
    await supervisor.ok('delete', '-f', path);
  });

  test('starts a chain of five while earlier ones settle', async () => {
    const names = ['one', 'two', 'three', 'four', 'five'];
    const chain = names.map((name, index) =>
      container(name, FOREVER, index === 0 ? '' : `, dependsOn: [${names[index - 1]}]`),
    );
    const manifest = { file: `${supervisor.base}/chain.yaml`, baseDir: supervisor.base, text: app(chain.join('')) };
    // Nothing settles as long as this test continues.
    const options = { dryRun: false, waitMs: 600_000, settleMs: 600_000 };
    const started: string[] = [];
    let ready = false;
    for await (const event of new SupervisorClient(supervisor.socket).apply([manifest], options)) {
      if (event.type === 'ready') ready = true;
      if (event.type === 'op' && event.status === 'done' && event.id.startsWith('start ')) started.push(event.id);
      if (started.length === names.length) break;
    }
    expect({ started, ready }).toEqual({ started: names.map((name) => `start container/chain/${name}`), ready: false });
    expect(await supervisor.ok('apply', '-f', file('chain', chain.join('')), '--wait')).toMatch(/^ready: /m);
  });

  test('without --wait reports acceptance, not readiness', async () => {
    const stdout = await supervisor.ok('apply', '-f', file('later', container('later', FOREVER)));
    expect(stdout).toMatch(/^accepted: generation \d+, \d+ operations$/m);
    expect(stdout).not.toMatch(/^(ready|completed)/m);
    await supervisor.waitFor('later', 'running', ({ pid }) => pid !== null);
  });

  test('names a manually stopped container, which stays stopped, and its dependents', async () => {
    const path = file('halt', container('db', FOREVER, ALWAYS) + container('tied', FOREVER, ', links: [db]'));
    await supervisor.ok('apply', '-f', path, '--wait');
    await supervisor.ok('stop', 'halt/tied', 'halt/db');
    const stdout = await supervisor.ok('apply', '-f', path, '--wait');
    expect(stdout).toMatch(/^stopped +container\/halt\/db: stopped until `tsdocker start`/m);
    expect(stdout).toMatch(/^stopped +container\/halt\/tied: stopped until /m);
    expect(stdout).toMatch(/^stopped: generation \d+$/m);
    const later = file('halt', container('db', FOREVER, ALWAYS) + container('next', FOREVER, ', links: [db]'));
    const next = await supervisor.ok('apply', '-f', later, '--wait');
    expect(next).toMatch(/^stopped +container\/halt\/next: waits for container\/halt\/db, which is stopped$/m);
  });

  test('counts the full age of a run, also after kill -9 of the supervisor', async () => {
    const path = file('aged', container('aged', FOREVER));
    await supervisor.ok('apply', '-f', path, '--wait');
    const pid = await pidOf('aged');
    await supervisor.crash();
    await supervisor.start();
    const seen = await events('apply', '-f', path, '--wait');
    expect(seen.at(-1)).toMatchObject({ type: 'ready', running: 1 });
    expect(seen.filter(({ type }) => type === 'waiting')).toEqual([]);
    expect(await pidOf('aged')).toBe(pid);
  });
});

describe('updates and rollbacks', () => {
  test('an update that crashes within the settle time is rolled back, and the container is named everywhere', async () => {
    const others = container('api', FOREVER);
    const good = file('shop', others + container('desk', FOREVER, ', restart: always'));
    await supervisor.ok('apply', '-f', good, '--wait');
    const bad = file(
      'shop',
      others + container('desk', endsWith(7, '0.9'), ', restart: always, update: { settle: 30s }'),
    );
    const { status, stdout, stderr } = await supervisor.cli('apply', '-f', bad, '--wait');
    expect({ status, ready: /^ready/m.test(stdout) }).toEqual({ status: 1, ready: false });
    expect(stderr).toContain('error: container/shop/desk: update of shop/desk failed: exited with 7 after ');
    expect(stderr).toContain('    | ends with 7\n');
    expect(stderr).not.toContain('container/shop/api');
    const desk = await supervisor.waitFor('desk', 'back', ({ app: of, ready }) => of === 'shop' && ready);
    expect(readFileSync(`/proc/${desk.pid}/cmdline`, 'utf8')).toContain('trap');
    expect(JSON.stringify(desk.conditions)).toContain('update of shop/desk failed: exited with 7');
    expect(await supervisor.ok('history')).toContain('update of shop/desk failed');
    expect(await supervisor.ok('events')).toMatch(/container\/shop\/desk .*update failed: exited with 7/);
    expect(await supervisor.ok('why', 'shop/desk')).toContain('update failed: exited with 7');
  });

  test('the settle time of the manifest applies to an update', async () => {
    const update = (settle: string) => `, update: { settle: ${settle}, onFailure: hold }, restart: always`;
    await supervisor.ok('apply', '-f', file('slow', container('slow', FOREVER, update('1s'))), '--wait');
    const late = file('slow', container('slow', endsWith(6, '2'), update('30s')));
    const { status, stderr } = await supervisor.cli('apply', '-f', late, '--wait');
    expect(status).toBe(1);
    expect(stderr).toContain('error: container/slow/slow: update failed: exited with 6 after ');
    await supervisor.ok('delete', '-f', late);
  });

  test('a rollback to a crashing specification is an error', async () => {
    const bad = file(
      'back',
      container('back', endsWith(8, '0.5'), ', restart: always, update: { onFailure: hold, settle: 30s }'),
    );
    await supervisor.cli('apply', '-f', bad, '--wait');
    const [newest] = JSON.parse(await supervisor.ok('history', '-o', 'json')) as { generation: number }[];
    const good = file('back', container('back', FOREVER, ', update: { onFailure: hold }'));
    await supervisor.ok('apply', '-f', good, '--wait');
    const { status, stdout, stderr } = await supervisor.cli('rollback', '--to', `${newest?.generation}`, '--wait');
    expect({ status, ready: /^ready/m.test(stdout) }).toEqual({ status: 1, ready: false });
    expect(stderr).toContain('container/back/back: update failed: exited with 8 after ');
    expect(stderr).toContain('    | ends with 8\n');
  });
});

describe('start and restart', () => {
  const crashes = (name: string) =>
    container(
      name,
      shell('if [ -e /bad ]; then echo "it is bad"; sleep 0.4; exit 5; fi; sleep 3600'),
      ', restart: always, stopTimeout: 0s',
    );

  test.each(['start', 'restart'])(
    '%s reports ready when the container keeps running, and reports a crash',
    async (command) => {
      const name = `twice${command}`;
      await supervisor.ok('apply', '-f', file(name, crashes(name)), '--wait');
      if (command === 'start') await supervisor.ok('stop', name);
      expect(await supervisor.ok(command, name)).toBe(`${name} ready\n`);
      await supervisor.ok('exec', name, 'busybox', 'touch', '/bad');
      if (command === 'start') await supervisor.ok('stop', name);
      const { status, stdout, stderr } = await supervisor.cli(command, '--settle', '1m', name);
      expect({ status, stdout }).toEqual({ status: 1, stdout: '' });
      const error = new RegExp(`error: container ${name}-${name} exited with 5 after [\\d.]+ s\\n {4}\\| it is bad\\n`);
      expect(stderr).toMatch(error);
      expect(stderr).toContain(`\`tsdocker logs ${name}/${name}\``);
    },
  );

  test('report a job as completed, and another exit code than 0 as an error', async () => {
    await supervisor.ok(
      'apply',
      '-f',
      file('jobs', container('well', endsWith(0, '0')) + container('ill', endsWith(9, '0'))),
    );
    expect(await supervisor.ok('start', 'well')).toBe('well completed\n');
    const { status, stderr } = await supervisor.cli('start', 'ill');
    expect(status).toBe(1);
    expect(stderr).toContain('error: container jobs-ill exited with 9 after ');
  });
});

describe('work that continues after a command times out', () => {
  test('a container that ends slowly is not reported as removed, and a slow update continues', async () => {
    const deaf = shell('trap "" TERM; while :; do sleep 1; done');
    const path = file('slow', container('slow', deaf, ', restart: always, stopTimeout: 1m'));
    await supervisor.ok('apply', '-f', path, '--wait');
    const gone = await supervisor.cli('delete', '-f', path, '--wait=1s');
    expect(gone).toMatchObject({ status: 1 });
    expect(gone.stderr).toMatch(/not gone after 1 s: container\/slow\/slow: .*\nhint: The work continues;/);
    await supervisor.ok('kill', '-s', 'KILL', 'slow');

    const health = (probe: string) =>
      `, restart: always, health: { exec: ${probe}, interval: 100ms }, update: { order: start-first, timeout: 1m }`;
    const steady = file('steady', container('steady', FOREVER, health('[busybox, "true"]')));
    await supervisor.ok('apply', '-f', steady, '--wait');
    file('steady', container('steady', FOREVER, `${health('[busybox, "false"]')}, env: { A: b }`));
    const { status, stderr } = await supervisor.cli('apply', '-f', steady, '--wait=1s');
    expect(status).toBe(1);
    expect(stderr).toMatch(
      /not ready after 1 s: container\/steady\/steady.*\nhint: Its update continues; `tsdocker why /,
    );
  });

  test('only start accepts --wait', async () => {
    const path = file('again', container('again', FOREVER));
    await supervisor.ok('apply', '-f', path, '--wait');
    await supervisor.ok('stop', 'again');
    expect(await supervisor.ok('start', 'again', '--wait')).toBe('again ready\n');
  });
});
