import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { isData } from '../data.ts';
import { document, type OutputFormat, outputOption } from '../documentation.ts';
import { EXIT } from '../exit-codes.ts';
import { manifestNote } from '../manifest-notes.ts';
import { formatPairs } from '../output/table.ts';
import { formatBytes, printable } from '../output/text.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Shows the supervisor: its directories, drivers, generation and counts, the host, and warnings about it.',
    examples: [
      ['tsdocker info', 'Everything at a glance'],
      ['tsdocker info -o json | jq -r .root', 'Where the state is, for a script'],
    ],
  });
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: { output: OutputFormat }) => run(context, options.output)));
}

async function run(context: CliContext, output: OutputFormat): Promise<number> {
  const client = await context.client();
  const info = await client.info();
  if (isData(output)) {
    await context.printData(info, output);
    return EXIT.ok;
  }
  context.print(
    formatPairs([
      ['Version', info.version],
      ['Generation', info.generation],
      ['Containers', `${info.containers}, ${info.running} running`],
      ['Images', info.images],
      ['Root', info.root],
      ['Run directory', info.runDir],
      ['Manifests', info.manifests],
      ['Socket', info.socket],
      ['Instance', info.instance],
      ['ID', info.id],
      ['Drivers', `graph ${info.graphDriver}, network ${info.networkDriver}, exec ${info.execDriver}`],
      ['Default bridge', info.defaultBridge],
      ['Host', `Linux ${info.kernel}, ${info.cpus} CPUs, ${formatBytes(info.memoryBytes)}`],
      ['Limits', `memory ${yesNo(info.memoryLimit)}, swap ${yesNo(info.swapLimit)}`],
      ['IPv4 forwarding', info.ipv4Forwarding ? 'on' : 'off'],
      ['AppArmor', info.appArmor ? 'on' : 'off'],
      ['Labels', info.labels.length > 0 ? info.labels.join(', ') : null],
    ]),
  );
  for (const warning of info.warnings) context.warn(`warning: ${printable(warning)}`);
  const note = await manifestNote(client);
  if (note !== null) context.warn(note);
  return EXIT.ok;
}

const yesNo = (value: boolean): string => (value ? 'yes' : 'no');
