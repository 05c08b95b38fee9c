/** This product as another version of it would be installed, with a shim that speaks that version's protocol. */
import { execFileSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../..');

export interface Edit {
  /** Path in the repository, or in a built one. */
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export interface Installation {
  readonly program: string;
  remove(): void;
}

/** @param edits what that version has different, in C and in JavaScript. */
export function install(edits: readonly Edit[]): Installation {
  const directory = mkdtempSync(join(tmpdir(), 'tsd-test-version-'));
  for (const name of ['bin', 'dist', 'shim', 'package.json']) {
    cpSync(join(REPOSITORY, name), join(directory, name), { recursive: true });
  }
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  for (const { file, from, to } of edits) {
    const path = join(directory, file);
    const text = readFileSync(path, 'utf8');
    if (text.split(from).length !== 2) throw new Error(`${file} does not have this once: ${from}`);
    writeFileSync(path, text.replace(from, to));
  }
  execFileSync('make', ['--no-print-directory', '-s', '-C', join(directory, 'shim')], { stdio: 'inherit' });
  return {
    program: join(directory, 'bin/tsdocker'),
    remove: () => rmSync(directory, { recursive: true, force: true }),
  };
}
