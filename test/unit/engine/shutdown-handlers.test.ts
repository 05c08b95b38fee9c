import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ShutdownHandlers } from '../../../src/engine/shutdown-handlers.ts';
import { ManualTime } from '../../support/manual-time.ts';

function limits(time = new ManualTime()) {
  return { timers: time, totalMs: 10_000, turnMs: 5_000 };
}

/** Each part uses the one before. */
function chain(...names: readonly string[]) {
  const closed: string[] = [];
  const handlers = new ShutdownHandlers();
  const early = names.map((name, index) =>
    handlers.onShutdown(name, () => void closed.push(name), names.slice(0, index).slice(-1)),
  );
  return { closed, handlers, early };
}

const never = () => new Promise<void>(() => {});

test('a part is closed after those that use it', async () => {
  const { closed, handlers } = chain('root', 'database', 'socket');
  expect(await handlers.close(limits())).toEqual({ failed: [], hanging: [] });
  expect(closed).toEqual(['socket', 'database', 'root']);
});

test('parts that do not use each other are closed at the same time', async () => {
  const { closed, handlers } = chain('root');
  for (const name of ['a', 'b']) {
    handlers.onShutdown(name, async () => {
      closed.push(`${name} begins`);
      await turn();
      closed.push(`${name} ends`);
    }, ['root']);
  }
  await handlers.close(limits());
  expect(closed).toEqual(['b begins', 'a begins', 'b ends', 'a ends', 'root']);
});

test('each is closed once, also one that was closed before', async () => {
  const { closed, handlers, early } = chain('root', 'database', 'socket');
  await early[1]?.();
  await early[1]?.();
  await handlers.close(limits());
  await early[0]?.();
  expect(closed).toEqual(['database', 'socket', 'root']);
});

test('one that fails does not keep the others open, and its error is handed over under its name', async () => {
  const { closed, handlers } = chain('root');
  handlers.onShutdown('driver', () => {
    throw new Error('busy');
  }, ['root']);
  handlers.onShutdown('server', () => Promise.reject(new Error('late')), ['driver']);
  const { failed, hanging } = await handlers.close(limits());
  expect(failed.map(({ name, error }) => `${name}: ${error.message}`)).toEqual([
    expect.stringMatching(/^server: .*late/),
    expect.stringMatching(/^driver: .*busy/),
  ]);
  expect([closed, hanging]).toEqual([['root'], []]);
});

test('what a hanging part uses is closed after half of the time, and the part is named at the end', async () => {
  const { closed, handlers } = chain('root', 'database');
  const time = new ManualTime();
  handlers.onShutdown('server', never, ['database']);
  const closing = handlers.close(limits(time));
  await time.advance(4_999);
  expect(closed).toEqual([]);
  await time.advance(1);
  expect(closed).toEqual(['database', 'root']);
  await time.advance(5_000);
  expect([await closing, time.pending]).toEqual([{ failed: [], hanging: ['server'] }, 0]);
});

test('parts that need no waiting are closed in one turn', () => {
  const { closed, handlers } = chain('history.db', 'driver');
  void handlers.close(limits());
  expect(closed).toEqual(['driver', 'history.db']);
});

test('a name is taken once, and what is used is open', () => {
  const { handlers } = chain('root');
  expect(() => handlers.onShutdown('root', () => {})).toThrow('two shutdown handlers named root');
  expect(() => handlers.onShutdown('driver', () => {}, ['rot'])).toThrow('driver uses rot, which is not open');
});
