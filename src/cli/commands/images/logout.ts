import { DOCKER_HUB, registryName } from '../../../model/image-reference.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { loginsOf } from '../../logins.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Removes the login of a registry from ~/.docker/config.json, or from the credential helper named there.',
    examples: [['tsdocker logout registry.example:5000', 'Remove this login']],
  });
  command.argument('[registry]', 'HOST[:PORT]', DOCKER_HUB);
  command.action(
    context.action(async (registry: string) => {
      const host = registryName(registry);
      const known = await (await loginsOf(context)).remove(host);
      context.print(known ? `Removed the login of ${host}` : `There is no login of ${host}`);
      return EXIT.ok;
    }),
  );
}
