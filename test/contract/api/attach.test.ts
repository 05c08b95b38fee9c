/** Attaching through the API: like an exec session, of a payload that was there before and stays. */
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { PlainSession } from '../../support/api/plain-supervisor.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { until } from '../../support/wait.ts';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.end());

async function attached(payload: Served['supervisor']['payload'], stdin = true) {
  served.supervisor.payload = payload;
  const session = await served.client.attach('web', { stdin });
  return { session, plain: served.supervisor.sessions.at(-1) as PlainSession };
}

test('attach gives output, exit code and the facts of the payload', async () => {
  const { session } = await attached({ argv: ['exit', '42'], tty: false, stdin: false });
  expect(session).toMatchObject({ pid: 4711, tty: false, stdin: null });
  expect(await Promise.all([text(session.stdout), text(session.stderr), session.exited])).toEqual([
    '',
    'leaving with 42\n',
    42,
  ]);
  expect(served.supervisor.asked).toEqual([{ call: 'attach', with: 'web' }]);
});

test('input reaches a payload with an open stdin', async () => {
  const { session } = await attached({ argv: ['cat'], tty: false, stdin: true });
  session.stdin?.end('there and back');
  expect(await text(session.stdout)).toBe('there and back');
  expect(await session.exited).toBe(0);
});

test('a client without input sends no input', async () => {
  const { session } = await attached({ argv: ['hold'], tty: true, stdin: true }, false);
  expect(session).toMatchObject({ tty: true, stdin: null });
  session.signal(9);
  expect(await session.exited).toBe(137);
});

test('a terminal has the size of the client', async () => {
  const { session, plain } = await attached({ argv: ['hold'], tty: true, stdin: true });
  session.resize(40, 120);
  await until('the size', () => plain.sizes.includes('40x120'));
});

test('a payload with a terminal outlives its client without a signal', async () => {
  const { session, plain } = await attached({ argv: ['hold'], tty: true, stdin: true });
  session.close();
  await until('the session to be let go', () => plain.closed);
  expect(plain.signals).toEqual([]);
});

test('an unknown container and an open frame of exec are refused', async () => {
  await expect(served.client.attach('none', { stdin: false })).rejects.toMatchObject({ code: 'TSD_NO_SUCH_RESOURCE' });
  const exec = { stdin: true, argv: ['sh'] };
  await expect(served.client.attach('web', exec)).rejects.toMatchObject({ code: 'TSD_BAD_REQUEST' });
});
