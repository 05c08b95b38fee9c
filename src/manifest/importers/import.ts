/** Files in formats of others: which one it is, and its translation. */

import { basename } from 'node:path';
import { isMap, type YAMLMap } from 'yaml';
import { append } from '../../model/lists.ts';
import type { ReadFile } from '../content.ts';
import { compareIssues, type ManifestIssue } from '../issue.ts';
import type { Places } from '../plain.ts';
import { readYaml, type YamlText } from '../yaml-text.ts';
import { isUnitFile, mayBeForeign, type NamedText, readBundle } from './bundle.ts';
import { importCompose } from './compose/compose.ts';
import { Draft, type ImportContext, type ImportWarning } from './draft.ts';
import { helmProblem } from './kube/helm.ts';
import { importKubernetes } from './kube/kube.ts';
import { safeName } from './names.ts';
import { documentParts } from './part.ts';
import { importQuadlet } from './quadlet/quadlet.ts';

type ForeignFormat = 'Compose' | 'Kubernetes' | 'Quadlet';

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

/** Translates a file, or several that are one app. Null for a file in our own format. */
function importAny({ file, text }: ForeignText, context: ImportContext, draft: Draft): ForeignFormat | null {
  const bundle = readBundle(text);
  if (bundle?.kind === 'compose') {
    importCompose(bundle.files.map(parsedFile), context, draft);
    return 'Compose';
  }
  const units = bundle?.files ?? (isUnitFile(file) ? [{ file, text }] : null);
  if (units) {
    importQuadlet(units, context, draft);
    return 'Quadlet';
  }
  const { file: path, yaml } = parsedFile({ file, text });
  const helm = helmProblem({ text, yaml }, context);
  if (helm) {
    // Its file's name, which may be Chart.yaml, is not what is wrong.
    draft.nameApp(safeName(basename(context.baseDir)) ?? 'chart', draft.start);
    draft.issues.push(helm);
    return 'Kubernetes';
  }
  const format = yamlFormat(yaml);
  if (format === 'Kubernetes') importKubernetes(documentParts(yaml, draft), context, draft);
  else if (format === 'Compose') importCompose([{ file: path, yaml }], context, draft);
  return format;
}

const parsedFile = ({ file, text }: NamedText) => ({ file, yaml: readYaml(text, file, { mergeTags: true }) });

/** Null for a file in our own format. @param issues receives what cannot be translated. */
export function importForeign(input: ForeignText, issues: ManifestIssue[]): Translation | null {
  const { file } = input;
  const { baseDir, readFile: readAny } = input.reach ?? NO_FILES;
  const { readFile, paths } = recorded(readAny);
  const draft = new Draft(file);
  const context = { file, baseDir, readFile };
  // Most files are ours, and are not worth being parsed twice.
  if (!mayBeForeign(file, input.text)) return null;
  const format = importAny(input, context, draft);
  if (format === null) return null;
  const made = Object.keys(draft.value).some((section) => section !== 'app');
  if (!made && draft.issues.length + draft.warnings.length === 0) {
    draft.warn(draft.start, 'nothing is made of it alone: images and bound directories become part of what uses them');
  }
  append(issues, draft.issues);
  const warnings = draft.warnings.sort(compareIssues);
  return { format, manifest: draft.value, places: draft.places, warnings, inputs: [...paths].sort() };
}
