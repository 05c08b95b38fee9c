import { cpSync, mkdirSync, realpathSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';

/** This build below a directory, with another program of the resolver or with none. @returns its tsdocker */
export function otherBuild(base: string, change: (program: string) => void): string {
  const directory = join(base, 'other');
  const checkout = join(import.meta.dirname, '../..');
  mkdirSync(directory);
  for (const name of ['bin', 'build', 'dist', 'package.json']) {
    cpSync(join(checkout, name), join(directory, name), { recursive: true });
  }
  symlinkSync(realpathSync(join(checkout, 'node_modules')), join(directory, 'node_modules'));
  change(join(directory, 'dist/resolver.js'));
  return join(directory, 'bin/tsdocker');
}
