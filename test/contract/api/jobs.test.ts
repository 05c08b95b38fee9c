import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { JobRequest } from '../../../src/api/jobs.ts';
import type { StdioSession } from '../../../src/drivers/contract/exec.ts';
import { tsdocker } from '../../support/api/in-process.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { until } from '../../support/wait.ts';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.end());

const run = (name: string, request: Partial<JobRequest> = {}): Promise<StdioSession> =>
  served.client.job(name, { args: [], env: {}, stdin: false, ...request });
const outcome = async (session: StdioSession): Promise<unknown[]> =>
  await Promise.all([text(session.stdout), text(session.stderr), session.exited]);
const running = (): readonly string[] => served.supervisor.jobs.engine.running();

test('a job has arguments and environment; its outputs and its status come back', async () => {
  const session = await run('greet', { args: ['world', 'again'], env: { greeting: 'hello' } });
  expect(await outcome(session)).toEqual(['hello world again\n', '', 0]);
  expect(await outcome(await run('greet', { args: ['nobody'] }))).toEqual([
    '',
    expect.stringMatching(/^there is nobody to greet\n/),
    1,
  ]);
});

test('an unknown name is 127 with a suggestion; an op is refused', async () => {
  expect(await outcome(await run('greeet'))).toEqual([
    '',
    'greeet: command not found\nhint: Did you mean greet? `tsdocker jobs` lists all jobs.\n',
    127,
  ]);
  await expect(run('container.start', { args: ['container/a/b'] })).rejects.toMatchObject({
    code: 'TSD_BAD_REQUEST',
    hint: 'Change the manifest.',
  });
});

test('input arrives byte for byte and comes back', async () => {
  const bytes = Buffer.alloc(5_000_000).map((_byte, index) => index % 251);
  const session = await run('cat', { stdin: true });
  session.stdin?.end(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of session.stdout) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  expect(await session.exited).toBe(0);
});

test('a reader that stops holds back the writer of the input', async () => {
  const session = await run('cat', { stdin: true });
  const block = Buffer.alloc(64 * 1024);
  let sent = 0;
  const feed = (async () => {
    for (; sent < 64 * 1024 * 1024; sent += block.length) {
      if (session.stdin?.write(block) === false) await new Promise((resolve) => session.stdin?.once('drain', resolve));
    }
    session.stdin?.end();
  })();
  let still = -1;
  for (let same = 0; same < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = sent === still ? same + 1 : 0;
    still = sent;
  }
  expect(still).toBeLessThan(16 * 1024 * 1024);
  let read = 0;
  for await (const chunk of session.stdout) read += (chunk as Buffer).length;
  await feed;
  expect([read, await session.exited]).toEqual([64 * 1024 * 1024, 0]);
});

test('a signal calls a job off, and so does a client that is gone', async () => {
  const session = await run('hang');
  await until('the job', () => running().length === 1);
  session.signal(2);
  expect(await outcome(session)).toEqual(['', expect.stringContaining('hang: cancelled by signal 2'), 1]);
  const abandoned = await run('hang');
  await until('the job', () => running().length === 1);
  abandoned.close();
  await until('the end of the job', () => running().length === 0);
  expect(served.supervisor.jobs.cancelled).toBe(2);
});

test('the list has running jobs without secrets', async () => {
  const session = await run('hang', { args: ['x'], env: { password: 'hunter2' } });
  await until('the job', () => running().length === 1);
  const view = await served.client.jobs();
  expect(view.running).toMatchObject([
    { name: 'hang', args: ['x'], env: ['password=…'], ms: 0, by: { uid: 0 }, calledOff: false },
  ]);
  expect(view.jobs.map(({ name }) => name)).toEqual(['cat', 'commands', 'container.start', 'greet', 'hang']);
  session.close();
});

test('a request that is no job request is refused', async () => {
  const args = ['a\0b'];
  await expect(run('greet', { args })).rejects.toMatchObject({ code: 'TSD_BAD_REQUEST' });
});

test('the commands show and run jobs', async () => {
  const { host } = served;
  const list = await tsdocker(['jobs'], { host });
  expect(list.stderr).toBe('No job runs.\n');
  expect(list.stdout).toMatch(/^greet +NAME \[WORD…\] +anybody +greets$/m);
  expect(list.stdout).toMatch(/^container\.start +KEY +supervisor +carries out an op$/m);
  expect((await tsdocker(['jobs', '-o', 'name'], { host })).stdout).toContain('greet\n');
  expect(JSON.parse((await tsdocker(['jobs', '--running', '-o', 'json'], { host })).stdout)).toEqual({ running: [] });
  const greeted = await tsdocker(['job', 'greet', 'world', '--env', 'greeting'], { host, env: { greeting: 'hi' } });
  expect(greeted).toEqual({ exitCode: 0, stdout: 'hi world\n', stderr: '' });
  expect(await tsdocker(['job', 'cat'], { host, input: 'through' })).toMatchObject({ exitCode: 0, stdout: 'through' });
  expect(await tsdocker(['job', 'nope'], { host })).toMatchObject({ exitCode: 127, stdout: '' });
  expect(await tsdocker(['job', 'container.start', 'k'], { host })).toMatchObject({
    exitCode: 1,
    stderr: expect.stringContaining('hint: Change the manifest.'),
  });
});
