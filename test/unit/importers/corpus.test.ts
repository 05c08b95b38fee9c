import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { groupFiles, readBundle } from '../../../src/manifest/importers/bundle.ts';
import { manifestText } from '../../../src/manifest/importers/write.ts';
import { formatIssues } from '../../../src/manifest/issue.ts';
import { appNameOf, parseManifest } from '../../../src/manifest/parse.ts';
import { readContentFile } from '../../../src/manifest/source/files.ts';

const root = join(import.meta.dirname, '../../fixtures/importers');

function parse(folder: string, file: string, text: string) {
  const reach = { baseDir: join(root, folder), readFile: readContentFile };
  return parseManifest({ text, file, appDefault: appNameOf(file), reach });
}

/** Files of a directory and of one level below, as the watched directory would give them. */
function filesBelow(directory: string) {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && !/^(Docker|Container)file$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((path) => ({ path, content: { ok: true as const, text: readFileSync(path, 'utf8') } }));
}

function groupOf(folder: string) {
  const [group, ...others] = groupFiles(filesBelow(join(root, folder)));
  if (!group?.content.ok || others.length > 0) throw new Error('expected one group of units');
  return { file: group.path, text: group.content.text };
}

function expectTranslation(folder: string, file: string, text: string, expected: string) {
  const { issues, translation } = parse(folder, file, text);
  expect(issues).toEqual([]);
  if (!translation) throw new Error(`${file} was not taken for a file to translate`);
  const written = manifestText(translation);
  // What was written is a manifest that says the same.
  const again = parse(folder, 'again.yaml', written);
  expect(again.issues).toEqual([]);
  expect(again.translation).toBeNull();
  const specs = (parsed: typeof again) => parsed.app?.resources.map(({ kind, name, spec }) => ({ kind, name, spec }));
  expect(specs(again)).toEqual(expect.arrayContaining(specs(parse(folder, file, text)) ?? []));
  return expect(written).toMatchFileSnapshot(expected);
}

describe('the file beside it is the translation, with omissions as comments', () => {
  const cases = ['compose', 'kube'].flatMap((folder) =>
    readdirSync(join(root, folder))
      .filter((file) => file.endsWith('.yaml'))
      .map((file) => [folder, file] as const),
  );
  test.each(cases)('%s/%s', async (folder, file) => {
    const text = readFileSync(join(root, folder, file), 'utf8');
    await expectTranslation(folder, file, text, join(root, folder, `${file}.expected`));
  });

  test.each(['site', 'built'])('a directory of Quadlet units: %s', async (name) => {
    const { file, text } = groupOf(`quadlet/${name}`);
    await expectTranslation(`quadlet/${name}`, file, text, join(root, `quadlet/${name}.expected`));
  });
});

describe('an important part without a translation is an issue at its position', () => {
  test.each(readdirSync(join(root, 'bad')).filter((file) => !file.endsWith('.issues')))('%s', async (file) => {
    const text = readFileSync(join(root, 'bad', file), 'utf8');
    const { issues } = parse('bad', file, text);
    const shown = formatIssues(issues, new Map([[file, text]]));
    await expect(shown).toMatchFileSnapshot(join(root, 'bad', `${file}.issues`));
  });
});

test('a group of units keeps the text and the path of each file', () => {
  const { text } = groupOf('quadlet/site');
  const parts = readBundle(text)?.files ?? [];
  for (const { file, text: part } of parts) expect(part).toBe(readFileSync(file, 'utf8'));
  const { translation } = parse('quadlet/site', 'quadlet', text);
  const places = translation?.warnings.map(({ position }) => position.file) ?? [];
  expect(places.every((place) => parts.some(({ file }) => file === place))).toBe(true);
});

test('a unit without a result of its own reports that', () => {
  const { issues, translation } = parse('quadlet', 'base.image', '[Image]\nImage=example.com/base:1\n');
  expect(issues).toEqual([]);
  expect(translation?.warnings).toMatchObject([{ code: 'TSD_IMPORT_IGNORED', position: { line: 1 } }]);
});
