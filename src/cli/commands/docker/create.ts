import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { type CreateOptions, createOptions } from './create-options.ts';
import { createContainer } from './creation.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Makes a container and prints its id, without starting it. `tsdocker start` starts it, `tsdocker run` does both. What a ' +
      'manifest declares comes back by itself; a container made here is remembered, and changed with commands.',
    examples: [['tsdocker create --name web -p 8080:80 nginx', 'A container that `tsdocker start web` starts']],
  });
  command.argument('<image>', 'its image; pulled where this host has none');
  command.argument('[command...]', "in place of the image's");
  createOptions(command);
  command.action(
    context.action(async (image: string, words: string[], options: CreateOptions) => {
      context.print(await createContainer(context, [image, ...words], options, false));
      return EXIT.ok;
    }),
  );
}
