/** This product as another version of it would be installed, with a shim that speaks that version's protocol. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../..');

export interface Edit {
  /** Path in the repository, or the directory of what is built: there one file has the text. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Installation {
  readonly program: string;
  remove(): void;
}

function apply(directory: string, { file, from, to }: Edit): void {
  const found = scripts(join(directory, file)).flatMap((path) => {
    const text = readFileSync(path, 'utf8');
    const times = text.split(from).length - 1;
    return times === 0 ? [] : [{ path, text, times }];
  });
  const [only] = found;
  if (!only || found.length > 1 || only.times > 1) throw new Error(`${file} does not have this once: ${from}`);
  writeFileSync(only.path, only.text.replace(from, to));
}

function scripts(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.js'))
    .map((name) => join(path, name));
}

/** @param edits what that version has different, in C and in JavaScript. */
export function install(edits: readonly Edit[]): Installation {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-test-version-'));
  for (const name of ['bin', 'dist', 'shim', 'package.json']) {
    cpSync(join(REPOSITORY, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  for (const edit of edits) apply(directory, edit);
  execFileSync('make', ['--no-print-directory', '-s', '-C', join(directory, 'shim')], { stdio: 'inherit' });
  return {
    program: join(directory, 'bin/tsdocker'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
