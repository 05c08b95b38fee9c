import { readFileSync } from 'node:fs';

/** The text of a file that may not exist or may not be ours to read: then nothing. For /proc and /etc. */
export function readTextOrEmpty(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}
