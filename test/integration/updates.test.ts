/** Updates of real containers: without a failed request, and taken back when they fail. */

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { connect } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { WhyView } from '../../src/api/views/explain-views.ts';
import { BUSYBOX_IMAGE, FOREVER, shell } from '../support/manifests.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

const supervisor = new TestSupervisor();

beforeAll(async () => {
  await supervisor.start();
});

afterAll(async () => {
  await supervisor.destroy();
});

/** A web server that answers with a word. */
const server = (word: string) =>
  shell(`mkdir -p /www; echo ${word} > /www/index.html; exec busybox httpd -f -p 80 -h /www`);

const manifest = (name: string, port: number, command: string, update: string) => `${BUSYBOX_IMAGE}containers:
  ${name}:
    image: busybox
    command: ${command}
    restart: always
    ports: ["127.0.0.1:${port}:80"]
    health: { http: { port: 80 }, interval: 1s }
    update: ${update}
`;

const LINKED = `  client: { image: busybox, command: ${FOREVER}, links: [web], stopTimeout: 0s }
  tied: { image: busybox, command: ${FOREVER}, links: [web], stopTimeout: 0s, onDependencyRestart: restart }
`;

/** One request on a connection of its own. */
function ask(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = get({ host: '127.0.0.1', port, agent: false, timeout: 10_000 }, (response) => {
      let text = '';
      response.on('data', (chunk) => {
        text += chunk;
      });
      response.on('end', () => resolve(text));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error('no answer within 10 s')));
    request.on('error', reject);
  });
}

/** A connection on which nothing has been asked yet. */
async function open(port: number): Promise<{ ask(): Promise<string> }> {
  const socket = connect({ host: '127.0.0.1', port });
  await once(socket, 'connect');
  let text = '';
  socket.on('data', (chunk) => {
    text += chunk;
  });
  return {
    ask: async () => {
      socket.write('GET / HTTP/1.0\r\n\r\n');
      await once(socket, 'end');
      return text;
    },
  };
}

/** Sends requests without a pause until the test ends it; returns the answers in order, without repetitions. */
function askAllTheTime(port: number) {
  const answers: string[] = [];
  const failures: string[] = [];
  let going = true;
  let asked = 0;
  const loop = (async () => {
    while (going) {
      asked++;
      const answer = await ask(port).catch((error: Error) => failures.push(error.message));
      if (typeof answer === 'string' && answers.at(-1) !== answer.trim()) answers.push(answer.trim());
    }
  })();
  return {
    answers,
    end: async () => {
      going = false;
      await loop;
      return { answers, failures, asked };
    },
  };
}

test('start-first fails no request on the fixed port, drains open connections, and moves names', async () => {
  const port = await freePort();
  const update = '{ order: start-first, timeout: 30s, drain: 5s }';
  const file = 'zero.yaml';
  supervisor.drop(file, manifest('web', port, server('one'), update) + LINKED);
  const before = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await supervisor.waitFor('client', 'ready', ({ ready }) => ready);
  const client = askAllTheTime(port);
  await until('an answer', () => client.answers.includes('one'));
  const early = await open(port);

  supervisor.drop(file, manifest('web', port, server('two'), update) + LINKED);
  await until('the other answer', () => client.answers.includes('two'));
  // While the old one drains.
  expect(await early.ask()).toContain('one');
  const after = await supervisor.waitFor('web', 'the successor', ({ id }) => id !== before.id);
  const old = await supervisor.container('web.old');
  expect(old === undefined || old.pid === before.pid).toBe(true);
  await until('the old one gone', async () => (await supervisor.container('web.old')) === undefined);
  const { answers, failures, asked } = await client.end();
  expect(failures).toEqual([]);
  expect(answers).toEqual(['one', 'two']);
  expect(asked).toBeGreaterThan(20);

  expect(after).toMatchObject({ engineName: 'zero-web', ready: true, ports: before.ports });
  // Who resolved its name once goes on: the address is the same, and so is what links have in their environment.
  expect(after.address).toBe(before.address);
  expect(await supervisor.ok('why', 'web')).toContain('its successor is ready');
  const hosts = await supervisor.ok('exec', 'client', 'busybox', 'cat', '/etc/hosts');
  expect(hosts).toContain(`${after.address}\tweb`);
  const own = await supervisor.ok('exec', 'web', 'busybox', 'cat', '/etc/hosts');
  expect(own.split('\n')[0]).toContain(`${after.address}\t`);
  const address = await supervisor.ok('exec', 'client', 'busybox', 'sh', '-c', 'echo $WEB_PORT_80_TCP_ADDR');
  expect(address.trim()).toBe(before.address);
  const { conditions } = (await supervisor.container('client')) ?? {};
  expect(conditions?.some(({ type }) => type === 'StaleLinks')).toBe(false);
  const [table] =
    execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' }).match(
      new RegExp(`tsd-${supervisor.instance}-move\\S*`),
    ) ?? [];
  expect(table).toBeUndefined();
});

test('a failed successor leaves the old container serving, keeps the reason, and is not retried', async () => {
  const port = await freePort();
  const update = '{ order: start-first, timeout: 30s, drain: 1s }';
  const failing = shell('echo cannot find the database; exit 3');
  supervisor.drop('bad.yaml', manifest('shop', port, server('one'), update));
  const before = await supervisor.waitFor('shop', 'ready', ({ ready }) => ready);
  const client = askAllTheTime(port);
  supervisor.drop('bad.yaml', manifest('shop', port, failing, update));
  const held = await supervisor.waitFor('shop', 'held back', ({ conditions }) =>
    conditions.some(({ reason }) => reason === 'HeldBack'),
  );
  await until('the successor gone', async () => (await supervisor.container('shop.next')) === undefined);
  const { answers, failures } = await client.end();
  expect(failures).toEqual([]);
  expect(answers).toEqual(['one']);
  expect(held).toMatchObject({ id: before.id, pid: before.pid, phase: 'Running' });
  const why = await supervisor.ok('why', 'shop');
  expect(why).toMatch(/update failed: exited with 3 after \d+\.\d s/);
  expect(why).toContain('cannot find the database');
  expect(await supervisor.ok('get', 'manifests')).toMatch(/bad\.yaml.*Held/);

  // Neither a restart of the supervisor nor the same text again makes it try.
  await supervisor.crash();
  await supervisor.start();
  supervisor.drop('bad.yaml', `${manifest('shop', port, failing, update)}`);
  expect(await supervisor.container('shop')).toMatchObject({ id: before.id, pid: before.pid });
  supervisor.drop('bad.yaml', manifest('shop', port, server('three'), update));
  await until('the mended spec', async () => (await ask(port).catch(() => '')).trim() === 'three');
  const after = await supervisor.waitFor('shop', 'free again', ({ conditions, ready }) => {
    return ready && !conditions.some(({ reason }) => reason === 'HeldBack');
  });
  expect(after.id).not.toBe(before.id);
});

test('an update whose check never passes reports the output of the check until the rollback', async () => {
  const health = (script: string) =>
    `health: { exec: ["busybox", "sh", "-c", "${script}"], interval: 1s, retries: 50 }`;
  const text = (order: string, script: string) => `${BUSYBOX_IMAGE}containers:
  quiet:
    image: busybox
    command: ${FOREVER}
    stopTimeout: 0s
    env: { SCRIPT: "${script}" }
    ${health(script)}
    update: { order: ${order}, timeout: 8s, drain: 0s }
`;
  const heldBack = ({ conditions }: { readonly conditions: readonly { readonly reason: string }[] }) =>
    conditions.some(({ reason }) => reason === 'HeldBack');
  for (const order of ['stop-first', 'start-first']) {
    const file = supervisor.drop('quiet.yaml', text(order, 'exit 0'));
    await supervisor.waitFor('quiet', 'ready and settled', (view) => {
      return view.ready && !heldBack(view) && !view.conditions.some(({ type }) => type === 'Updating');
    });
    supervisor.drop('quiet.yaml', text(order, 'echo db down; exit 1'));
    const held = await supervisor.waitFor('quiet', 'held back and ready', (view) => view.ready && heldBack(view));
    const reason = /not ready within 8\.0 s: health check failed.*: exit 1: db down/;
    expect(held.conditions.find(({ reason: word }) => word === 'HeldBack')?.message).toMatch(reason);

    const { steps } = JSON.parse(await supervisor.ok('why', 'quiet', '-o', 'json')) as WhyView;
    const [first] = steps;
    expect(first).toMatchObject({ kind: 'edit', cause: 'edited quiet.yaml', source: { file } });
    expect(first?.text).toContain('env.SCRIPT "exit 0" -> "echo db down; exit 1"');
    const failed = steps.findIndex(({ text: what }) => what.startsWith('update failed: '));
    expect(steps[failed]?.text).toMatch(reason);
    const back = steps.findIndex(({ text: what }) => /^rolled back to generation \d+$/.test(what));
    expect(back).toBe(failed + 1);
    if (order === 'stop-first') {
      const again = steps.find(({ kind }, index) => kind === 'start' && index > back);
      expect(again?.cause).toMatch(/^rolled back to generation \d+: env.SCRIPT, health/);
    } else {
      // How many steps it takes depends on what else the loop has to do.
      expect(steps.some(({ text: what }) => /^successor: created\b/.test(what))).toBe(true);
      await until('the successor gone', async () => (await supervisor.container('quiet.next')) === undefined);
      const next = await supervisor.ok('why', 'quiet/quiet.next');
      expect(next).toContain('container/quiet/quiet is Running');
      expect(next).toContain('there is no quiet/quiet.next now');
    }
    expect(await supervisor.ok('events')).toMatch(
      /quiet\/quiet container\.fail-update: update failed: not ready.*db down/,
    );
  }
});

test('start-first reports the latest probe result while it waits for the successor', async () => {
  const count = 'echo x >> /probes; echo $(wc -l < /probes) probes; exit 1';
  const text = (check: string) => `${BUSYBOX_IMAGE}containers:
  counts:
    image: busybox
    command: ${FOREVER}
    stopTimeout: 0s
    health: { exec: [busybox, sh, -c, ${JSON.stringify(check)}], interval: 100ms, startPeriod: 60s }
    env: { CHECK: ${JSON.stringify(check)} }
    update: { order: start-first, timeout: 60s }
`;
  const file = supervisor.drop('counts.yaml', text('exit 0'));
  await supervisor.waitFor('counts', 'ready', ({ ready }) => ready);
  supervisor.drop('counts.yaml', text(count));
  await supervisor.waitFor('counts', 'the third probe told', ({ ready, message }) => {
    return (
      ready && /counts\.next takes over when it is ready; health check failed.*: ([3-9]|\d{2,}) probes/.test(message)
    );
  });
  rmSync(file);
  await until('counts is gone', async () => (await supervisor.container('counts')) === undefined);
});

test('stop-first rolls an app back when a changed container ends, apply --wait explains it, and other apps stay', async () => {
  const port = await freePort();
  const other = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  const file = supervisor.file(
    'apply/plain.yaml',
    `${BUSYBOX_IMAGE}containers:\n  plain: { image: busybox, command: ${server('one')}, restart: always, ports: ["127.0.0.1:${port}:80"] }\n`,
  );
  await supervisor.ok('apply', '--wait', '-f', file);
  const text = readFileSync(file, 'utf8');
  writeFileSync(file, text.replace(server('one'), shell('echo no such table; exit 4')));
  const failed = await supervisor.cli('apply', '--wait', '-f', file);
  expect(failed.status).not.toBe(0);
  expect(failed.stderr + failed.stdout).toMatch(/exited with 4 after/);
  expect(failed.stderr).toMatch(/hint: .*`tsdocker logs plain\/plain`.*`tsdocker why plain\/plain`/);
  await until('the old spec back', async () => (await ask(port).catch(() => '')).trim() === 'one');
  await supervisor.waitFor('plain', 'ready', ({ ready, restarts }) => ready && restarts === 0);
  expect(await supervisor.ok('why', 'plain')).toContain('no such table');
  expect(await supervisor.container('web')).toMatchObject({ id: other.id, pid: other.pid, restarts: 0 });
});

test('apply --wait reports once why a changed container is not ready', async () => {
  const text = (script: string) => `${BUSYBOX_IMAGE}containers:
  slow:
    image: busybox
    command: ${FOREVER}
    stopTimeout: 0s
    env: { SCRIPT: "${script}" }
    health: { exec: ["busybox", "sh", "-c", "${script}"], interval: 1s, retries: 50 }
    update: { timeout: 10s }
`;
  const file = supervisor.file('apply/slow.yaml', text('exit 0'));
  await supervisor.ok('apply', '--wait', '-f', file);
  await supervisor.waitFor('slow', 'settled', ({ conditions }) => !conditions.some(({ type }) => type === 'Updating'));
  writeFileSync(file, text('echo no route to db; exit 1'));
  const failed = await supervisor.cli('apply', '--wait', '-f', file);
  expect(failed.status).toBe(1);
  const lines = failed.stdout.split('\n').filter((line) => line.includes('no route to db'));
  expect(lines).toEqual([expect.stringMatching(/has to prove itself; health check failed.*: exit 1: no route to db/)]);
  expect(await supervisor.ok('delete', '-f', file, '--wait')).toMatch(/\nremoved: generation \d+/);
});

test('an old container that ends before its successor is ready restarts with its old specification', async () => {
  const port = await freePort();
  const gate = supervisor.file('gate/wait', '');
  const volumes = `["${gate.slice(0, -'/wait'.length)}:/gate:ro"]`;
  const update = `{ order: start-first, drain: 1s, timeout: 2m }\n    volumes: ${volumes}`;
  const waiting = server('two').replace('mkdir', 'while [ -e /gate/wait ]; do sleep 0.1; done; mkdir');
  supervisor.drop('tended.yaml', manifest('tended', port, server('one'), update));
  const before = await supervisor.waitFor('tended', 'ready', ({ ready }) => ready);
  supervisor.drop('tended.yaml', manifest('tended', port, waiting, update));
  await supervisor.waitFor('tended.next', 'running', ({ phase }) => phase === 'Running');
  process.kill(before.pid ?? 0, 'SIGKILL');
  const again = await supervisor.waitFor('tended', 'started again', ({ pid, ready }) => ready && pid !== before.pid);
  expect(again).toMatchObject({ id: before.id, restarts: 1 });
  expect((await ask(port)).trim()).toBe('one');
  expect(await supervisor.container('tended.next')).toMatchObject({ phase: 'Running', ready: false });
  rmSync(gate);
  await until('the new spec', async () => (await ask(port).catch(() => '')).trim() === 'two');
  expect((await supervisor.container('tended'))?.id).not.toBe(before.id);
});
