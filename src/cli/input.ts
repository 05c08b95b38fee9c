/** Reads what -f names. Files that manifests refer to are read by the supervisor, not here. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { ManifestInput } from '../api/supervisor.ts';
import { TsdError } from '../model/errors.ts';
import type { CliContext } from './context.ts';

export interface ManifestOptions {
  readonly file?: readonly string[];
  readonly baseDir?: string;
}

/**
 * The manifests of all -f, in order; those of a directory by name.
 * @throws TsdError TSD_MANIFEST_READ for what cannot be read.
 */
export async function readManifests(context: CliContext, options: ManifestOptions): Promise<readonly ManifestInput[]> {
  const inputs: ManifestInput[] = [];
  for (const path of options.file ?? []) {
    if (path === '-') inputs.push(await readStandardInput(context, options.baseDir));
    else inputs.push(...readPath(resolve(context.streams.cwd, path)));
  }
  return inputs;
}

async function readStandardInput(context: CliContext, baseDir: string | undefined): Promise<ManifestInput> {
  return {
    file: '-',
    baseDir: baseDir === undefined ? '' : resolve(context.streams.cwd, baseDir),
    text: await readAll(context.streams.stdin),
  };
}

function readPath(path: string): readonly ManifestInput[] {
  try {
    if (!statSync(path).isDirectory()) return [readManifest(path)];
    const names = readdirSync(path)
      .filter((name) => /^[^.].*\.ya?ml$/.test(name))
      .sort();
    if (names.length === 0) {
      throw new TsdError('TSD_MANIFEST_READ', `${path}: no *.yaml or *.yml in this directory`, {
        hint: 'Check the path after -f; hidden files do not count.',
      });
    }
    return names.map((name) => readManifest(join(path, name)));
  } catch (thrown) {
    if (thrown instanceof TsdError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file or directory' : message;
    throw new TsdError('TSD_MANIFEST_READ', `${path}: ${reason}`, { hint: 'Check the path after -f.', cause: thrown });
  }
}

function readManifest(path: string): ManifestInput {
  return { file: path, baseDir: dirname(path), text: readFileSync(path, 'utf8') };
}
