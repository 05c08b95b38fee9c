/** Compose files that several -f name: one project, merged in that order, as with `docker compose -f`. */
import { basename, dirname } from 'node:path';
import { bundleText, isUnitFile } from '../bundle.ts';
import { isDefaultFile } from './project-files.ts';

interface NamedFile {
  readonly file: string;
  readonly baseDir: string;
  readonly text: string;
}

/** A quick look, for which nothing is parsed. */
const isCompose = ({ file, text }: NamedFile): boolean =>
  !isUnitFile(file) && /^["']?services["']?[ \t]*:/m.test(text) && !/^(containers|app|apiVersion)[ \t]*:/m.test(text);

const nameOf = ({ text }: NamedFile): string | null => /^name[ \t]*:(.*)$/m.exec(text)?.[1]?.trim() ?? null;

/** Whether a file is part of the project before it: it says no other name, and is no whole project of another directory. */
function belongs(file: NamedFile, project: readonly NamedFile[]): boolean {
  const [first] = project;
  if (!first) return false;
  const [own, known] = [nameOf(file), project.map(nameOf).find((name) => name !== null) ?? null];
  if (own !== null && known !== null && own !== known) return false;
  return !isDefaultFile(file.file) || dirname(file.file) === dirname(first.file);
}

export interface Together<T> {
  readonly files: readonly (T | NamedFile)[];
  /** What was put together, for people. */
  readonly notes: readonly string[];
}

/** @param files in the order of the -f. Those that are no Compose files stay as they are. */
export function composeTogether<T extends NamedFile>(files: readonly T[]): Together<T> {
  const projects: T[][] = [];
  for (const file of files.filter(isCompose)) {
    const last = projects.at(-1);
    if (last && belongs(file, last)) last.push(file);
    else projects.push([file]);
  }
  const several = projects.filter(({ length }) => length > 1);
  const notes = several.map((project) => {
    const names = project.map(({ file }) => basename(file)).join(', ');
    return `${names} are merged into one app, as with docker compose -f; a name: of its own keeps a file apart`;
  });
  const merged = files.flatMap((file): (T | NamedFile)[] => {
    const project = several.find((members) => members.includes(file));
    if (!project) return [file];
    return project[0] === file ? [{ ...file, text: bundleText('compose', project) }] : [];
  });
  return { files: merged, notes };
}
