import type { DescribeView, EndpointView, HealthView } from '../../../api/views/resource-views.ts';
import type { Condition } from '../../../model/status/phases.ts';
import { askAboutAll } from '../../any-resource.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatPairs, formatTable } from '../../output/table.ts';
import { paint, printable } from '../../output/text.ts';
import { describeManifest, formatManifest, manifestArgument } from './describe-manifest.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Shows everything about one resource: its state with reasons, its specification with defaults filled in ' +
      '(secrets as references), and the latest operations on it. Of a manifest: its problems, what it declares, and the ' +
      'generations that it changed.',
    examples: [
      ['tsdocker describe web', 'A container by its short name'],
      ['tsdocker describe volume/blog/data', 'A volume of the app blog'],
      ['tsdocker describe network back -o json', 'Everything as one JSON object'],
      ['tsdocker describe blog/', 'Each container of an app'],
      ['tsdocker describe manifest blog', 'A manifest, by file or app'],
    ],
  });
  command.addArgument(
    new Argument(
      '<resource...>',
      'KIND/NAME, KIND/APP/NAME or KIND NAME; a NAME alone is a container, or the only other resource of that name; APP/ is every container of an app; manifest FILE|APP, or FILE.yaml alone',
    ).completes('resources'),
  );
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action((words: string[], options: { output: OutputFormat }) => run(context, words, options.output)),
  );
}

async function run(context: CliContext, words: readonly string[], output: OutputFormat): Promise<number> {
  const manifest = manifestArgument(words);
  if (manifest !== null) {
    const description = await describeManifest(context, manifest);
    if (isData(output)) await context.printData(description, output);
    else context.print(formatManifest(context, description));
    return EXIT.ok;
  }
  const client = await context.client();
  const { several, answers } = await askAboutAll(client, words, (kind, name) => client.describe(kind, name));
  if (isData(output)) await context.printData(several ? answers : answers[0], output);
  else context.print((await Promise.all(answers.map((view) => formatDescription(context, view)))).join('\n'));
  return EXIT.ok;
}

async function formatDescription(context: CliContext, { view, ...about }: DescribeView): Promise<string> {
  const { stringify } = await import('yaml');
  const heading = (text: string) => `\n${paint(context.streams, context.streams.stdout, 'bold', text)}\n`;
  const {
    conditions,
    health,
    endpoints,
    hint: _,
    ...facts
  } = view as typeof view & {
    readonly conditions?: readonly Condition[];
    readonly health?: HealthView | null;
    readonly endpoints?: readonly EndpointView[];
  };
  const sections = [
    formatPairs([
      ['kind', about.kind],
      ...Object.entries(facts).map(([key, value]) => [key, shown(value)] as const),
      ['hint', about.hint === '' ? null : about.hint],
      ['health', health?.state ?? null],
      ['generation', about.generation],
      ['specHash', about.specHash.slice(0, 12)],
    ]),
  ];
  if (conditions !== undefined && conditions.length > 0) {
    sections.push(heading('Conditions'), formatTable(context, CONDITION_COLUMNS, conditions));
  }
  if (endpoints !== undefined && endpoints.length > 0) {
    sections.push(heading('Networks'), formatTable(context, ENDPOINT_COLUMNS, endpoints));
  }
  if (health && health.results.length > 0) {
    sections.push(heading('Latest probes'), formatTable(context, PROBE_COLUMNS, health.results));
  }
  const spec = stringify(about.spec, { lineWidth: 0 }).trimEnd().split('\n');
  sections.push(heading('Specification'), spec.map((line) => `  ${printable(line)}\n`).join(''));
  if (about.ops.length > 0) sections.push(heading('Latest operations'), formatTable(context, OP_COLUMNS, about.ops));
  return sections.join('');
}

const CONDITION_COLUMNS = [
  { title: 'TYPE', value: (condition: Condition) => condition.type },
  { title: 'STATUS', value: (condition: Condition) => (condition.status ? 'yes' : 'no') },
  { title: 'SINCE', value: (condition: Condition) => condition.since ?? '-' },
  { title: 'REASON', value: (condition: Condition) => condition.reason },
  { title: 'MESSAGE', value: (condition: Condition) => condition.message },
];

const ENDPOINT_COLUMNS = [
  { title: 'NETWORK', value: (endpoint: EndpointView) => endpoint.network },
  { title: 'INTERFACE', value: (endpoint: EndpointView) => endpoint.interface },
  { title: 'IPV4', value: (endpoint: EndpointView) => endpoint.ipv4 ?? '-' },
  { title: 'IPV6', value: (endpoint: EndpointView) => endpoint.ipv6 ?? '-' },
  { title: 'MAC', value: (endpoint: EndpointView) => endpoint.mac ?? '-' },
  {
    title: 'GATEWAY',
    value: ({ gateway4, gateway6 }: EndpointView) =>
      [gateway4, gateway6].filter((one) => one !== null).join(', ') || '-',
  },
  { title: 'ALIASES', value: (endpoint: EndpointView) => endpoint.aliases.join(', ') || '-' },
];

type ProbeRow = HealthView['results'][number];
const PROBE_COLUMNS = [
  { title: 'AT', value: (result: ProbeRow) => result.at },
  { title: 'PROBE', value: (result: ProbeRow) => result.probe },
  { title: 'RESULT', value: (result: ProbeRow) => (result.ok ? 'ok' : 'failed') },
  { title: 'MS', value: (result: ProbeRow) => String(result.ms) },
  { title: 'OUTPUT', value: (result: ProbeRow) => result.output.trim().split('\n').join(' | ') },
];

type OpRow = DescribeView['ops'][number];
const OP_COLUMNS = [
  { title: 'AT', value: (op: OpRow) => op.at },
  { title: 'OP', value: (op: OpRow) => op.op },
  { title: 'STATUS', value: (op: OpRow) => op.status },
  { title: 'CAUSE', value: (op: OpRow) => op.cause },
  { title: 'MESSAGE', value: (op: OpRow) => op.message },
];

/** A fact of a view on one line; null is left out. */
function shown(value: unknown): string | null {
  if (value === null || value === undefined) return null;
  if (Array.isArray(value)) return value.length === 0 ? null : value.join(', ');
  if (typeof value !== 'object') return String(value);
  return 'line' in value && 'file' in value && 'column' in value
    ? `${value.file}:${value.line}:${value.column}`
    : JSON.stringify(value);
}
