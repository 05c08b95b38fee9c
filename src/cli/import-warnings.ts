/** What files in formats of others say and their translation does not. */
import type { ManifestInput } from '../api/requests.ts';
import { mayBeForeign } from '../manifest/importers/bundle.ts';
import type { ManifestIssue } from '../manifest/issue.ts';
import { formatPosition } from '../model/resource.ts';
import type { CliContext } from './context.ts';
import { paint, printable } from './output/text.ts';

export function printWarnings(context: CliContext, warnings: readonly ManifestIssue[]): void {
  const { streams } = context;
  for (const { position, message } of warnings) {
    const label = paint(streams, streams.stderr, 'yellow', 'warning:');
    context.warn(`${label} ${printable(`${formatPosition(position)}: ${message}`)}`);
  }
}

/** Warns about parts of these manifests that will be ignored. In our own format such parts are errors, reported elsewhere. */
export async function warnOfImports(context: CliContext, inputs: readonly ManifestInput[]): Promise<void> {
  const foreign = inputs.filter(({ file, text }) => mayBeForeign(file, text));
  if (foreign.length === 0) return;
  // Only then is there a need for the importers, and for a YAML parser.
  const { importForeign } = await import('../manifest/importers/import.ts');
  const { readContentFile } = await import('../manifest/source/files.ts');
  for (const { file, text, baseDir } of foreign) {
    const reach = { baseDir: baseDir === '' ? context.streams.cwd : baseDir, readFile: readContentFile };
    printWarnings(context, importForeign({ text, file, reach }, [])?.warnings ?? []);
  }
}
