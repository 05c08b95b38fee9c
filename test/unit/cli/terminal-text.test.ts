import fc from 'fast-check';
import { expect, test } from 'vitest';
import { terminalText } from '../../../src/cli/output/terminal-text.ts';
import { inOrderOfTime, together } from '../../../src/cli/terminal/merge-streams.ts';

test.each([
  ['plain é 日本\t|\n', 'plain é 日本\t|\n'],
  ['crlf\r\n', 'crlf\n'],
  ['\u001b[1;31mred\n', '\u001b[1;31mred\u001b[0m\n'],
  ['\u001b]0;title\u0007\n', '^[]0;title^G\n'],
  ['\u001b[2J\u001b[H', '^[[2J^[[H'],
  ['\u009b31m \u0000\u007f over\rwritten', '\\x9b31m ^@^? over^Mwritten'],
  ['\u0007[31m', '^G[31m'],
])('%j on a terminal', (text, shown) => {
  expect(terminalText(text, true)).toBe(shown);
});

test('text without colours has no control sequences', () => {
  const controls = fc.array(fc.constantFrom('\u001b', '[', '31', 'm', ']', ';', '\u0007', '\u009b', '\r', '\n', 'x'));
  fc.assert(
    fc.property(controls, (parts) => {
      expect(terminalText(parts.join(''), false)).not.toMatch(/(?!\n|\t)\p{Cc}/u);
      const rest = terminalText(parts.join(''), true).replace(/\p{Cc}\[[0-9;:]*m/gu, '');
      expect(rest).not.toMatch(/(?!\n|\t)\p{Cc}/u);
    }),
  );
});

async function* items<T>(...list: readonly T[]): AsyncGenerator<T> {
  yield* list;
}

async function all<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of stream) list.push(item);
  return list;
}

test('streams are merged by time, whatever the number of decimals', async () => {
  const a = items('2026-01-01T00:00:00Z', '2026-01-01T00:00:00.5Z', '2026-01-01T00:00:02Z');
  const b = items('2026-01-01T00:00:00.123456789Z', '2026-01-01T00:00:01.9Z');
  const merged = await all(inOrderOfTime([a, b], (time) => time));
  expect(merged).toEqual([
    '2026-01-01T00:00:00Z',
    '2026-01-01T00:00:00.123456789Z',
    '2026-01-01T00:00:00.5Z',
    '2026-01-01T00:00:01.9Z',
    '2026-01-01T00:00:02Z',
  ]);
});

test('merged streams lose nothing and report a failure', async () => {
  expect((await all(together([items(1, 2, 3), items(), items(4)]))).sort()).toEqual([1, 2, 3, 4]);
  const broken = async function* (): AsyncGenerator<number> {
    yield 1;
    throw new Error('cut off');
  };
  await expect(all(together([broken(), items(2)]))).rejects.toThrow('cut off');
});
