/**
 * Builds the program: dist/ (JavaScript) and build/tsdocker-shim (C). What is there stays usable until the new one is
 * complete. Types are checked elsewhere (`npm run typecheck`).
 *
 * dist/ is bundled: of seven hundred modules, finding and opening each takes longer than running them, and that is the
 * time for which a host is without its supervisor. What commands need is one file of CommonJS: node takes 4 ms to set up
 * its other loader. Its bytecode is kept beside it (scripts/code-cache.mjs).
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, existsSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';
import { EXTERNAL } from './external.mjs';

const PROGRAM = { 'cli/index': 'src/cli/index.ts' };
/** Another process, which loads what it needs and no more. */
const RESOLVER = { resolver: 'src/resolver/main.ts' };
/** Parts of the program that a bench runs by themselves. */
const BENCHED = { 'bench/product': 'bench/unpack/product.ts', 'bench/client': 'src/api/client.ts' };

/** With all that these modules need they are one file. */
const CLIENT = /\/src\/(cli\/|api\/client\.ts$)|rolldown\/runtime/;
/** What a module of ours is called there that asks for its own place. */
const PLACE = '__place';

const fresh = `build/dist-${process.pid}`;
const previous = `build/previous-${process.pid}`;

function run(...script) {
  const { status, error } = spawnSync(process.execPath, script, { stdio: 'inherit' });
  if (error) throw new Error(`cannot run ${process.execPath}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
}

/**
 * Every file comes to lie two directories below package.json, as the sources that look for files from their own place do.
 * @returns paths of the modules that were taken in
 */
async function bundle(input, directory) {
  const build = await rolldown({
    input,
    platform: 'node',
    external: EXTERNAL,
    // What other files need of the program stands in its own file, not in one behind it.
    preserveEntrySignatures: 'allow-extension',
    transform: { target: 'node20', define: { 'import.meta.url': PLACE } },
    // Who reads a stack finds what constants are called.
    optimization: { inlineConst: false },
    // A module that is not found would only be warned of, and missed by who runs the command that needs it.
    onLog: (level, log, handle) => handle(level === 'warn' ? 'error' : level, log),
  });
  try {
    const { output } = await build.write({
      dir: directory,
      format: 'cjs',
      banner: `const ${PLACE} = require('node:url').pathToFileURL(__filename).href;`,
      sourcemap: true,
      comments: false,
      chunkFileNames: 'chunks/[name]-[hash].js',
      codeSplitting: { groups: [{ name: 'client', test: CLIENT }] },
    });
    return output.flatMap((chunk) => chunk.moduleIds ?? []);
  } finally {
    await build.close();
  }
}

/** A script with bytecode has no loader for `import()`. What is left of these asks for modules of node, which are there. */
const IMPORT = /\bimport\(\s*("node:[^"]+")\s*\)/g;
const LEFT = /(?<![.\w])import\(\s*["'`]/;

function requireOfNode(path) {
  const text = readFileSync(path, 'utf8').replace(IMPORT, 'Promise.resolve(require($1))');
  if (LEFT.test(text)) throw new Error(`${path} has an import() of something else than a module of node`);
  writeFileSync(path, text);
}

/**
 * bin/tsdocker reads it byte for byte, which is faster than decoding, and tells by a mark of 16 characters at its beginning
 * which bytecode is of it.
 */
function escapeAndMark(path) {
  const code = (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`;
  const text = readFileSync(path, 'utf8').replace(/[^\0-\x7f]/g, code);
  writeFileSync(path, `/*${createHash('sha256').update(text).digest('hex').slice(0, 16)}*/${text}`);
}

/** The licenses of what was taken in ask to be handed on with it. */
function licenses(modules) {
  const packages = new Set(
    modules.flatMap((path) => /^.*\/node_modules\/(@[^/]+\/)?[^/]+(?=\/)/.exec(path)?.[0] ?? []),
  );
  return [...packages].sort().map((directory) => {
    const { name, version, license } = JSON.parse(readFileSync(join(directory, 'package.json'), 'utf8'));
    const texts = readdirSync(directory).filter((file) => /^(licen[cs]e|copying|notice)/i.test(file));
    const text = texts.map((file) => readFileSync(join(directory, file), 'utf8').trim()).join('\n\n');
    return `${name} ${version} (${license})\n\n${text}\n`;
  });
}

/** What `tsdocker version` says it was built from; empty where this is no checkout. */
function commit() {
  const { status, stdout } = spawnSync('git', ['rev-parse', '--short=7', 'HEAD'], { encoding: 'utf8' });
  return status === 0 ? stdout.trim() : '';
}

try {
  run('scripts/build-shim.mjs');
  const modules = await bundle(PROGRAM, fresh);
  requireOfNode(join(fresh, 'cli/index.js'));
  escapeAndMark(join(fresh, 'cli/index.js'));
  modules.push(...(await bundle(RESOLVER, fresh)));
  await bundle(BENCHED, fresh);
  writeFileSync(join(fresh, 'third-party-licenses.txt'), licenses(modules).join(`\n${'-'.repeat(72)}\n\n`));
  writeFileSync(join(fresh, 'commit'), `${commit()}\n`);
  writeFileSync(join(fresh, 'package.json'), '{ "type": "commonjs" }\n');
  // The browser takes these as they are.
  cpSync('src/supervisor/web/page', join(fresh, 'page'), { recursive: true });
  if (existsSync('dist')) renameSync('dist', previous);
  renameSync(fresh, 'dist');
  rmSync(previous, { recursive: true, force: true });
  run('scripts/code-cache.mjs', '.');
} finally {
  if (!existsSync('dist') && existsSync(previous)) renameSync(previous, 'dist');
  rmSync(fresh, { recursive: true, force: true });
}
