/** A translation as the text of a manifest, with what was left out as comments where it belongs. */
import { basename } from 'node:path';
import { Document, isMap, isNode, isScalar, type YAMLMap } from 'yaml';
import { asBlanks } from '../../model/text/text-controls.ts';
import { yamlText } from '../yaml-written.ts';
import type { ImportWarning, Section } from './draft.ts';
import type { Translation } from './import.ts';

const ORDER = ['app', 'images', 'networks', 'volumes', 'containers'];

function comment(warnings: readonly ImportWarning[]): string {
  return warnings
    .map(({ position: { file, line, column }, message }) => {
      const text = asBlanks(message);
      return ` ${basename(file)}:${line}:${column}: ${text}`;
    })
    .join('\n');
}

function addComments(section: Section, resources: YAMLMap, warnings: readonly ImportWarning[]): void {
  for (const { key } of resources.items) {
    if (!isScalar(key)) continue;
    const own = warnings.filter(({ resource }) => resource?.section === section && resource.name === key.value);
    if (own.length > 0 && isNode(key)) key.commentBefore = comment(own);
  }
}

/** Ends with a line break. Parsing it gives the translation again. */
export function manifestText({ format, manifest, warnings }: Translation): string {
  const ordered = Object.fromEntries(ORDER.flatMap((key) => (key in manifest ? [[key, manifest[key]]] : [])));
  const document = new Document(ordered, { version: '1.2', aliasDuplicateObjects: false });
  const top = warnings.filter(({ resource }) => resource === null);
  const lines = [` Translated from ${format}.`, ...(top.length > 0 ? [comment(top)] : [])];
  document.commentBefore = lines.join('\n');
  for (const section of ['images', 'networks', 'volumes', 'containers'] as const) {
    const resources = document.get(section);
    if (isMap(resources)) addComments(section, resources, warnings);
  }
  return yamlText(document);
}
