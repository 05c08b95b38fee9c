/** Folders of src/ are small enough that a reader finds a file by looking. */
import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';

const MOST_FILES = 25;

test(`no folder of src has more than ${MOST_FILES} files of its own`, () => {
  const files = readdirSync('src', { recursive: true, encoding: 'utf8', withFileTypes: true }).filter((file) =>
    file.isFile(),
  );
  const counts = new Map<string, number>();
  for (const { parentPath } of files) counts.set(parentPath, (counts.get(parentPath) ?? 0) + 1);
  expect(counts.size).toBeGreaterThan(50);
  expect([...counts].filter(([, count]) => count > MOST_FILES)).toEqual([]);
});
