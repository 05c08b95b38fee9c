import { expect, test } from 'vitest';
import { formatIssues, type ManifestIssue } from '../../../src/manifest/issue.ts';
import { parseManifest } from '../../../src/manifest/parse.ts';

const issue = (line: number, column: number, hint?: string): ManifestIssue => ({
  code: 'TSD_MANIFEST_SCHEMA',
  message: 'is wrong',
  position: { file: 'a.yaml', line, column },
  ...(hint !== undefined && { hint }),
});

test('issues are in line order, with the line and a caret below it', () => {
  const text = 'one\n  two: \u001b[31m3\n';
  expect(formatIssues([issue(2, 3, 'Mend it.'), issue(1, 1)], new Map([['a.yaml', text]]))).toBe(
    `a.yaml:1:1: is wrong
  1 | one
    | ^
a.yaml:2:3: is wrong
  2 |   two:  [31m3
    |   ^
  Mend it.
`,
  );
});

test('only the position is shown without the text, and only a part of a long line', () => {
  expect(formatIssues([issue(1, 1)])).toBe('a.yaml:1:1: is wrong\n');
  const shown = formatIssues([issue(1, 5_000)], new Map([['a.yaml', 'x'.repeat(10_000)]]));
  expect(shown.length).toBeLessThan(400);
});

test('the wrong member of a field with several forms is named', () => {
  const wrong = (backoff: string): string[] => {
    const text = `containers:\n  web: { image: x, restart: { policy: always, backoff: ${backoff} } }\n`;
    return parseManifest({ text, file: 'a.yaml', appDefault: 'a' }).issues.map(({ message }) => message);
  };
  expect(wrong('{ factor: 99 }')).toEqual(['restart.backoff.factor: expected at most 10']);
  expect(wrong('{ preset: fast }')).toEqual(['restart.backoff.preset: expected tsdocker or docker or kubelet']);
  expect(wrong('{ initial: 5s, max: 2q }')).toEqual([
    'restart.backoff.max: "2q" is not a duration; write for example 30s or 1m30s',
  ]);
  expect(wrong('fast')).toEqual(['restart.backoff: expected tsdocker or docker or kubelet']);
});
