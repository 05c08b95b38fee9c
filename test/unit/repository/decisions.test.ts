/** docs/adr/: each decision has the same parts, is in the index, and names files that are there. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';

const DIRECTORY = 'docs/adr';
const PAGES = readdirSync(DIRECTORY).filter((name) => /^\d{4}-/.test(name));
const read = (name: string): string => readFileSync(`${DIRECTORY}/${name}`, 'utf8');

test('the index lists every page, in order', () => {
  const listed = [...read('README.md').matchAll(/^\| \[\d+\]\((\S+)\)/gm)].map(([, name]) => name);
  expect(listed).toEqual(PAGES);
  const count = new Map([
    [12, 'Twelve'],
    [13, 'Thirteen'],
    [14, 'Fourteen'],
    [15, 'Fifteen'],
    [16, 'Sixteen'],
    [17, 'Seventeen'],
    [18, 'Eighteen'],
  ]).get(PAGES.length);
  expect(read('README.md')).toContain(`\n${count} decisions `);
});

test.each(PAGES)('%s', (name) => {
  const text = read(name);
  expect(text).toMatch(new RegExp(`^# ${Number.parseInt(name, 10)}\\. `));
  const sections = [...text.matchAll(/^## (.*)$/gm)].map(([, title]) => title);
  expect(sections).toEqual(['Context', 'Decision', 'Consequences', 'What was measured']);
  expect(text.split('\n').length).toBeLessThanOrEqual(60);
});

test('files that a page names exist', () => {
  const named = ['README.md', ...PAGES].flatMap((name) =>
    [...read(name).matchAll(/(?<=[`\s])(?:src|test|scripts|bench|bin|shim|docs)\/[\w./-]*/g)].map(([path]) => path),
  );
  expect(named.length).toBeGreaterThan(20);
  expect(named.filter((path) => !existsSync(path))).toEqual([]);
});
