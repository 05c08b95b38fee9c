/** Files in formats of others: which one it is, and its translation. */
import { isMap, type YAMLMap } from 'yaml';
import type { ReadFile } from '../content.ts';
import { compareIssues, type ManifestIssue } from '../issue.ts';
import type { Places } from '../plain.ts';
import { readYaml, type YamlText } from '../yaml-text.ts';
import { isUnitFile, readBundle } from './bundle.ts';
import { importCompose } from './compose/compose.ts';
import { Draft, type ImportContext, type ImportWarning } from './draft.ts';
import { importKubernetes } from './kube/kube.ts';
import { documentParts } from './part.ts';
import { importQuadlet } from './quadlet/quadlet.ts';

export type ForeignFormat = 'Compose' | 'Kubernetes' | 'Quadlet';

export interface Translation {
  readonly format: ForeignFormat;
  /** As a manifest would be written. */
  readonly manifest: Record<string, unknown>;
  /** Where each part of it comes from. */
  readonly places: Places;
  /** In the order of the lines. */
  readonly warnings: readonly ImportWarning[];
  /** Files that were asked for, absolute, whether they are there or not. */
  readonly inputs: readonly string[];
}

export interface Reach {
  /** Relative paths start here. Absolute. */
  readonly baseDir: string;
  readonly readFile: ReadFile;
}

interface ForeignText {
  readonly text: string;
  readonly file: string;
  readonly reach?: Reach;
}

const NO_FILES: Reach = {
  baseDir: '/',
  readFile: (path) => ({ ok: false, reason: 'missing', message: `${path}: no such file` }),
};

/** The format of a YAML file, or null for one of ours. */
function yamlFormat({ documents }: YamlText): 'Compose' | 'Kubernetes' | null {
  const maps = documents.flatMap(({ contents }): YAMLMap[] => (isMap(contents) ? [contents as YAMLMap] : []));
  if (maps.some((map) => map.has('apiVersion') && map.has('kind'))) return 'Kubernetes';
  const compose = maps.some((map) => isMap(map.get('services')) && !map.has('containers') && !map.has('app'));
  return compose ? 'Compose' : null;
}

function importYaml(format: 'Compose' | 'Kubernetes', yaml: YamlText, context: ImportContext, draft: Draft): void {
  const documents = documentParts(yaml, draft);
  if (format === 'Kubernetes') {
    importKubernetes(documents, context, draft);
    return;
  }
  const [first, second] = documents;
  if (second) draft.refuse(second.at, 'a Compose file is one document');
  if (first) importCompose(first, context, draft);
}

/** Remembers which files were asked for. */
function recorded(readFile: ReadFile): { readFile: ReadFile; paths: Set<string> } {
  const paths = new Set<string>();
  return {
    paths,
    readFile: (path) => {
      paths.add(path);
      return readFile(path);
    },
  };
}

/** Null for a file in our own format. @param issues receives what cannot be translated. */
export function importForeign(input: ForeignText, issues: ManifestIssue[]): Translation | null {
  const { file } = input;
  const { baseDir, readFile: readAny } = input.reach ?? NO_FILES;
  const { readFile, paths } = recorded(readAny);
  const draft = new Draft(file);
  const context = { file, baseDir, readFile };
  const units = readBundle(input.text) ?? (isUnitFile(file) ? [{ file, text: input.text }] : null);
  let format: ForeignFormat = 'Quadlet';
  if (units) importQuadlet(units, context, draft);
  else {
    // Most files are ours, and are not worth being parsed twice.
    if (!/services|apiVersion/.test(input.text)) return null;
    const yaml = readYaml(input.text, file);
    const found = yamlFormat(yaml);
    if (found === null) return null;
    format = found;
    importYaml(found, yaml, context, draft);
  }
  const made = Object.keys(draft.value).some((section) => section !== 'app');
  if (!made && draft.issues.length + draft.warnings.length === 0) {
    draft.warn(draft.start, 'nothing is made of it alone: images and bound directories become part of what uses them');
  }
  issues.push(...draft.issues);
  const warnings = draft.warnings.sort(compareIssues);
  return { format, manifest: draft.value, places: draft.places, warnings, inputs: [...paths].sort() };
}
