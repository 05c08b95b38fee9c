import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints the JSON Schema of manifests, for editors and linters. It covers the syntax; references and conflicts are ' +
      'checked by `tsdocker validate`.',
    examples: [
      ['tsdocker schema > tsdocker.schema.json', 'For an editor; then begin a manifest with the next line'],
      ['# yaml-language-server: $schema=./tsdocker.schema.json', 'The line for the YAML language server'],
    ],
  });
  command.action(
    context.action(async () => {
      const { manifestJsonSchema } = await import('../../../manifest/json-schema.ts');
      await context.printData(manifestJsonSchema(), 'json');
      return EXIT.ok;
    }),
  );
}
