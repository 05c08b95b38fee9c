import { API_LEVEL, VERSION, type VersionView } from '../../../api/version.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatPairs } from '../../output/table.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Shows the version of this program and, where one answers, of the supervisor.',
    examples: [
      ['tsdocker version', 'Both sides'],
      ['tsdocker version -o json | jq -r .client.version', 'One value, for a script'],
    ],
    exitCodes: [['0', 'done, also when no supervisor answers']],
  });
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: { output: OutputFormat }) => run(context, options.output)));
}

async function run(context: CliContext, output: OutputFormat): Promise<number> {
  const client = { version: VERSION, api: API_LEVEL, node: process.version };
  const { server, reason } = await askServer(context);
  if (isData(output)) {
    await context.printData({ client, server }, output);
    return EXIT.ok;
  }
  context.print(
    formatPairs([
      ['Client', `${client.version} (API ${client.api}, Node ${client.node})`],
      ['Server', server === null ? reason : serverText(server)],
    ]),
  );
  return EXIT.ok;
}

/** An older supervisor does not say its commit. */
function serverText({ version, api, node, commit = '' }: Partial<VersionView>): string {
  return `${version} (API ${api}, Node ${node}${commit === '' ? '' : `, commit ${commit}`})`;
}

async function askServer(context: CliContext) {
  const client = await context.client();
  try {
    return { server: await client.version(), reason: '' };
  } catch (thrown) {
    if (thrown instanceof TsdError) return { server: null, reason: thrown.message };
    throw thrown;
  }
}
