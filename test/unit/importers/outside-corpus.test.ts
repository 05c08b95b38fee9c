/**
 * Files that others wrote, in a directory that TSD_CORPUS names: each is translated or has an issue at its position,
 * and a translation is an equivalent manifest.
 */
import { readdirSync, readFileSync } from 'node:fs';
import { basename, dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';
import { groupFiles } from '../../../src/manifest/importers/bundle.ts';
import { manifestText } from '../../../src/manifest/importers/write.ts';
import { appNameOf, parseManifest } from '../../../src/manifest/parse.ts';
import { readContentFile } from '../../../src/manifest/source/files.ts';

const corpus = process.env.TSD_CORPUS;
const FOREIGN = /\.(ya?ml|container|volume|network|image|build|pod|kube)$/;

const files = (corpus === undefined ? [] : readdirSync(corpus, { recursive: true, withFileTypes: true }))
  .filter((entry) => entry.isFile() && FOREIGN.test(entry.name))
  .map((entry) => join(entry.parentPath, entry.name))
  .sort();

function parse(path: string, text: string) {
  const reach = { baseDir: dirname(path), readFile: readContentFile };
  return parseManifest({ text, file: path, appDefault: appNameOf(basename(path)), reach });
}

/** A unit alone is a group of one. */
function sourceOf(path: string) {
  const text = readFileSync(path, 'utf8');
  const [source] = groupFiles([{ path, content: { ok: true, text } }]);
  if (!source?.content.ok) throw new Error(`${path} cannot be read`);
  return { path: source.path, text: source.content.text, refusedByPodman: /^## assert-failed/m.test(text) };
}

describe.skipIf(corpus === undefined)('files of others (TSD_CORPUS)', () => {
  test.each(files.map((path) => [relative(corpus ?? '', path), path]))('%s', (_name, path) => {
    const source = sourceOf(path);
    const { issues, translation } = parse(source.path, source.text);
    for (const { code, message, position } of issues) {
      expect(code).not.toBe('TSD_BUG');
      expect(message).not.toBe('');
      expect(position.file).toContain(basename(path));
      expect(position.line).toBeGreaterThan(0);
    }
    expect(translation !== null || issues.length > 0).toBe(true);
    if (translation === null || issues.length > 0) return;
    // Podman's own tests of Quadlet name units that it refuses: those must not be accepted silently.
    if (source.refusedByPodman) expect(translation.warnings).not.toEqual([]);
    if (Object.keys(translation.manifest).every((section) => section === 'app')) {
      expect(translation.warnings).not.toEqual([]);
      return;
    }
    const again = parse(join(dirname(path), 'again.yaml'), manifestText(translation));
    expect(again).toMatchObject({ issues: [], translation: null });
  });
});
