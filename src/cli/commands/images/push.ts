import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { credentialsFor } from '../../logins.ts';
import { follow } from '../../terminal/follow.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Sends an image to the registry of its name, with the logins of your Docker configuration. Layers that the registry has ' +
      'already are not sent.',
    examples: [
      ['tsdocker tag app registry.example:5000/team/app:1', 'Give it the name of the registry'],
      ['tsdocker push registry.example:5000/team/app:1', 'Send it there'],
    ],
  });
  command.addArgument(new Argument('<image>', 'NAME[:TAG]').completes('images'));
  command.action(
    context.action(async (reference: string) => {
      const client = await context.client();
      const credentials = await credentialsFor(context, reference);
      return follow(context, client.registry.push({ reference, credentials }), { mustBeReady: true });
    }),
  );
}
