/** The file that `up` and `down` are about: what -f names, else the one of the working directory. */
import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { TsdError } from '../../../model/errors/errors.ts';
import type { CliContext } from '../../context.ts';

/** In the order of preference; Compose's as the Compose specification has them. */
const FILES = [
  'tsdocker.yaml',
  'tsdocker.yml',
  'compose.yaml',
  'compose.yml',
  'docker-compose.yaml',
  'docker-compose.yml',
];
const OVERRIDES: Readonly<Record<string, readonly string[]>> = {
  'compose.yaml': ['compose.override.yaml', 'compose.override.yml'],
  'compose.yml': ['compose.override.yaml', 'compose.override.yml'],
  'docker-compose.yaml': ['docker-compose.override.yaml', 'docker-compose.override.yml'],
  'docker-compose.yml': ['docker-compose.override.yaml', 'docker-compose.override.yml'],
};

/** @throws TsdError TSD_MANIFEST_READ where there is none */
export function filesOf({ streams }: CliContext, named: readonly string[] | undefined): readonly string[] {
  if (named !== undefined && named.length > 0) return named;
  const isThere = (file: string): boolean => existsSync(resolve(streams.cwd, file));
  const found = FILES.find(isThere);
  if (found === undefined) {
    throw new TsdError('TSD_MANIFEST_READ', `${streams.cwd} has none of ${FILES.join(', ')}`, {
      hint: 'Name a file with -f, or go to the directory that has one.',
    });
  }
  return [found, ...(OVERRIDES[found] ?? []).filter(isThere).slice(0, 1)];
}
