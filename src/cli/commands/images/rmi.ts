import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printError } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Removes tags, or images by their id. An image is removed with its last tag, together with layers that no ' +
      'other image has. An image that a container or a manifest uses stays.',
    examples: [
      ['tsdocker rmi app:1', 'Remove one tag'],
      ['tsdocker rmi 3f1c0a2b9d4e', 'Remove the image with this id'],
    ],
    exitCodes: [
      ['0', 'all were removed'],
      ['1', 'one could not be removed'],
    ],
  });
  command.addArgument(new Argument('<images...>', 'NAME[:TAG], an id or its beginning').completes('images'));
  command.option('-f, --force', 'also with names in several repositories, or used by a stopped container');
  command.action(
    context.action(async (images: string[], { force = false }: { force?: boolean }) => {
      const client = await context.client();
      let exitCode: number = EXIT.ok;
      for (const image of images) {
        try {
          const removed = await client.registry.removeImage({ image, force });
          for (const item of removed) {
            context.print('Untagged' in item ? `Untagged: ${item.Untagged}` : `Deleted: sha256:${item.Deleted}`);
          }
        } catch (error) {
          printError(context, error);
          exitCode = EXIT.error;
        }
      }
      return exitCode;
    }),
  );
}
