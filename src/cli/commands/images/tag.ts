import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Gives an image another name. A name of another image is moved only with -f.',
    examples: [
      ['tsdocker tag app:1 registry.example:5000/team/app:1', 'The name under which it can be pushed'],
      ['tsdocker tag -f 3f1c0a2b9d4e app:stable', 'Move a name to the image with this id'],
    ],
  });
  command.addArgument(new Argument('<image>', 'NAME[:TAG], an id or its beginning').completes('images'));
  command.argument('<name>', 'NAME[:TAG] to give');
  command.option('-f, --force', 'move the name from another image');
  command.action(
    context.action(async (image: string, name: string, { force = false }: { force?: boolean }) => {
      const client = await context.client();
      await client.registry.tag(image, name, force);
      return EXIT.ok;
    }),
  );
}
