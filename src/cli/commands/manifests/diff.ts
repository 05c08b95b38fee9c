import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { warnOfImports } from '../../import-warnings.ts';
import { type ManifestOptions, readManifests } from '../../input.ts';
import { manifestNote } from '../../manifest-notes.ts';
import { manifestOptions } from '../../options.ts';
import { formatDifferences } from '../../output/diff.ts';

interface DiffOptions extends ManifestOptions {
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints the fields in which manifests differ from the current ones, and the cost of each change: in-place (nothing ' +
      'stops), restart, or recreate.\n\nWithout -f it compares the declaration with what runs.',
    examples: [
      ['tsdocker diff -f blog.yaml', 'Which fields of this edit differ from what runs'],
      ['tsdocker diff', 'Whether anything runs with an older specification'],
    ],
    exitCodes: [
      ['0', 'no difference'],
      ['1', 'error'],
      ['2', 'there are differences'],
    ],
  });
  manifestOptions(command, 'manifests to compare');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: DiffOptions) => run(context, options)));
}

async function run(context: CliContext, options: DiffOptions): Promise<number> {
  const client = await context.client();
  const inputs = await readManifests(context, options);
  await warnOfImports(context, inputs);
  const differences = await client.diff(inputs);
  if (isData(options.output)) await context.printData(differences, options.output);
  else context.print(formatDifferences(context, differences));
  const note = inputs.length === 0 && options.output === 'table' ? await manifestNote(client) : null;
  if (note !== null) context.warn(note);
  return differences.length > 0 ? EXIT.changes : EXIT.ok;
}
