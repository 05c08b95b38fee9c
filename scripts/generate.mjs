/**
 * Writes what is derived from the code and committed: the JSON Schema of manifests, the references under docs/ and the
 * import table of ARCHITECTURE.md.
 * With --check nothing is written and a file that is not current ends it with exit code 1.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { BUILTINS } from '../src/composition/builtins.ts';
import { elsewhereRoutes } from '../src/docker/routes/elsewhere.ts';
import { ROUTES } from '../src/docker/routes/routes.ts';
import { manifestJsonSchema } from '../src/manifest/json-schema.ts';
import { ERROR_CATALOGUE } from '../src/model/errors/error-catalogue.ts';
import { dockerReference } from './docs/docker-reference.mjs';
import { errorReference } from './docs/error-reference.mjs';
import { withImportTable } from './docs/import-table.mjs';
import { jobReference } from './docs/job-reference.mjs';
import { manifestReference } from './docs/manifest-reference.mjs';

const schema = manifestJsonSchema();
const files = {
  'ARCHITECTURE.md': withImportTable(readFileSync('ARCHITECTURE.md', 'utf8')),
  'manifests/schema/v1.json': `${JSON.stringify(schema, null, 2)}\n`,
  'docs/manifest.md': manifestReference(schema),
  'docs/errors.md': errorReference(ERROR_CATALOGUE),
  'docs/jobs.md': jobReference(BUILTINS),
  'docs/docker.md': dockerReference(ROUTES.filter((route) => !elsewhereRoutes.includes(route))),
};

function readOrNull(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}

const stale = Object.entries(files).filter(([path, text]) => readOrNull(path) !== text);
if (process.argv.includes('--check')) {
  for (const [path] of stale) console.error(`${path} is not current; run npm run generate`);
  process.exit(stale.length === 0 ? 0 : 1);
}
for (const [path, text] of stale) {
  writeFileSync(path, text);
  console.log(`wrote ${path}`);
}
