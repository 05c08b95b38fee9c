import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Gives a container that was made through the Docker API another name; it goes on running. The name of a container of a ' +
      'manifest is in the manifest.',
    examples: [['tsdocker rename web web-old', 'Make room for a new one']],
  });
  command.addArgument(new Argument('<container>', 'name or id').completes('container'));
  command.argument('<name>', 'its new name');
  command.action(
    context.action(async (name: string, to: string) => {
      const docker = await context.docker();
      await docker.post(objectPath('containers', name, '/rename'), { name: to });
      return EXIT.ok;
    }),
  );
}
