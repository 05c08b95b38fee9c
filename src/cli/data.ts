/** The output of a command as data for other programs. */
import { withoutControls } from '../model/text/text-controls.ts';

export type DataFormat = 'json' | 'yaml';

export function isData(format: string): format is DataFormat {
  return format === 'json' || format === 'yaml';
}

/** The same value as JSON.stringify gives it, without characters that a terminal obeys. */
export function jsonText(value: unknown, indent = 0): string {
  return withoutControls(JSON.stringify(value, null, indent));
}

export async function formatData(value: unknown, format: DataFormat): Promise<string> {
  if (format === 'json') return jsonText(value, 2);
  const { Document } = await import('yaml');
  const { yamlText } = await import('../manifest/yaml-written.ts');
  // Undefined members are omitted, as in JSON; nothing is written once and meant twice.
  return yamlText(new Document(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false })).replace(/\n$/, '');
}
