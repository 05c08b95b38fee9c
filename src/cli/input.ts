/** Reads what -f names. Files that manifests refer to are read by the supervisor, not here. */

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { text as readAll } from 'node:stream/consumers';
import type { ManifestInput } from '../api/requests.ts';
import { groupFiles, isDropIn, isDropInDirectory, isUnitFile, readBundle } from '../manifest/importers/bundle.ts';
import { TsdError } from '../model/errors/errors.ts';
import { append } from '../model/lists.ts';
import type { CliContext } from './context.ts';

export interface ManifestOptions {
  readonly file?: readonly string[];
  readonly baseDir?: string;
}

/** Text of a file, as UTF-8. */
export type ReadText = (file: string) => string;

const readAsIs: ReadText = (file) => readFileSync(file, 'utf8');

/**
 * The manifests of all -f, in order; those of a directory by name. Compose files that several -f name are one.
 * @param read left out, files of whatever owner are read
 * @throws TsdError TSD_MANIFEST_READ for what cannot be read.
 */
export async function readManifests(
  context: CliContext,
  options: ManifestOptions,
  read: ReadText = readAsIs,
): Promise<readonly ManifestInput[]> {
  const inputs: ManifestInput[] = [];
  const named: ManifestInput[] = [];
  for (const path of options.file ?? []) {
    const absolute = resolve(context.streams.cwd, path);
    if (path === '-') inputs.push(await readStandardInput(context, options.baseDir));
    else {
      const found = readPath(absolute, read);
      append(inputs, found);
      append(
        named,
        found.filter(({ file }) => file === absolute),
      );
    }
  }
  return named.length < 2 ? inputs : together(context, inputs, named);
}

/** @param named the files among them that a -f names itself. */
async function together(
  context: CliContext,
  inputs: readonly ManifestInput[],
  named: readonly ManifestInput[],
): Promise<readonly ManifestInput[]> {
  const { composeTogether } = await import('../manifest/importers/compose/together.ts');
  const { files, notes } = composeTogether(named);
  for (const note of notes) context.warn(`note: ${note}`);
  const left = new Map(files.map((file) => [file.file, file]));
  return inputs.flatMap((input) => {
    if (!named.includes(input)) return [input];
    const file = left.get(input.file);
    left.delete(input.file);
    return file ? [file] : [];
  });
}

async function readStandardInput(context: CliContext, baseDir: string | undefined): Promise<ManifestInput> {
  return {
    file: '-',
    baseDir: baseDir === undefined ? '' : resolve(context.streams.cwd, baseDir),
    text: await readAll(context.streams.stdin),
  };
}

function readPath(path: string, read: ReadText): readonly ManifestInput[] {
  try {
    if (!statSync(path).isDirectory()) return [{ file: path, baseDir: dirname(path), text: read(path) }];
    const names = manifestNames(path);
    if (names.length === 0) {
      throw new TsdError('TSD_MANIFEST_READ', `${path}: no manifests in this directory`, {
        hint: 'Check the path after -f. Manifests are *.yaml, *.yml and Quadlet units; hidden files are ignored.',
      });
    }
    const files = names
      .map((name) => join(path, name))
      .map((file) => ({ path: file, content: { ok: true as const, text: read(file) } }));
    return groupFiles(files).flatMap(({ path: file, content }) =>
      content.ok ? [{ file, baseDir: path, text: content.text }] : [],
    );
  } catch (thrown) {
    if (thrown instanceof TsdError) throw thrown;
    const { code, message } = thrown as NodeJS.ErrnoException;
    const reason = code === 'ENOENT' ? 'no such file or directory' : message;
    throw new TsdError('TSD_MANIFEST_READ', `${path}: ${reason}`, { hint: 'Check the path after -f.', cause: thrown });
  }
}

/** Manifests of a directory, and the parts of Quadlet units in the directories beside them. */
function manifestNames(directory: string): string[] {
  const names = readdirSync(directory).filter((name) => !name.startsWith('.'));
  const parts = names
    .filter(isDropInDirectory)
    .flatMap((name) => readdirSync(join(directory, name)).map((part) => `${name}/${part}`))
    .filter(isDropIn);
  return [...names.filter((name) => /\.ya?ml$/.test(name) || isUnitFile(name)), ...parts].sort();
}

/** Text by file, as positions name them: the units of a group are files of their own. */
export function textsOf(inputs: readonly ManifestInput[]): Map<string, string> {
  const texts = new Map<string, string>();
  for (const { file, text } of inputs) {
    for (const part of readBundle(text)?.files ?? [{ file, text }]) texts.set(part.file, part.text);
  }
  return texts;
}
