import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { formatIssues } from '../../../src/manifest/issue.ts';
import { appNameOf, parseManifest } from '../../../src/manifest/parse.ts';

const root = join(import.meta.dirname, '../../fixtures/manifests');

function read(folder: string, file: string) {
  const text = readFileSync(join(root, folder, file), 'utf8');
  return { text, ...parseManifest({ text, file, appDefault: appNameOf(file) }) };
}

const manifests = (folder: string) => readdirSync(join(root, folder)).filter((file) => file.endsWith('.yaml'));

describe('good manifests have no issues and the expected meaning', () => {
  test.each(manifests('good'))('%s', async (file) => {
    const { app, issues } = read('good', file);
    expect(issues).toEqual([]);
    const meaning = app?.resources.map(({ kind, name, spec }) => ({ [`${kind} ${name}`]: spec }));
    const text = JSON.stringify({ app: app?.app, resources: meaning }, null, 2);
    await expect(`${text}\n`).toMatchFileSnapshot(join(root, 'good', `${file}.json`));
  });
});

describe('bad manifests report every issue at once, with its position', () => {
  test.each(manifests('bad'))('%s', async (file) => {
    const { text, issues } = read('bad', file);
    expect(issues.length).toBeGreaterThan(0);
    await expect(formatIssues(issues, new Map([[file, text]]))).toMatchFileSnapshot(
      join(root, 'bad', `${file}.issues`),
    );
  });
});
