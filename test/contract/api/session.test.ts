import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { ExecRequest } from '../../../src/api/requests.ts';
import type { StdioSession } from '../../../src/drivers/contract/exec.ts';
import type { PlainSession } from '../../support/api/plain-supervisor.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { until } from '../../support/wait.ts';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.end());

const request = (argv: readonly string[], more: Partial<ExecRequest> = {}): ExecRequest => ({
  argv,
  env: ['A=1'],
  cwd: null,
  user: '',
  tty: false,
  stdin: false,
  ...more,
});

async function open(argv: readonly string[], more: Partial<ExecRequest> = {}): Promise<[StdioSession, PlainSession]> {
  const session = await served.client.exec('web', request(argv, more));
  return [session, served.supervisor.sessions.at(-1) as PlainSession];
}

test('stdout and stderr stay apart, and the exit code follows them', async () => {
  const [session] = await open(['exit', '42']);
  expect(session.pid).toBe(4711);
  expect(await Promise.all([text(session.stdout), text(session.stderr), session.exited])).toEqual([
    '',
    'leaving with 42\n',
    42,
  ]);
  expect(served.supervisor.asked).toEqual([{ call: 'exec', with: { name: 'web', request: request(['exit', '42']) } }]);
});

test('input arrives unchanged up to its end', async () => {
  const [session] = await open(['cat'], { stdin: true });
  const bytes = Buffer.alloc(3_000_000, 0).map((_byte, index) => index % 251);
  session.stdin?.end(bytes);
  const chunks: Buffer[] = [];
  for await (const chunk of session.stdout) chunks.push(chunk as Buffer);
  expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
  expect(await session.exited).toBe(0);
});

test('sizes and signals are passed on', async () => {
  const [session, plain] = await open(['hold'], { tty: true });
  session.resize(40, 120);
  session.signal(15);
  expect(await text(session.stdout)).toBe('40x120\r\n');
  expect(await session.exited).toBe(143);
  expect([plain.sizes, plain.signals]).toEqual([['40x120'], [15]]);
  await until('the session to be let go', () => plain.closed);
  expect(plain.signals, 'a session that ended is not hung up').toEqual([15]);
});

test('a reader that stops blocks the payload', async () => {
  const [session, plain] = await open(['flood', '64']);
  let taken = -1;
  for (let same = 0; same < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = plain.floodedBytes === taken ? same + 1 : 0;
    taken = plain.floodedBytes;
  }
  expect(taken).toBeLessThan(8 * 1024 * 1024);
  let read = 0;
  for await (const chunk of session.stdout) read += (chunk as Buffer).length;
  expect(read).toBe(64 * 1024 * 1024);
  expect(await session.exited).toBe(0);
});

test('input after the end does not lose unread output', async () => {
  const [session, plain] = await open(['flood', '0.125'], { stdin: true });
  await until('the server to be done', () => plain.closed);
  await new Promise<void>((resolve) => session.stdin?.end('too late', resolve));
  let read = 0;
  for await (const chunk of session.stdout) read += (chunk as Buffer).length;
  expect(read).toBe(128 * 1024);
  expect(await session.exited).toBe(0);
});

test('a command that cannot start is an error of the call', async () => {
  await expect(open(['missing'])).rejects.toMatchObject({ code: 'TSD_COMMAND_NOT_FOUND', step: 'execve missing' });
  await expect(served.client.exec('none', request(['sh']))).rejects.toMatchObject({ code: 'TSD_NO_SUCH_RESOURCE' });
});

test('a vanished client hangs up a terminal and leaves the rest running', async () => {
  const [terminal, plainTerminal] = await open(['hold'], { tty: true });
  terminal.close();
  await until('the hang-up', () => plainTerminal.signals.includes(1));
  const [batch, plainBatch] = await open(['hold']);
  batch.close();
  await until('the session to be let go', () => plainBatch.closed);
  expect(plainBatch.signals).toEqual([]);
});

test('a supervisor that ends says so, ends outputs and rejects the exit code', async () => {
  const [session] = await open(['hold']);
  const outcome = expect(session.exited).rejects.toMatchObject({ code: 'TSD_ENGINE_SHUTDOWN' });
  await served.end();
  await outcome;
  expect(await text(session.stdout)).toBe('');
});
