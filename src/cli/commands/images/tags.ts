import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { type DataFormat, isData } from '../../data.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { credentialsFor } from '../../logins.ts';
import { printable } from '../../output/text.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Lists the tags that an image has on its registry.',
    examples: [['tsdocker tags registry.example:5000/team/app', 'One tag a line']],
  });
  command.argument('<image>', 'NAME');
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['text', 'json', 'yaml']).default('text'),
  );
  command.action(
    context.action(async (image: string, { output }: { output: 'text' | DataFormat }) => {
      const client = await context.client();
      const tags = await client.registry.tags(image, await credentialsFor(context, image));
      if (isData(output)) await context.printData(tags, output);
      else if (tags.length > 0) context.print(tags.map((tag) => `${printable(tag)}\n`).join(''));
      return EXIT.ok;
    }),
  );
}
