import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { Closers } from '../../../src/composition/closers.ts';

function recorded(...names: readonly string[]) {
  const closed: string[] = [];
  const closers = new Closers();
  const early = names.map((name) => closers.add(name, () => void closed.push(name)));
  return { closed, closers, early };
}

test('the last opened part is closed first', async () => {
  const { closed, closers } = recorded('root', 'database', 'socket');
  expect(await closers.close()).toEqual([]);
  expect(closed).toEqual(['socket', 'database', 'root']);
});

test('each part is closed once, also one that was closed early', async () => {
  const { closed, closers, early } = recorded('root', 'database', 'socket');
  await early[1]?.();
  await early[1]?.();
  await closers.close();
  await closers.close();
  await early[0]?.();
  expect(closed).toEqual(['database', 'socket', 'root']);
});

test('a failing part does not keep the others open, and its error is reported with its name', async () => {
  const { closed, closers } = recorded('root');
  closers.add('driver', () => {
    throw new Error('busy');
  });
  closers.add('server', () => Promise.reject(new Error('late')));
  const failed = await closers.close();
  expect(failed.map(({ name, error }) => `${name}: ${error.message}`)).toEqual([
    expect.stringMatching(/^server: .*late/),
    expect.stringMatching(/^driver: .*busy/),
  ]);
  expect(closed).toEqual(['root']);
});

test('a slow part ends before the next one is closed', async () => {
  const { closed, closers } = recorded('root');
  let done = (): void => {};
  closers.add('server', () => new Promise<void>((resolve) => (done = resolve)));
  const closing = closers.close();
  await turn();
  expect(closed).toEqual([]);
  done();
  await closing;
  expect(closed).toEqual(['root']);
});

test('synchronous parts are closed in one turn of the event loop', () => {
  const { closed, closers } = recorded('history.db', 'driver');
  void closers.close();
  expect(closed).toEqual(['driver', 'history.db']);
});
