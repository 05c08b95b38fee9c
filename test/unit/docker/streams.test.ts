/** What streams of Docker's clients are made of: detach keys, frames, lines of logs, words of failed starts. */
import { expect, test } from 'vitest';
import { batched } from '../../../src/docker/streams/batches.ts';
import { DetachKeys, detachKeysOf } from '../../../src/docker/streams/detach-keys.ts';
import { framed } from '../../../src/docker/streams/frames.ts';
import { isWanted, lineOf, logQueryOf } from '../../../src/docker/streams/log-lines.ts';
import { execError } from '../../../src/docker/streams/start-error.ts';
import { Query } from '../../../src/docker/wire/query.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';

test('detach keys are found over pieces, and what only begins like them is input', () => {
  const [p, q] = detachKeysOf('');
  expect([p, q]).toEqual([16, 17]);
  expect(detachKeysOf('a,ctrl-@,ctrl-[')).toEqual([97, 0, 27]);
  expect(() => detachKeysOf('ctrl-')).toThrow('Invalid detach keys (ctrl-) provided');
  const keys = new DetachKeys([16, 17]);
  expect(keys.take(Buffer.from([65, 16]))).toEqual({ bytes: Buffer.from([65]), isDetached: false });
  expect(keys.take(Buffer.from([66]))).toEqual({ bytes: Buffer.from([16, 66]), isDetached: false });
  expect(keys.take(Buffer.from([16, 16, 17]))).toEqual({ bytes: Buffer.from([16]), isDetached: true });
  expect(new DetachKeys([]).take(Buffer.from([16, 17]))).toEqual({ bytes: Buffer.from([16, 17]), isDetached: false });
});

test('a frame says its stream and its length', () => {
  expect(framed('stderr', Buffer.from('abc'))).toEqual(Buffer.from([2, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99]));
});

test('a tail that is no number means all, and times are read to the nanosecond', () => {
  const of = (text: string) => logQueryOf(new Query(text));
  expect(of('stdout=1&tail=-1').options.tail).toBeNull();
  expect(of('stdout=1&tail=all').options.tail).toBeNull();
  expect(of('stdout=1&tail=5').options.tail).toBe(5);
  expect(of('stdout=1&until=0')).toMatchObject({ untilNs: null, options: { untilMs: null } });
  const query = of('stdout=1&since=10.000000002&until=10.000000003');
  const at = (ns: number) => ({ log: 'x\n', stream: 'stdout', time: `1970-01-01T00:00:10.00000000${ns}Z` }) as const;
  expect([1, 2, 3, 4].map((ns) => isWanted(at(ns), query))).toEqual([false, true, true, false]);
  expect(() => of('stdout=1&since=1.5x')).toThrow('invalid value for "since"');
  expect(() => of('')).toThrow('Bad parameters: you must choose at least one stream');
  const timed = of('stdout=1&timestamps=1&details=1');
  expect(lineOf({ log: 'x\n', stream: 'stdout', time: '2026-01-01T00:00:00.5Z' }, timed, true).toString()).toBe(
    '2026-01-01T00:00:00.500000000Z  x\n',
  );
});

test('pieces that are there together are written together, and none waits for the next', async () => {
  async function* pieces(): AsyncGenerator<Buffer> {
    yield Buffer.from('a');
    yield Buffer.from('b');
    await new Promise((resolve) => setTimeout(resolve, 5));
    yield Buffer.from('c');
  }
  const seen: string[] = [];
  for await (const batch of batched(pieces())) seen.push(batch.toString());
  expect(seen).toEqual(['ab', 'c']);
});

test('a program that could not be executed in a container is 126', () => {
  const words = (command: string, message: string) =>
    execError(command, new TsdError('TSD_COMMAND_NOT_FOUND', message));
  expect(words('x', '"x" is not in the image in PATH (/bin)')).toMatchObject({ exitCode: 126 });
  expect(words('/x', '/x is not an executable file')).toMatchObject({ exitCode: 126 });
  expect(words('x', 'something else')).toEqual({ exitCode: 126, message: 'something else' });
});
