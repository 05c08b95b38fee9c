// `node --import <this file> file.ts`: lets a child process of a test run the sources as they are. What was compiled once
// is kept in node_modules/.cache by its content: compiling takes seconds, and every process would do it again.
import { register } from 'node:module';

const cache = new URL('../../node_modules/.cache/run-typescript/', import.meta.url);
const hooks = `
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const cache = fileURLToPath(${JSON.stringify(cache.href)});
const typescript = ${JSON.stringify(import.meta.resolve('typescript'))};

function kept(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
    return null;
  }
}

async function compile(text) {
  const { default: ts } = await import(typescript);
  const compilerOptions = { target: 'es2023', module: 'esnext', verbatimModuleSyntax: true };
  return ts.transpileModule(text, { compilerOptions }).outputText;
}

async function compiled(text) {
  const path = cache + createHash('sha256').update(typescript).update(text).digest('hex') + '.js';
  const before = kept(path);
  if (before !== null) return before;
  const source = await compile(text);
  mkdirSync(cache, { recursive: true });
  writeFileSync(path + '.' + process.pid, source);
  renameSync(path + '.' + process.pid, path);
  return source;
}

export async function load(url, context, next) {
  if (!url.endsWith('.ts')) return next(url, context);
  const source = await compiled(readFileSync(fileURLToPath(url), 'utf8'));
  return { format: 'module', source, shortCircuit: true };
}`;
register(`data:text/javascript,${encodeURIComponent(hooks)}`);
