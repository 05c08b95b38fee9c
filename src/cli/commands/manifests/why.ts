import { askAboutAll } from '../../any-resource.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatWhy } from '../../output/timeline.ts';
import { describeManifest, formatManifest, manifestArgument } from './describe-manifest.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Explains the state of a resource: the edit of the manifest with its line, the operations it caused, ends of the ' +
      'container with the last lines of its log, the decisions after them, and what it waits for now.\n\n' +
      'Repeated events are shown once, with a count. For a manifest it prints what `describe manifest` does.',
    examples: [
      ['tsdocker why web', 'Why a container restarts, waits or does not run'],
      ['tsdocker why volume/blog/data', 'The same for a volume of the app blog'],
      ['tsdocker why blog/', 'The same for each container of an app'],
      ["tsdocker why web -o json | jq '.steps[-1].log'", 'The last lines of its latest end, for a script'],
    ],
  });
  command.addArgument(
    new Argument(
      '<resource...>',
      'KIND/NAME, KIND/APP/NAME or KIND NAME; a NAME alone is a container, or the only other resource of that name; APP/ is every container of an app; FILE.yaml',
    ).completes('resources'),
  );
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action((words: string[], options: { output: OutputFormat }) => run(context, words, options.output)),
  );
}

async function run(context: CliContext, words: readonly string[], output: OutputFormat): Promise<number> {
  const file = manifestArgument(words);
  if (file !== null) {
    const description = await describeManifest(context, file);
    if (isData(output)) await context.printData(description, output);
    else context.print(formatManifest(context, description));
    return EXIT.ok;
  }
  const client = await context.client();
  const { several, answers } = await askAboutAll(client, words, (kind, name) => client.why(kind, name));
  if (isData(output)) await context.printData(several ? answers : answers[0], output);
  else context.print(answers.map((view) => formatWhy(context, view)).join('\n\n'));
  return EXIT.ok;
}
