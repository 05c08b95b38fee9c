/** Files of Helm charts: they are programs that write manifests, and not manifests. */
import { basename, join } from 'node:path';
import type { ManifestIssue } from '../../issue.ts';
import type { YamlText } from '../../yaml-text.ts';
import type { ImportContext } from '../draft.ts';

/** Words of Helm's own: what else is in braces may be for a program that reads the value. */
const OF_HELM = /^\/\*|\.Values\b|\.Release\b|\.Chart\b|\.Capabilities\b|\binclude "|\btoYaml\b/;
/** Looked at behind the braces. */
const MOST_LOOKED_AT = 180;
const NO_EXPRESSION = /[{}\n]/;
const KUBERNETES = /^[ \t]*["']?(?:apiVersion|kind)["']?[ \t]*:/m;

function isThere(path: string, { readFile }: ImportContext): boolean {
  const read = readFile(path);
  return read.ok || read.reason !== 'missing';
}

/** The directory of the chart, as one would name it from the directory of the file; null where none is seen. */
function chartOf(context: ImportContext): string | null {
  return ['.', '..'].find((directory) => isThere(join(context.baseDir, directory, 'Chart.yaml'), context)) ?? null;
}

/** What is in the way of a file that belongs to a chart; null for any other file. */
export function helmProblem(
  { text, yaml }: { readonly text: string; readonly yaml: YamlText },
  context: ImportContext,
): ManifestIssue | null {
  const isChart = basename(context.file) === 'Chart.yaml' && /^apiVersion\s*:/m.test(text) && !/^kind\s*:/m.test(text);
  const offset = text.indexOf('{{');
  const mayBe = offset >= 0 && (KUBERNETES.test(text) || basename(context.baseDir) === 'templates');
  const isTemplate = mayBe && (yaml.issues.length > 0 || hasExpression(text));
  if (!isChart && !isTemplate) return null;
  const chart = isChart ? '.' : chartOf(context);
  const what = isChart ? 'this file describes a Helm chart' : 'this is a template of a Helm chart';
  return {
    code: 'TSD_IMPORT_IMPOSSIBLE',
    message: `${what}, which Helm makes manifests of`,
    position: isChart ? { file: context.file, line: 1, column: 1 } : placeOf(text, offset, context.file),
    hint: `Run \`helm template NAME ${chart ?? 'CHART'} > app.yaml\`, and use app.yaml.`,
  };
}

/** Each pair of braces is looked at once, and not far: the text may hold half a million of them. */
function hasExpression(text: string): boolean {
  for (let at = text.indexOf('{{'); at >= 0; at = text.indexOf('{{', at + 2)) {
    const behind = text
      .slice(at + 2, at + 2 + MOST_LOOKED_AT)
      .replace(/^-/, '')
      .trimStart();
    const end = behind.search(NO_EXPRESSION);
    if (OF_HELM.test(end < 0 ? behind : behind.slice(0, end))) return true;
  }
  return false;
}

function placeOf(text: string, offset: number, file: string) {
  const before = text.slice(0, offset).split('\n');
  return { file, line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
