import { text as readAll } from 'node:stream/consumers';
import { TsdError } from '../../../model/errors/errors.ts';
import { DOCKER_HUB, registryName } from '../../../model/image-reference.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { loginsOf } from '../../logins.ts';
import { ask } from '../../terminal/ask.ts';

interface LoginOptions {
  readonly username?: string;
  readonly passwordStdin?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Logs in to a registry: the supervisor checks the login, then it is stored in ~/.docker/config.json, where Docker and ' +
      'other tools find it too, or in the credential helper that is named there. For images that manifests pull, log in as ' +
      'the user of the supervisor (root).',
    examples: [
      ['tsdocker login registry.example:5000', 'Asks for name and password'],
      ['tsdocker login -u me --password-stdin < token', 'Docker Hub, from a script'],
    ],
    exitCodes: [
      ['0', 'logged in'],
      ['1', 'error, or there was no answer'],
      ['130', 'Ctrl-C at a question'],
    ],
  });
  command.argument('[registry]', 'HOST[:PORT]', DOCKER_HUB);
  command.option('-u, --username <name>', 'user name');
  command.option('--password-stdin', 'read the password from standard input');
  command.action(
    context.action(async (registry: string, options: LoginOptions) => {
      const username = options.username ?? (await askFor(context, 'Username: ', false));
      const password =
        options.passwordStdin === true
          ? (await readAll(context.streams.stdin)).replace(/\r?\n$/, '')
          : await askFor(context, 'Password: ', true);
      const host = registryName(registry.replace(/^https?:\/\//, '').replace(/\/.*$/, ''));
      const credentials = { type: 'password', username, password } as const;
      const client = await context.client();
      await client.registry.checkLogin({ registry: host, credentials });
      await (await loginsOf(context)).set(host, credentials);
      context.print('Login Succeeded');
      return EXIT.ok;
    }),
  );
}

/** Asks on the terminal. @throws TSD_BAD_REQUEST where there is none. */
function askFor(context: CliContext, question: string, secret: boolean): Promise<string> {
  if (context.streams.stdin.isTTY === true) return ask(context, question, secret);
  throw new TsdError('TSD_BAD_REQUEST', 'there is no terminal for the question', {
    hint: 'Use -u NAME --password-stdin.',
  });
}
