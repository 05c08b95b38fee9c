/** Runs, output and programs in containers, as clients of the Docker API meet them. */
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync, symlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ask, docker } from '../support/docker-client.ts';
import { headAndRest, Received, rawSocket, unframed, upgrade, whole } from '../support/docker-raw.ts';
import { app, shell } from '../support/manifests.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

const WAITING = 'while :; do sleep 3600 & wait; done';

beforeAll(async () => {
  supervisor = await new TestSupervisor().start();
  supervisor.drop(
    'app.yaml',
    app(
      [
        `  talk: { image: busybox, command: ${shell(`trap "exit 3" TERM; echo out; echo err >&2; ${WAITING}`)} }`,
        `  files: { image: busybox, restart: no, volumes: ["data:/data", "fixed:/fixed:ro"], command: ${shell('exit 0')} }`,
        `  other: { image: busybox, command: ${shell(`trap "exit 0" TERM; ${WAITING}`)} }`,
        `  asks: { image: busybox, restart: no, stdin: true, command: ${shell('echo first; read x; echo got $x; exit 4')} }`,
        `  screen: { image: busybox, restart: no, tty: true, command: ${shell('echo first; read x; echo got $x; exit 4')} }`,
        'volumes: { data: {}, fixed: {} }',
      ].join('\n'),
    ),
  );
  for (const name of ['talk', 'other', 'asks', 'screen'])
    await supervisor.waitFor(name, 'running', ({ phase }) => phase === 'Running');
}, 60_000);

afterAll(async () => {
  await supervisor.destroy();
}, 60_000);

/** The name that Docker's clients know. */
const named = async (name: string): Promise<string> => (await supervisor.container(name))?.engineName ?? '';

/** The same of a container that runs, also when its policy has to bring it back first. */
const running = async (name: string): Promise<string> =>
  (await supervisor.waitFor(name, 'running', ({ phase }) => phase === 'Running')).engineName;

async function asked(method: string, path: string, body?: unknown) {
  const { status, headers, body: bytes } = await ask(supervisor.socket, method, path, { body });
  return { status, headers, bytes, text: bytes.toString() };
}

interface Exec {
  readonly id: string;
  readonly head: string;
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
}

/** @param input of which the client says the end */
async function exec(name: string, options: Readonly<Record<string, unknown>>, input = ''): Promise<Exec> {
  const streams = { AttachStdin: true, AttachStdout: true, AttachStderr: true };
  const made = await asked('POST', `/containers/${name}/exec`, { ...streams, ...options });
  expect(made).toMatchObject({ status: 201 });
  const { Id: id } = JSON.parse(made.text) as { Id: string };
  const socket = rawSocket(supervisor.socket, upgrade('POST', `/exec/${id}/start`, { Detach: false, Tty: false }));
  socket.end(input);
  const { head, rest } = headAndRest(await whole(socket));
  const { ExitCode: exitCode } = JSON.parse((await asked('GET', `/exec/${id}/json`)).text) as { ExitCode: number };
  return { id, head, ...unframed(rest), exitCode };
}

test('exec carries output, input after its sender ends, and exit codes', async () => {
  const name = await running('talk');
  const both = await exec(name, { Cmd: ['busybox', 'sh', '-c', 'cat; echo e >&2; exit 7'] }, 'in\n');
  expect(both).toMatchObject({ stdout: 'in\n', stderr: 'e\n', exitCode: 7 });
  expect(both.head).toContain('HTTP/1.1 101 UPGRADED');
  expect(both.head).toContain('application/vnd.docker.multiplexed-stream');
  const surroundings = {
    Cmd: ['busybox', 'sh', '-c', 'echo $A; pwd; id -u'],
    Env: ['A=b'],
    WorkingDir: '/tmp',
    User: '7',
  };
  expect(await exec(name, surroundings)).toMatchObject({ stdout: 'b\n/tmp\n7\n', exitCode: 0 });
  expect(await asked('POST', `/exec/${both.id}/start`, {})).toMatchObject({ status: 409 });
  expect(await asked('POST', '/exec/nope/start', {})).toMatchObject({
    status: 404,
    text: '{"message":"No such exec instance: nope"}\n',
  });
  expect(await asked('POST', `/containers/${name}/exec`, {})).toMatchObject({
    status: 400,
    text: '{"message":"No exec command specified"}\n',
  });
});

test('a program that cannot be executed has the exit code and the words that clients look for', async () => {
  const name = await running('talk');
  const raw = async (Cmd: readonly string[]) => {
    const made = JSON.parse((await asked('POST', `/containers/${name}/exec`, { Cmd, AttachStdout: true })).text);
    const { Id } = made as { Id: string };
    const answer = await whole(rawSocket(supervisor.socket, upgrade('POST', `/exec/${Id}/start`, {})));
    const { ExitCode } = JSON.parse((await asked('GET', `/exec/${Id}/json`)).text) as { ExitCode: number };
    return { text: unframed(headAndRest(answer).rest).stdout, ExitCode };
  };
  expect(await raw(['nofile'])).toEqual({
    text: expect.stringContaining('exec: "nofile": executable file not found in $PATH'),
    ExitCode: 126,
  });
  expect(await raw(['/no/file'])).toEqual({
    text: expect.stringContaining('no such file or directory'),
    ExitCode: 126,
  });
  expect(await raw(['/etc'])).toEqual({ text: expect.stringContaining('permission denied'), ExitCode: 126 });
});

test('a program without a client runs, and its end is seen', async () => {
  const name = await named('other');
  const made = await asked('POST', `/containers/${name}/exec`, { Cmd: ['busybox', 'sh', '-c', 'exit 9'] });
  const { Id } = JSON.parse(made.text) as { Id: string };
  expect(await asked('POST', `/exec/${Id}/start`, { Detach: true })).toMatchObject({ status: 200 });
  const seen = await until('its end', async () => {
    const shape = JSON.parse((await asked('GET', `/exec/${Id}/json`)).text) as { Running: boolean };
    return shape.Running ? null : shape;
  });
  expect(seen).toMatchObject({ ID: Id, ExitCode: 9, ProcessConfig: { entrypoint: 'busybox', tty: false } });
});

test('logs have both streams, times with nine decimals, a tail, and follow to the end of the run', async () => {
  const name = await running('talk');
  const logs = async (query: string) => unframed((await asked('GET', `/containers/${name}/logs?${query}`)).bytes);
  await until('both lines', async () => {
    const { stdout, stderr } = await logs('stdout=1&stderr=1');
    return stdout === 'out\n' && stderr === 'err\n';
  });
  expect(await logs('stdout=1')).toEqual({ stdout: 'out\n', stderr: '' });
  const timed = await logs('stderr=1&timestamps=1&tail=1');
  expect(timed.stderr).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z err\n$/);
  // The time of a line is the first at which it is wanted, and the last.
  const [at = ''] = timed.stderr.split(' ');
  const exact = `${Math.floor(Date.parse(at) / 1000)}.${at.slice(20, 29)}`;
  expect(await logs(`stderr=1&since=${exact}&until=${exact}`)).toEqual({ stdout: '', stderr: 'err\n' });
  const next = `${exact.slice(0, -9)}${String(Number(exact.slice(-9)) + 1).padStart(9, '0')}`;
  expect(await logs(`stderr=1&since=${next}`)).toEqual({ stdout: '', stderr: '' });
  expect(await asked('GET', `/containers/${name}/logs`)).toMatchObject({ status: 400 });
  expect(await asked('GET', `/containers/${name}/logs?stdout=1&since=x`)).toMatchObject({
    status: 400,
    text: expect.stringContaining('invalid value for \\"since\\"'),
  });
  const following = rawSocket(
    supervisor.socket,
    `GET /v1.45/containers/${name}/logs?follow=1&stdout=1&stderr=1 HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`,
  );
  let seen = '';
  following.on('data', (chunk: Buffer) => {
    seen += chunk.toString('latin1');
  });
  const ended = new Promise((resolve) => following.once('end', resolve));
  await until('what was written before', () => seen.includes('out\n') && seen.includes('err\n'));
  expect(await asked('POST', `/containers/${name}/stop`)).toMatchObject({ status: 204 });
  await ended;
  expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
});

test('answers of stop, start, kill and wait say what is so', async () => {
  const name = await running('talk');
  const { id } = (await supervisor.container('talk')) ?? {};
  expect(await asked('POST', `/v1.45/containers/${name}/start`)).toMatchObject({ status: 304, text: '' });
  const waits = ['not-running', 'next-exit'].map((condition) =>
    asked('POST', `/containers/${id}/wait?condition=${condition}`),
  );
  const old = asked('POST', `/v1.29/containers/${name}/wait`);
  // As a client does that registers its wait before it starts something: the head of the answer is there at once.
  const early = rawSocket(supervisor.socket, `POST /containers/${name}/wait HTTP/1.1\r\nHost: d\r\n\r\n`);
  await new Promise((resolve) => early.once('data', resolve));
  early.destroy();
  expect(await asked('POST', `/containers/${name}/stop?t=20`)).toMatchObject({ status: 204 });
  for (const wait of [...waits, old]) expect(JSON.parse((await wait).text)).toEqual({ StatusCode: 3 });
  expect(await asked('POST', `/containers/${name}/stop`)).toMatchObject({ status: 304 });
  expect(await asked('POST', `/containers/${name}/kill`)).toMatchObject({
    status: 409,
    text: `{"message":"cannot kill container: ${name}: container ${id} is not running"}\n`,
  });
  expect(await asked('POST', `/containers/${name}/exec`, { Cmd: ['x'] })).toMatchObject({
    status: 409,
    text: `{"message":"container ${id} is not running"}\n`,
  });
  expect(JSON.parse((await asked('POST', `/containers/${name}/wait`)).text)).toEqual({ StatusCode: 3 });
  expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
  const next = asked('POST', `/containers/${name}/wait?condition=next-exit`);
  expect(await asked('POST', `/containers/${name}/stop?signal=KILL`)).toMatchObject({ status: 204 });
  expect(JSON.parse((await next).text)).toEqual({ StatusCode: 137 });
  expect(await asked('POST', `/containers/${name}/restart?t=0`)).toMatchObject({ status: 204 });
  const killed = asked('POST', `/containers/${name}/wait?condition=next-exit`);
  expect(await asked('POST', `/containers/${name}/kill?signal=TERM`)).toMatchObject({ status: 204 });
  expect(JSON.parse((await killed).text)).toEqual({ StatusCode: 3 });
  expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
  expect(await asked('POST', '/containers/nope/start')).toMatchObject({
    status: 404,
    text: '{"message":"No such container: nope"}\n',
  });
  expect(await asked('POST', `/containers/${name}/kill?signal=FOO`)).toMatchObject({
    status: 400,
    text: `{"message":"cannot kill container: ${name}: invalid signal: FOO"}\n`,
  });
  expect(await asked('POST', `/containers/${name}/wait?condition=x`)).toMatchObject({
    status: 400,
    text: '{"message":"invalid condition: \\"x\\""}\n',
  });
});

test('who attaches before the start misses nothing of the output, and what it sent before is input', async () => {
  const name = await named('asks');
  expect(await asked('POST', `/containers/${name}/stop?t=0`)).toMatchObject({ status: 204 });
  // Many times: a payload that is faster than its reader would be heard in part.
  for (let round = 0; round < 10; round++) {
    const query = 'stream=1&stdin=1&stdout=1&stderr=1';
    const socket = rawSocket(supervisor.socket, upgrade('POST', `/containers/${name}/attach?${query}`));
    const all = new Received(socket);
    socket.write('hello\n');
    const watching = new Received(
      rawSocket(supervisor.socket, upgrade('POST', `/containers/${name}/attach?stream=1&stdout=1`)),
    );
    const exit = asked('POST', `/containers/${name}/wait?condition=next-exit`);
    await until('both waiting', () => all.hasHead && watching.hasHead);
    expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
    const { head, rest } = headAndRest(await all.ended);
    expect(head).toContain('101 UPGRADED');
    expect(unframed(rest)).toEqual({ stdout: 'first\ngot hello\n', stderr: '' });
    expect(unframed(headAndRest(await watching.ended).rest).stdout).toBe('first\ngot hello\n');
    expect(JSON.parse((await exit).text)).toEqual({ StatusCode: 4 });
  }
});

test('a terminal is one raw stream, takes a size, and its keys leave it', async () => {
  const name = await named('screen');
  expect(await asked('POST', `/containers/${name}/resize?h=20&w=50`)).toMatchObject({ status: 200 });
  const keys = rawSocket(
    supervisor.socket,
    upgrade('POST', `/containers/${name}/attach?stream=1&stdin=1&stdout=1&detachKeys=ctrl-p,x`),
  );
  const seen = whole(keys);
  keys.write(Buffer.from([16, 'x'.charCodeAt(0)]));
  expect(headAndRest(await seen).head).toContain('application/vnd.docker.raw-stream');
  keys.destroy();
  const { phase } = (await supervisor.container('screen')) ?? {};
  expect(phase).toBe('Running');
  const second = rawSocket(
    supervisor.socket,
    upgrade('POST', `/containers/${name}/attach?stream=1&stdin=1&stdout=1&logs=1`),
  );
  const all = whole(second);
  second.write('hello\r');
  expect(headAndRest(await all).rest.toString()).toBe('first\r\nhello\r\ngot hello\r\n');
  second.destroy();
});

test('events tell of runs, programs and signals, to those who wait and to those who come later', async () => {
  const name = await running('talk');
  const { id = '' } = (await supervisor.container('talk')) ?? {};
  const since = Date.now() / 1000;
  const filters = encodeURIComponent(JSON.stringify({ container: [name], type: { container: true } }));
  const live = new Received(
    rawSocket(
      supervisor.socket,
      `GET /v1.45/events?filters=${filters} HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n`,
    ),
  );
  await until('the head', () => live.hasHead);
  await exec(name, { Cmd: ['busybox', 'true'] });
  expect(await asked('POST', `/containers/${name}/restart?t=20`)).toMatchObject({ status: 204 });
  expect(await asked('POST', `/containers/${name}/stop`)).toMatchObject({ status: 204 });
  expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 204 });
  const past = async () => {
    const query = `since=${since}&until=${Date.now() / 1000 + 0.001}&filters=${filters}`;
    const lines = (await asked('GET', `/events?${query}`)).text.trim().split('\n');
    return lines.map((line) => JSON.parse(line) as { Action: string; Actor: { Attributes: Record<string, string> } });
  };
  const stop = ['kill', 'die', 'stop'];
  const expected = [
    ...['exec_create: busybox true', 'exec_start: busybox true', 'exec_die'],
    ...[...stop, 'start', 'restart'],
    ...[...stop, 'start'],
  ];
  const seen = await until('all of it', async () => {
    const events = await past();
    return events.length >= expected.length ? events : null;
  });
  expect(seen.map(({ Action }) => Action)).toEqual(expected);
  const death = seen.find(({ Action }) => Action === 'die');
  expect(death).toMatchObject({
    status: 'die',
    id,
    Type: 'container',
    Actor: { ID: id, Attributes: { name, exitCode: '3', execDuration: expect.stringMatching(/^\d+$/) } },
    scope: 'local',
  });
  expect(live.bytes.toString().match(/"Action":"/g)).toHaveLength(expected.length);
  expect(await asked('GET', '/events?since=5&until=4')).toMatchObject({
    status: 400,
    text: '{"message":"`since` time (5) cannot be after `until` time (4)"}\n',
  });
});

/** A tar by the program of that name. */
function tar(...args: readonly string[]): Buffer {
  const { stdout, stderr, status } = spawnSync('tar', args, { maxBuffer: 2 ** 26 });
  if (status !== 0) throw new Error(stderr.toString());
  return stdout;
}

const putTar = (name: string, query: string, body: Buffer) =>
  ask(supervisor.socket, 'PUT', `/containers/${name}/archive?${query}`, {
    body,
    headers: { 'content-type': 'application/x-tar' },
  });

test('files are copied both ways, of containers that run and of those that do not, and through volumes', async () => {
  for (const [container, place] of [
    ['other', '/kept'],
    ['files', '/kept'],
    ['files', '/data'],
  ] as const) {
    const name = await named(container);
    const from = supervisor.file('copied/below/file', `for ${container}\n`);
    await docker(supervisor.socket, ['cp', dirname(dirname(from)), `${name}:${place}`]);
    const where = place === '/data' ? '/data/copied' : place;
    const back = join(supervisor.base, `back-${container}-${basename(place)}`);
    expect(await docker(supervisor.socket, ['cp', `${name}:${where}/below`, back])).toMatchObject({ status: 0 });
    expect(readFileSync(join(back, 'file'), 'utf8')).toBe(`for ${container}\n`);
    const streamed = await docker(supervisor.socket, ['cp', `${name}:${where}/below/file`, '-']);
    expect(streamed.stdout).toContain(`for ${container}\n`);
  }
  const name = await named('files');
  expect(await asked('GET', `/containers/${name}/archive?path=/nope`)).toMatchObject({
    status: 404,
    text: `{"message":"Could not find the file /nope in container ${name}"}\n`,
  });
  expect(await asked('HEAD', `/containers/${name}/archive?path=/nope`)).toMatchObject({ status: 404, text: '' });
  const fixed = await putTar(name, 'path=/fixed', tar('c', '-C', '/etc', 'hostname'));
  expect([fixed.status, fixed.body.toString()]).toEqual([400, '{"message":"mounted volume is marked read-only"}\n']);
  const file = await putTar(name, 'path=/bin/busybox', tar('c', '-C', '/etc', 'hostname'));
  expect([file.status, file.body.toString()]).toEqual([400, '{"message":"extraction point is not a directory"}\n']);
});

test('what is copied has the names, the mode and the link that clients expect', async () => {
  const name = await named('other');
  const inside = { Cmd: ['busybox', 'sh', '-c', 'mkdir -m 1777 /t; ln -s /t /l; ln -s t/ /k; touch /t/f'] };
  expect(await exec(name, inside)).toMatchObject({ exitCode: 0 });
  const statOf = async (path: string) => {
    const { headers } = await asked('HEAD', `/containers/${name}/archive?path=${path}`);
    return JSON.parse(Buffer.from(String(headers['x-docker-container-path-stat']), 'base64').toString()) as object;
  };
  const directory = 2 ** 31 + 2 ** 20 + 0o777;
  expect(await statOf('/t')).toMatchObject({ name: 't', mode: directory, linkTarget: '' });
  expect(await statOf('/l')).toMatchObject({ name: 'l', mode: 2 ** 27 + 0o777, linkTarget: '/t' });
  expect(await statOf('/l/')).toMatchObject({ name: 'l', mode: directory, linkTarget: '' });
  expect(await statOf('/l/.')).toMatchObject({ name: '.', mode: directory });
  const names = async (path: string) => {
    const { bytes } = await asked('GET', `/containers/${name}/archive?path=${path}`);
    return spawnSync('tar', ['t'], { input: bytes }).stdout.toString().split('\n').slice(0, -1);
  };
  expect(await names('/t')).toEqual(['t/', 't/f']);
  expect(await names('/t/.')).toEqual(['./', './f']);
  expect(await names('/l')).toEqual(['l']);
  expect(await names('/k/f')).toEqual(['f']);
});

test('a hostile tar reaches nothing but the container', async () => {
  const outside = supervisor.file('outside', 'mine\n');
  for (const container of ['other', 'files']) {
    const name = await named(container);
    const directory = dirname(supervisor.file(`links-${container}/ok`, 'ok\n'));
    symlinkSync(dirname(outside), join(directory, 'away'));
    symlinkSync('../../../../../../../..', join(directory, 'up'));
    // First the links, then files through them.
    expect((await putTar(name, 'path=/', tar('c', '-C', directory, '.'))).status).toBe(200);
    const through = supervisor.file(`through-${container}/file`, 'theirs\n');
    const as = (path: string) => tar('cP', `--transform=s,.*,${path},`, through);
    // In the container the links lead nowhere, or into the container.
    await putTar(name, 'path=/', as('away/outside'));
    await putTar(name, 'path=/', as(`up${outside}`));
    expect((await putTar(name, 'path=/', as('../../../escaped'))).status).toBe(400);
    expect((await putTar(name, 'path=/', Buffer.from('garbage'))).status).toBe(400);
    expect(readFileSync(outside, 'utf8')).toBe('mine\n');
    expect(existsSync('/escaped')).toBe(false);
    expect(await asked('GET', `/containers/${name}/archive?path=/ok`)).toMatchObject({ status: 200 });
  }
});

test('a paused container says so, stands still over a new supervisor, and goes on', async () => {
  const name = await named('other');
  const { id } = (await supervisor.container('other')) ?? {};
  expect(await asked('POST', `/containers/${name}/unpause`)).toMatchObject({
    status: 500,
    text: `{"message":"Container ${id} is not paused"}\n`,
  });
  expect(await asked('POST', `/containers/${name}/pause`)).toMatchObject({ status: 204 });
  expect(await asked('POST', `/containers/${name}/pause`)).toMatchObject({
    status: 409,
    text: `{"message":"Container ${id} is already paused"}\n`,
  });
  // What reads it stops and resumes others, and leaves this one.
  expect((await asked('GET', `/containers/${name}/changes`)).status).toBe(200);
  await supervisor.crash();
  await supervisor.start();
  expect(await asked('POST', `/containers/${name}/exec`, { Cmd: ['x'] })).toMatchObject({
    status: 409,
    text: `{"message":"Container ${name} is paused, unpause the container before exec"}\n`,
  });
  expect(await asked('POST', `/containers/${name}/start`)).toMatchObject({ status: 409 });
  expect(await asked('POST', `/containers/${name}/unpause`)).toMatchObject({ status: 204 });
  expect(await exec(name, { Cmd: ['busybox', 'echo', 'on'] })).toMatchObject({ stdout: 'on\n' });
});

test('processes, resource use, changed files and all files of a container', async () => {
  const name = await named('other');
  const top = JSON.parse((await asked('GET', `/containers/${name}/top`)).text) as {
    Titles: string[];
    Processes: string[][];
  };
  expect(top.Titles).toContain('PID');
  expect(top.Processes.some((fields) => fields.at(-1)?.includes('busybox sh -c'))).toBe(true);
  expect(top.Processes.every((fields) => fields.length === top.Titles.length)).toBe(true);
  expect(await asked('GET', `/containers/${name}/top?ps_args=-o%20comm`)).toMatchObject({
    status: 500,
    text: '{"message":"Couldn\'t find PID field in ps output"}\n',
  });
  const shown = await docker(supervisor.socket, [
    'stats',
    '--no-stream',
    '--format',
    '{{.Name}} {{.MemUsage}} {{.PIDs}}',
    name,
  ]);
  expect(shown.stdout).toMatch(new RegExp(`^${name} [\\d.]+\\w+ / [\\d.]+\\wiB [1-9]\\d*\\n$`));
  const once = JSON.parse((await asked('GET', `/containers/${name}/stats?stream=0&one-shot=1`)).text) as Record<
    string,
    unknown
  >;
  expect(once).toMatchObject({
    name: `/${name}`,
    preread: '0001-01-01T00:00:00Z',
    cpu_stats: { online_cpus: expect.any(Number) },
  });
  expect(await exec(name, { Cmd: ['busybox', 'touch', '/changed'] })).toMatchObject({ exitCode: 0 });
  const changes = JSON.parse((await asked('GET', `/containers/${name}/changes`)).text) as {
    Path: string;
    Kind: number;
  }[];
  expect(changes).toContainEqual({ Path: '/changed', Kind: 1 });
  const { bytes } = await asked('GET', `/containers/${name}/export`);
  const names = spawnSync('tar', ['t'], { input: bytes }).stdout.toString().split('\n');
  expect(names).toEqual(expect.arrayContaining(['etc/', 'usr/bin/busybox', 'changed']));
  const stopped = await named('files');
  expect(await asked('GET', `/containers/${stopped}/top`)).toMatchObject({ status: 409 });
  const empty = JSON.parse((await asked('GET', `/containers/${stopped}/stats?stream=0`)).text) as object;
  expect(empty).toMatchObject({ name: `/${stopped}`, read: '0001-01-01T00:00:00Z', memory_stats: {} });
});
