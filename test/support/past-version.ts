/**
 * This product as an earlier commit of this repository built it. Built once and kept outside the checkout, because its
 * build needs packages that this version may not have any more.
 */
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const REPOSITORY = join(import.meta.dirname, '../..');
const KEPT = '/var/tmp/tsdocker-past-versions';
const BINDING = 'node_modules/better-sqlite3/build/Release/better_sqlite3.node';

/** False in a checkout without history, as a source archive is. */
export function hasCommit(commit: string): boolean {
  try {
    execFileSync('git', ['-C', REPOSITORY, 'cat-file', '-e', `${commit}^{commit}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function versionOf(directory: string, name: string): string {
  const { version } = JSON.parse(readFileSync(join(directory, 'node_modules', name, 'package.json'), 'utf8')) as {
    version: string;
  };
  return version;
}

/** The native module takes a minute to compile: that of this checkout serves where it is of the same version. */
function placeBinding(directory: string): void {
  const here = join(REPOSITORY, BINDING);
  const isSame = versionOf(directory, 'better-sqlite3') === versionOf(REPOSITORY, 'better-sqlite3');
  if (!isSame || !existsSync(here)) {
    execFileSync('npm', ['rebuild', 'better-sqlite3'], { cwd: directory, stdio: 'ignore' });
    return;
  }
  mkdirSync(dirname(join(directory, BINDING)), { recursive: true });
  copyFileSync(here, join(directory, BINDING));
}

/** The path of `bin/tsdocker` of that commit, built. Takes some ten seconds the first time on a machine. */
export function programOf(commit: string): string {
  const kept = join(KEPT, commit);
  const program = join(kept, 'bin/tsdocker');
  if (existsSync(program)) return program;
  mkdirSync(KEPT, { recursive: true });
  const fresh = mkdtempSync(join(tmpdir(), 'tsd-test-past-'));
  try {
    const tar = execFileSync('git', ['-C', REPOSITORY, 'archive', commit], { maxBuffer: 256 * 1024 ** 2 });
    execFileSync('tar', ['-x', '-C', fresh], { input: tar });
    execFileSync('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: fresh, stdio: 'ignore' });
    placeBinding(fresh);
    execFileSync('npm', ['run', '--silent', 'build'], { cwd: fresh, stdio: 'ignore' });
    execFileSync('cp', ['-a', fresh, `${kept}.${process.pid}`]);
    renameSync(`${kept}.${process.pid}`, kept);
  } finally {
    rmSync(`${kept}.${process.pid}`, { recursive: true, force: true });
    rmSync(fresh, { recursive: true, force: true });
  }
  return program;
}
