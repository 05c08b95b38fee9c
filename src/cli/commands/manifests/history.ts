import type { HistoryView } from '../../../api/views/explain-views.ts';
import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { countArgument } from '../../options.ts';
import { formatDifferences } from '../../output/diff.ts';
import { type Column, formatTable } from '../../output/table.ts';
import { formatAge, plural } from '../../output/text.ts';

/** Each of a thousand `docker run --rm` would be a generation otherwise. */
const OF_CLIENTS =
  'What clients of the Docker API ask for has no generations: `tsdocker events` and `tsdocker why NAME` name the client.';

interface HistoryOptions {
  readonly output: OutputFormat;
  readonly diff?: number;
  readonly limit: number;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists the generations of the declaration, newest first: when each began, which file or request caused it, who ' +
      'requested it, and what it changed. The latest hundred are kept; file contents are kept for the latest ' +
      '`--keep-generations` of the supervisor and for those of held apps. A rollback to one that says ' +
      '`specification only` uses the current files.\n\n' +
      'BY is the user of the requesting process; for files of the watched directory it is their owner, who ' +
      'need not be the author. It is empty for the rollback of a failed update.\n\n' +
      OF_CLIENTS,
    examples: [
      ['tsdocker history', 'Recent changes, and their files'],
      ['tsdocker history --diff 7', 'Every field that generation 7 changed'],
      ['tsdocker rollback --to 6', 'Return to the previous generation'],
    ],
  });
  command.addOption(
    new Option('--diff <generation>', 'print what this generation changed')
      .argParser(countArgument)
      .completes('generations'),
  );
  command.addOption(new Option('-n, --limit <count>', 'only the newest').argParser(countArgument).default(20));
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: HistoryOptions) => run(context, options)));
}

async function run(context: CliContext, { diff, limit, output }: HistoryOptions): Promise<number> {
  const client = await context.client();
  if (diff !== undefined) {
    const differences = await client.historyDiff(diff);
    if (isData(output)) await context.printData(differences, output);
    else context.print(formatDifferences(context, differences));
    return EXIT.ok;
  }
  const generations = await client.history(limit);
  if (isData(output)) await context.printData(generations, output);
  else if (generations.length === 0) context.warn(`Nothing has been declared by manifests yet. ${OF_CLIENTS}`);
  else context.print(formatTable(context, columns(context.streams.now()), generations));
  return EXIT.ok;
}

/** `1 added, 2 changed`. */
function summary({ resources, held, keeps }: HistoryView): string {
  const count = (change: string) => resources.filter((resource) => resource.change === change).length;
  const parts = ['added', 'changed', 'removed'].map((change) => [count(change), change] as const);
  const changes = parts.filter(([number]) => number > 0).map(([number, change]) => `${number} ${change}`);
  const [only] = resources;
  const named = resources.length === 1 && only ? ` (${only.resource})` : '';
  const kept = keeps === 'specification' ? ['specification only'] : [];
  const holds =
    held.length === 0 ? [] : [`${plural(held.length, 'app')} held: ${held.map(({ app }) => app).join(', ')}`];
  return [`${changes.join(', ')}${named}`, ...holds, ...kept].filter((text) => text !== '').join('; ');
}

/** `alice`, `uid 1000`; of a watched file its owner, who need not be who wrote it. */
function who({ by }: HistoryView): string {
  if (by === null) return '-';
  const name = by.user ?? `uid ${by.uid}`;
  return by.via === 'file' ? `${name} (owner)` : name;
}

function columns(nowMs: number): readonly Column<HistoryView>[] {
  return [
    { title: 'GENERATION', value: (h) => `${h.generation}${h.current ? ' *' : ''}` },
    { title: 'AGE', value: (h) => formatAge(h.at, nowMs) },
    { title: 'BY', value: who },
    { title: 'CAUSE', value: (h) => h.cause },
    { title: 'CHANGES', value: summary },
  ];
}
