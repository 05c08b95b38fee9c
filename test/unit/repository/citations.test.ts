/** Comments and documents cite only what the repository ships: a reader of it alone can look up each of them. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { basename, join } from 'node:path';
import { expect, test } from 'vitest';

const LEFT_OUT = new Set(['node_modules', 'dist', 'build', '.git', 'fixtures', 'package-lock.json']);
const TEXT = /\.(ts|mjs|cjs|md|c|h|sh|yaml|json|service|socket)$/;
/** A document by its name; a glob, or a path that a placeholder is part of, names none. */
const DOCUMENT = /(?<![\w*<>{}/.-])((?:[\w.-]+\/)*[\w.-]+\.md)\b/g;
/** A section of a document: ours have titles, no numbers. */
const SECTION = /\b(DESIGN)\b|§/;

function* textFiles(directory: string): Generator<string> {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    if (LEFT_OUT.has(name)) continue;
    if (statSync(path).isDirectory()) yield* textFiles(path);
    else if (TEXT.test(name)) yield path;
  }
}

/** Documents of other projects: the line names the project too. */
const ELSEWHERE = /\b(image|runtime|distribution)-spec\b/;

const files = [...textFiles('.')].filter((path) => path !== 'test/unit/repository/citations.test.ts');
const documents = new Set(files.filter((path) => path.endsWith('.md')).map((path) => basename(path)));

/** Of code the comments: elsewhere a name may be one of a test's own files. */
const COMMENT = /^\s*(\/\/|\/?\*|#)/;

/** What a text cites and the repository does not ship, as `line: citation`. */
function missing(text: string, isProse: boolean): readonly string[] {
  return text.split('\n').flatMap((line, at) => {
    const named = isProse || COMMENT.test(line) ? [...line.matchAll(DOCUMENT)].map(([, name = '']) => name) : [];
    const unknown = named.filter((name) => !documents.has(basename(name)) && !ELSEWHERE.test(line));
    return [...unknown, ...(SECTION.test(line) ? [line.trim()] : [])].map((cited) => `${at + 1}: ${cited}`);
  });
}

test('every document that is cited is shipped', () => {
  expect(files.length).toBeGreaterThan(500);
  expect(
    files.flatMap((path) =>
      missing(readFileSync(path, 'utf8'), path.endsWith('.md')).map((cited) => `${path}:${cited}`),
    ),
  ).toEqual([]);
});

test.each([
  ['// as docker-1.4.md says', '1: docker-1.4.md'],
  ['a\n * see ../reference/isolation.md', '2: ../reference/isolation.md'],
  ['(DESIGN 13.6)', '1: (DESIGN 13.6)'],
  ['rules of §4', '1: rules of §4'],
])('%j cites a document that is not shipped', (text, cited) => expect(missing(text, false)).toEqual([cited]));

test('a document of the repository can be cited', () =>
  expect(missing('# see docs/errors.md and CONTRIBUTING.md', false)).toEqual([]));
