import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import ts from 'typescript';

const REPOSITORY = join(import.meta.dirname, '../..');

/** A copy of some folders of this repository as JavaScript, for tests that need our code in a process of its own. */
export interface CompiledSources {
  /** Path of the compiled form of a file of the repository: `test/contract/x.ts`. */
  path(source: string): string;
  remove(): void;
}

function compile(source: string, target: string): void {
  const { outputText } = ts.transpileModule(readFileSync(source, 'utf8'), {
    compilerOptions: {
      target: ts.ScriptTarget.ES2023,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: true,
      rewriteRelativeImportExtensions: true,
    },
    fileName: source,
  });
  mkdirSync(dirname(target), { recursive: true });
  writeFileSync(target, outputText);
}

/** @param folders of the repository, and single files. */
export function compileSources(folders: readonly string[]): CompiledSources {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-test-compiled-'));
  const target = (source: string): string => join(directory, relative(REPOSITORY, source)).replace(/\.ts$/, '.js');
  writeFileSync(join(directory, 'package.json'), '{"type":"module"}');
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  for (const folder of folders) {
    const path = join(REPOSITORY, folder);
    const files = path.endsWith('.ts')
      ? [path]
      : readdirSync(path, { recursive: true, encoding: 'utf8' }).map((name) => join(path, name));
    for (const file of files.filter((name) => name.endsWith('.ts'))) compile(file, target(file));
  }
  return {
    path: (source) => target(join(REPOSITORY, source)),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
