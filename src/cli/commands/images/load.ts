import { resolve } from 'node:path';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { follow } from '../../terminal/follow.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Loads the images of an archive, as `docker save` or an OCI tool writes it, or of an OCI layout directory, and sets ' +
      'the tags it names. The supervisor reads the files, so they must be on its host.',
    examples: [
      ['tsdocker load -i app.tar', 'Load an archive made with docker save -o app.tar'],
      ['tsdocker load -i ./layout', 'Load a directory made with skopeo copy … oci:./layout:app:v1'],
    ],
  });
  command.requiredOption('-i, --input <path>', 'archive or OCI layout directory to load');
  command.action(
    context.action(async (options: { input: string }) => {
      const client = await context.client();
      return follow(context, client.load(resolve(context.streams.cwd, options.input)), { mustBeReady: false });
    }),
  );
}
