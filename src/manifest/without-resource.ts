/** Takes a resource out of a manifest's text. Everything else stays on its line and column, so that positions stay true. */
import { isMap, isScalar, type Node, type YAMLMap } from 'yaml';
import { KIND_SCHEMAS } from '../model/kinds/kinds.ts';
import type { Kind } from '../model/resource.ts';
import { type ManifestText, parseManifest } from './parse.ts';
import { readYaml } from './yaml-text.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

interface Entry extends Span {
  readonly name: unknown;
  readonly value: Node | null;
}

function entriesOf(map: YAMLMap): Entry[] {
  return (map.items as { key: Node | null; value: Node | null }[]).flatMap(({ key, value }) => {
    if (!isScalar(key) || !key.range) return [];
    return [{ name: key.value, value, start: key.range[0], end: Math.max(key.range[1], value?.range?.[1] ?? 0) }];
  });
}

/** Of a flow mapping the comma that goes with the entry is part of it. */
function spanOf(map: YAMLMap, entries: readonly Entry[], index: number): Span {
  const entry = entries[index] as Entry;
  if (map.flow !== true) return entry;
  const next = entries[index + 1];
  if (next) return { start: entry.start, end: next.start };
  return { start: entries[index - 1]?.end ?? entry.start, end: entry.end };
}

function findSpan(contents: unknown, section: string, name: string): Span | null {
  if (!isMap(contents)) return null;
  const sections = entriesOf(contents);
  const at = sections.findIndex((entry) => entry.name === section);
  const map = sections[at]?.value;
  if (!isMap(map)) return null;
  const entries = entriesOf(map);
  const index = entries.findIndex((entry) => entry.name === name);
  if (index < 0) return null;
  return entries.length === 1 ? spanOf(contents, sections, at) : spanOf(map, entries, index);
}

const blank = (text: string): string => text.replace(/[^\r\n]/g, ' ');

/**
 * The text without a resource; `nothing` when the manifest would declare none; null when the text cannot be cut there (a
 * format of others, an unusual spelling, an anchor in it that others use), so that a person has to.
 */
export function withoutResource(manifest: ManifestText, kind: Kind, name: string): string | 'nothing' | null {
  const before = parseManifest(manifest);
  const declared = before.app?.resources ?? [];
  if (before.translation || !declared.some((resource) => resource.kind === kind && resource.name === name)) return null;
  if (declared.length === 1) return 'nothing';
  const { documents } = readYaml(manifest.text, manifest.file);
  const spans = documents.map(({ contents }) => findSpan(contents, KIND_SCHEMAS[kind].section, name));
  const span = spans.find((found) => found !== null);
  if (!span) return null;
  const { text } = manifest;
  const cut = text.slice(0, span.start) + blank(text.slice(span.start, span.end)) + text.slice(span.end);
  const after = parseManifest({ ...manifest, text: cut });
  const left = after.app?.resources.map((resource) => `${resource.kind}/${resource.name}`);
  const expected = declared.map((resource) => `${resource.kind}/${resource.name}`);
  const same = left?.join() === expected.filter((key) => key !== `${kind}/${name}`).join();
  return same && after.issues.length === 0 ? cut : null;
}
