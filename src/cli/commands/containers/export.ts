import { resolve } from 'node:path';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { follow } from '../../terminal/follow.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      "Writes a container's root filesystem as a tar, image and changes in one; volumes are empty directories in it. A " +
      'running container is paused during the read. The supervisor writes the file, so it appears on its host.',
    examples: [
      ['tsdocker export web -o web.tar', 'All files of a container'],
      ['tsdocker export blog/web -o web.tar && tsdocker import web.tar web-flat', 'Flatten it into an image'],
    ],
  });
  command.addArgument(new Argument('<container>', 'NAME or APP/NAME').completes('container'));
  command.requiredOption('-o, --output <file>', 'tar to write');
  command.action(
    context.action(async (container: string, { output }: { output: string }) => {
      const client = await context.client();
      const path = resolve(context.streams.cwd, output);
      return follow(context, client.imageFiles.export(container, path), { mustBeReady: true });
    }),
  );
}
