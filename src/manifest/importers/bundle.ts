/**
 * Files that belong together are one source, whose text holds all of them: Quadlet units of one directory, which name each
 * other by file name, and Compose files that several -f name.
 */
import { basename, dirname, join, resolve } from 'node:path';
import type { FileContent } from '../content.ts';
import { withoutOverrides } from './compose/project-files.ts';

export interface NamedText {
  /** Absolute path. */
  readonly file: string;
  readonly text: string;
}

const UNIT = /\.(container|volume|network|image|build|pod|kube)$/;
const DROP_IN = /\.(container|volume|network|image|build|pod|kube)\.d\/[^/]+\.conf$/;

/** A Quadlet unit by its name. */
export const isUnitFile = (file: string): boolean => UNIT.test(file);
/** A part of a unit, `web.container.d/10-more.conf`. */
export const isDropIn = (file: string): boolean => DROP_IN.test(file);
/** A directory of such parts by its name. */
export const isDropInDirectory = (name: string): boolean => /^[^.].*\.d$/.test(name) && UNIT.test(name.slice(0, -2));

/** What a text of several files is of. */
export type BundleKind = 'units' | 'compose';

const MARKS: Readonly<Record<BundleKind, string>> = { units: 'tsdocker-units', compose: 'tsdocker-compose' };
const KINDS = ['units', 'compose'] as const satisfies readonly BundleKind[];
const startOf = (kind: BundleKind): string => `{"${MARKS[kind]}":1,`;

export function bundleText(kind: BundleKind, parts: readonly NamedText[]): string {
  return JSON.stringify({ [MARKS[kind]]: 1, files: parts.map(({ file, text }) => ({ file, text })) });
}

const isNamedText = (value: unknown): value is NamedText => {
  const { file, text } = (value ?? {}) as Partial<NamedText>;
  return typeof file === 'string' && typeof text === 'string';
};

export interface Bundle {
  readonly kind: BundleKind;
  readonly files: readonly NamedText[];
}

/** The files that {@link bundleText} put into one text; null for any other text. */
export function readBundle(text: string): Bundle | null {
  const kind = KINDS.find((candidate) => text.startsWith(startOf(candidate)));
  if (kind === undefined) return null;
  try {
    const { files } = JSON.parse(text) as { files?: unknown };
    return Array.isArray(files) && files.every(isNamedText) ? { kind, files } : null;
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return null;
    throw thrown;
  }
}

/** Whether a look is worth it: a quick one, for which nothing is parsed, that says no to most manifests of our own. */
export const mayBeForeign = (file: string, text: string): boolean =>
  isUnitFile(file) || KINDS.some((kind) => text.startsWith(startOf(kind))) || /services|apiVersion|\{\{/.test(text);

/** A file of a directory, or what a group of them became. */
export interface SourceFile {
  readonly path: string;
  readonly content: FileContent;
}

/** YAML files that `.kube` units name: they are part of the group, not manifests of their own. */
function namedByKube(units: readonly SourceFile[]): ReadonlySet<string> {
  const named = new Set<string>();
  for (const { path, content } of units) {
    if (!path.endsWith('.kube') || !content.ok) continue;
    for (const match of content.text.matchAll(/^[ \t]*Yaml[ \t]*=(.*)$/gm)) {
      named.add(resolve(dirname(path), (match[1] ?? '').trim()));
    }
  }
  return named;
}

function group(directory: string, members: readonly SourceFile[]): SourceFile {
  const path = join(directory, 'quadlet');
  const parts: NamedText[] = [];
  for (const member of members) {
    if (!member.content.ok)
      return { path, content: { ...member.content, message: `${member.path}: ${member.content.message}` } };
    parts.push({ file: member.path, text: member.content.text });
  }
  return { path, content: { ok: true, text: bundleText('units', parts) } };
}

/**
 * The files with the Quadlet units of each directory as one, called `quadlet` in that directory, and without the override
 * files of Compose, which belong to the file beside them.
 */
export function groupFiles(found: readonly SourceFile[]): readonly SourceFile[] {
  const files = withoutOverrides(found);
  const units = files.filter(({ path }) => isUnitFile(path));
  const named = namedByKube(units);
  const groups = new Map<string, SourceFile[]>();
  const rest: SourceFile[] = [];
  for (const file of files) {
    const directory = isDropIn(file.path) ? dirname(dirname(file.path)) : dirname(file.path);
    const belongs = isUnitFile(file.path) || named.has(file.path) || isDropIn(file.path);
    if (belongs) groups.set(directory, [...(groups.get(directory) ?? []), file]);
    else rest.push(file);
  }
  return [...rest, ...[...groups].map(([directory, members]) => group(directory, members))];
}

/** The unit that a drop-in belongs to. */
export const unitOfDropIn = (file: string): string =>
  join(dirname(dirname(file)), basename(dirname(file)).replace(/\.d$/, ''));
