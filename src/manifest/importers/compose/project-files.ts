/** Which files make a Compose project, by their names (compose-go, DefaultFileNames and DefaultOverrideFileNames). */
import { basename, dirname, join } from 'node:path';

const DEFAULTS: readonly string[] = ['compose.yaml', 'compose.yml', 'docker-compose.yml', 'docker-compose.yaml'];
const OVERRIDES: readonly string[] = [
  'compose.override.yml',
  'compose.override.yaml',
  'docker-compose.override.yml',
  'docker-compose.override.yaml',
];

/** A file that is a whole project by its name. */
export const isDefaultFile = (path: string): boolean => DEFAULTS.includes(basename(path));

/** Files that are merged over a default file of the same directory; the first one that is there. */
export const overridesOf = (path: string): readonly string[] =>
  isDefaultFile(path) ? OVERRIDES.map((name) => join(dirname(path), name)) : [];

/** The paths without files that are merged over another one of the list. */
export function withoutOverrides<T extends { readonly path: string }>(files: readonly T[]): readonly T[] {
  const whole = new Set(files.filter(({ path }) => isDefaultFile(path)).map(({ path }) => dirname(path)));
  return files.filter(({ path }) => !OVERRIDES.includes(basename(path)) || !whole.has(dirname(path)));
}
