import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { collect } from '../../options.ts';
import { follow } from '../../terminal/follow.ts';

interface CommitOptions {
  readonly change?: readonly string[];
  readonly message: string;
  readonly author: string;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Creates an image from the changes of a container, on top of its image. Volumes are not part of it. A running ' +
      'container is paused during the read.',
    examples: [
      ['tsdocker commit web web:patched', 'Keep manual changes'],
      ["tsdocker commit -c 'CMD [\"/bin/app\"]' -m 'new start' web web:2", 'With another command'],
    ],
  });
  command.addArgument(new Argument('<container>', 'NAME or APP/NAME').completes('container'));
  command.argument('[name]', 'REPOSITORY[:TAG] of the image');
  command.option('-c, --change <instruction>', 'Dockerfile instruction for the configuration; repeatable', collect);
  command.option('-m, --message <text>', 'comment in the history of the image', '');
  command.option('-a, --author <name>', 'author of the image', '');
  command.action(
    context.action(async (container: string, name: string | undefined, { change, ...texts }: CommitOptions) => {
      const client = await context.client();
      const request = { name: name ?? '', changes: change ?? [], ...texts };
      return follow(context, client.imageFiles.commit(container, request), { mustBeReady: true });
    }),
  );
}
