/** Metrics and the page of a real supervisor, over HTTP; the browser is in test/e2e/web-page.test.ts. */
import { execFileSync } from 'node:child_process';
import { request } from 'node:http';
import { type AddressInfo, createServer } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { app, BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor(['--metrics', '127.0.0.1:0', '--web', '127.0.0.1:0']).start();
});

afterEach(async () => {
  await supervisor.destroy();
});

/** An address of the line that says that the supervisor is ready. */
function url(name: 'metrics' | 'web'): string {
  const line = supervisor.log.split('\n').find((text) => text.includes('"msg":"ready"')) ?? '{}';
  return (JSON.parse(line) as Record<string, string>)[name] ?? '';
}

interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: string;
}

function ask(address: string, headers: Record<string, string> = {}, method = 'GET'): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(address, { method, headers, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body }));
    });
    asked.on('error', reject);
    asked.end();
  });
}

/** Data of the events of a stream, until one of them fulfils the condition. */
async function eventsUntil<T>(address: string, enough: (data: T) => boolean): Promise<readonly T[]> {
  const seen: T[] = [];
  const stop = new AbortController();
  const { body } = await fetch(address, { signal: stop.signal });
  if (body === null) throw new Error('no stream');
  let rest = '';
  for await (const chunk of body.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + chunk).split('\n\n');
    rest = blocks.pop() ?? '';
    for (const block of blocks) {
      const data = /^data: (.*)$/m.exec(block)?.[1];
      if (data === undefined) continue;
      seen.push(JSON.parse(data) as T);
      if (enough(seen.at(-1) as T)) {
        stop.abort();
        return seen;
      }
    }
  }
  return seen;
}

test('metrics count the work of the loop and the resources of containers', async () => {
  const busy = shell(`i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    app(
      `  free: { image: busybox, command: ${busy} }\n` +
        `  bound: { image: busybox, command: ${busy}, resources: { memory: 64MiB, pids: 20 } }\n` +
        `  failing: { image: busybox, command: ${shell('exit 3')}, restart: always }\n`,
    ),
  );
  await until('all is done', async () => (await supervisor.ok('logs', 'app/')).split('done').length === 3);
  await supervisor.waitFor('failing', 'restarted', ({ restarts }) => restarts > 0);
  const { status, headers, body } = await ask(url('metrics'));
  expect(status).toBe(200);
  expect(headers['content-type']).toContain('text/plain; version=0.0.4');
  const value = (series: string): number =>
    Number(
      body
        .split('\n')
        .find((line) => line.startsWith(`${series} `))
        ?.split(' ')[1] ?? Number.NaN,
    );
  for (const name of ['free', 'bound']) {
    const labels = `{app="app",name="${name}"}`;
    expect(value(`tsdocker_container_phase{app="app",name="${name}",phase="Running"}`)).toBe(1);
    expect(value(`tsdocker_container_ready${labels}`)).toBe(1);
    expect(value(`tsdocker_container_cpu_seconds_total${labels}`)).toBeGreaterThan(0.01);
    expect(value(`tsdocker_container_memory_bytes${labels}`)).toBeGreaterThan(10_000);
    expect(value(`tsdocker_container_memory_bytes${labels}`)).toBeLessThan(64 * 1024 ** 2);
    expect(value(`tsdocker_container_pids${labels}`)).toBe(2);
    expect(value(`tsdocker_container_network_receive_bytes_total${labels}`)).toBeGreaterThanOrEqual(0);
    expect(value(`tsdocker_container_restarts_total${labels}`)).toBe(0);
  }
  expect(value('tsdocker_container_restarts_total{app="app",name="failing"}')).toBeGreaterThan(0);
  expect(value('tsdocker_ops_total{op="container.create",result="done"}')).toBe(3);
  expect(value('tsdocker_op_duration_seconds_count{op="container.create"}')).toBe(3);
  expect(value('tsdocker_reconcile_pass_duration_seconds_count')).toBeGreaterThan(3);
  expect(value('tsdocker_reconcile_defects_total')).toBe(0);
  expect(value('tsdocker_desired_resources{kind="container"}')).toBe(3);
  expect(value('process_resident_memory_bytes')).toBeGreaterThan(10_000_000);
  expect(body).toContain('nodejs_eventloop_lag_seconds ');
  expect(value('tsdocker_event_loop_pause_max_seconds{since="start"}')).toBeGreaterThan(0);
  expect(value('tsdocker_event_loop_pause_max_seconds{since="5m"}')).toBeGreaterThanOrEqual(0);
  expect(await supervisor.ok('doctor')).toMatch(/event loop +its longest pause is \d+ ms.* since the start, \d+ ms/);
  // Prometheus' own judge of the format and of names.
  execFileSync('promtool', ['check', 'metrics'], { input: body });
  expect((await ask(url('metrics').replace('/metrics', '/'))).status).toBe(404);
});

describe('the page', () => {
  test('loads nothing from other hosts and refuses requests of other users', async () => {
    const page = await ask(url('web'));
    expect(page.status).toBe(200);
    expect(page.headers['content-security-policy']).toContain("default-src 'none'; script-src 'self'");
    expect(page.headers['x-frame-options']).toBe('DENY');
    expect(page.headers['access-control-allow-origin']).toBeUndefined();
    for (const [, path] of page.body.matchAll(/(?:src|href)="([^"#]*)"/g)) {
      expect(path).toMatch(/^\/[a-z.]+$/);
      expect((await ask(url('web') + path)).status).toBe(200);
    }
    expect(page.body).not.toMatch(/<script(?! type="module" src)| style=| on[a-z]+=/);
    expect((await ask(url('web'), { host: 'evil.example' })).status).toBe(421);
    expect((await ask(url('web'), { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    expect((await ask(url('web'), {}, 'POST')).status).toBe(405);
    expect((await ask(`${url('web')}/api/apply`)).status).toBe(404);
    expect((await ask(`${url('web')}/..%2f..%2fpackage.json`)).status).toBe(404);
    expect((await ask(url('metrics'), { host: 'evil.example' })).status).toBe(421);
  });

  test('streams containers, links, the last plan, events and logs, without environment variables', async () => {
    const hostile = shell(`echo '<img src=x onerror=alert(1)>'; ${IDLE}`);
    supervisor.drop(
      'app.yaml',
      app(
        `  db: { image: busybox, command: ${hostile}, env: { PASSWORD: hunter2 } }\n` +
          `  web: { image: busybox, command: ${hostile}, links: [db] }\n`,
      ),
    );
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    type State = { containers: { name: string; phase: string }[]; links: unknown; lastPlan: { ops: { id: string }[] } };
    const states = await eventsUntil<State>(`${url('web')}/api/state`, ({ lastPlan }) => lastPlan !== null);
    const state = states.at(-1);
    expect(state?.containers.map(({ name, phase }) => [name, phase])).toEqual([
      ['db', 'Running'],
      ['web', 'Running'],
    ]);
    expect(state?.links).toEqual([{ from: 'app/web', to: 'app/db' }]);
    expect(state?.lastPlan.ops.length).toBeGreaterThan(0);
    expect(JSON.stringify(states)).not.toContain('hunter2');

    const lines = await eventsUntil<{ log: string }>(`${url('web')}/api/logs?name=app%2Fdb`, () => true);
    expect(lines).toMatchObject([{ log: '<img src=x onerror=alert(1)>\n', stream: 'stdout' }]);
    expect(await eventsUntil(`${url('web')}/api/logs?name=nope`, () => true)).toEqual(['there is no container nope']);
    const entries = await eventsUntil<{ what: string; resource: string }>(
      `${url('web')}/api/events`,
      ({ what, resource }) => what === 'container.start' && resource === 'container/app/web',
    );
    expect(entries.map(({ what }) => what)).toContain('added');
    await supervisor.ok('stop', 'web');
    await eventsUntil<State>(`${url('web')}/api/state`, ({ containers }) =>
      containers.some(({ name, phase }) => name === 'web' && phase === 'Exited'),
    );
  });
});

test('every log line has its pass, key and op', async () => {
  supervisor.drop('app.yaml', app(`  web: { image: busybox, command: ${shell('exit 3')} }\n`));
  await supervisor.waitFor('web', 'ended', ({ phase }) => phase === 'Exited');
  const lines = supervisor.log
    .split('\n')
    .filter((line) => line.includes('container/app/web'))
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  const started = lines.find(({ op }) => op === 'container.start');
  expect(started).toMatchObject({ key: 'container/app/web', opId: 'start container/app/web' });
  expect(started?.reconcile).toMatch(/^1\.\d+$/);
  expect(lines.find(({ event }) => event === 'exit')).toMatchObject({
    key: 'container/app/web',
    run: 1,
    msg: 'exited with 3',
  });
});

test('a used address does not stop the supervisor, and is served once it is free', async () => {
  const other = createServer();
  await new Promise<void>((done) => other.listen(0, '127.0.0.1', done));
  const { port } = other.address() as AddressInfo;
  try {
    supervisor.drop('app.yaml', `${BUSYBOX_IMAGE}containers: { web: { image: busybox, command: ${shell(IDLE)} } }\n`);
    await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    await supervisor.stop();
    await supervisor.start('--web', `127.0.0.1:${port}`);
    expect(await supervisor.container('web')).toMatchObject({ phase: 'Running' });
    expect(supervisor.log).toMatch(
      new RegExp(`--web http://127.0.0.1:${port} is not served: .*EADDRINUSE.* is used by .* \\(pid ${process.pid}\\)`),
    );
  } finally {
    await new Promise((done) => other.close(done));
  }
  const page = await until('the page', () => ask(`http://127.0.0.1:${port}/`).catch(() => null));
  expect(page).toMatchObject({ status: 200, body: expect.stringContaining('<html') });
  expect(supervisor.log).toContain(`--web is served at http://127.0.0.1:${port}`);
});
