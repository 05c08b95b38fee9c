/** What a command tells, for another program. */

export type DataFormat = 'json' | 'yaml';

export function isData(format: string): format is DataFormat {
  return format === 'json' || format === 'yaml';
}

export async function formatData(value: unknown, format: DataFormat): Promise<string> {
  if (format === 'json') return JSON.stringify(value, null, 2);
  const { stringify } = await import('yaml');
  // What is undefined is left out, as in JSON; nothing is written once and meant twice.
  return stringify(JSON.parse(JSON.stringify(value)), { aliasDuplicateObjects: false, lineWidth: 0 }).trimEnd();
}
