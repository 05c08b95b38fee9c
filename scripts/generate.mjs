/**
 * Writes what is derived from the code: the JSON Schema of manifests and the references under docs/. Needs the program built, for completions.
 * With --check nothing is written and a file that is not current ends it with exit code 1.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { VERSION } from '../src/api/version.ts';
import { manifestJsonSchema } from '../src/manifest/json-schema.ts';
import { ERROR_CATALOGUE } from '../src/model/error-catalogue.ts';
import { errorReference } from './docs/error-reference.mjs';
import { withImportTable } from './docs/import-table.mjs';
import { manPages } from './docs/man-pages.mjs';
import { manifestReference } from './docs/manifest-reference.mjs';

const completion = (shell) =>
  execFileSync(process.execPath, ['bin/tsdocker', 'completion', shell], { encoding: 'utf8' });
const schema = manifestJsonSchema();
const files = {
  'ARCHITECTURE.md': withImportTable(readFileSync('ARCHITECTURE.md', 'utf8')),
  'manifests/schema/v1.json': `${JSON.stringify(schema, null, 2)}\n`,
  'docs/manifest.md': manifestReference(schema),
  'docs/errors.md': errorReference(ERROR_CATALOGUE),
  'packaging/completions/tsdocker.bash': completion('bash'),
  'packaging/completions/_tsdocker': completion('zsh'),
  'packaging/completions/tsdocker.fish': completion('fish'),
  ...Object.fromEntries(Object.entries(await manPages(VERSION)).map(([name, text]) => [`packaging/man/${name}`, text])),
};

function readOrNull(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

mkdirSync('packaging/man', { recursive: true });
/** Pages of commands that there are no more. */
const left = readdirSync('packaging/man')
  .map((name) => `packaging/man/${name}`)
  .filter((path) => files[path] === undefined);
const stale = Object.entries(files).filter(([path, text]) => readOrNull(path) !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is not current; run npm run build && npm run generate`);
  for (const path of left) console.error(`${path} belongs to no command; run npm run build && npm run generate`);
  process.exit(stale.length + left.length === 0 ? 0 : 1);
}
for (const [path, text] of stale) {
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
for (const path of left) {
  rmSync(path);
  console.log(`removed ${path}`);
}
