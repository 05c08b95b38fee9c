/** The name of the distribution, as os-release(5) has it. */
import { readFileSync } from 'node:fs';

const FILES = ['/etc/os-release', '/usr/lib/os-release'];

export function operatingSystem(): string {
  for (const file of FILES) {
    try {
      const found = /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(readFileSync(file, 'utf8'))?.[1];
      if (found !== undefined) return found;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    }
  }
  return 'Linux';
}
