import { setImmediate as turn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { FileReaders } from '../../../src/reconcile/ops/file-readers.ts';
import { gate } from '../../support/wait.ts';

const WEB = { id: 'a', engineName: 'app-web' };
const changed = (what: string) => ({
  code: 'TSD_CONTAINER_CHANGED',
  message: `the files of container app-web cannot be read while it is being ${what}`,
});

test('a reader is notified before a change begins, without a wait', async () => {
  const readers = new FileReaders();
  const end = gate();
  let told = false;
  const reading = expect(
    readers.reading(WEB, async (disturbed) => {
      disturbed.addEventListener('abort', () => {
        told = true;
      });
      await end.passed;
      disturbed.throwIfAborted();
    }),
  ).rejects.toMatchObject(changed('stopped'));
  expect(await readers.changing(WEB, 'stopped', async () => told)).toBe(true);
  end.open();
  await reading;
});

test('new readers are refused until all changes have ended, also failed ones', async () => {
  const readers = new FileReaders();
  const [start, stop] = [gate(), gate()];
  const starting = readers.changing(WEB, 'started', async () => {
    await start.passed;
    throw new Error('no start');
  });
  const stopping = readers.changing(WEB, 'stopped', () => stop.passed);
  const read = () => readers.reading(WEB, async () => 'read');
  await expect(read()).rejects.toMatchObject(changed('stopped'));
  expect(await readers.reading({ ...WEB, id: 'b' }, async () => 'read')).toBe('read');
  stop.open();
  await stopping;
  await expect(read()).rejects.toMatchObject(changed('started'));
  start.open();
  await expect(starting).rejects.toThrow('no start');
  expect(await read()).toBe('read');
});

test('another error of a notified reader is kept as the cause', async () => {
  const readers = new FileReaders();
  const own = new Error('disk full');
  const begun = gate();
  const reading = readers.reading(WEB, async () => {
    await begun.passed;
    throw own;
  });
  const stopped = readers.changing(WEB, 'stopped', turn);
  begun.open();
  await expect(reading).rejects.toMatchObject({ ...changed('stopped'), cause: own });
  await stopped;
  await expect(
    readers.reading(WEB, async () => {
      throw own;
    }),
  ).rejects.toBe(own);
});
