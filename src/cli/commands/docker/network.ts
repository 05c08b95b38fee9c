import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect } from '../../options.ts';
import { formatTable } from '../../output/table.ts';
import { each } from './each.ts';
import { filtersOf } from './filters.ts';
import { labelsOf } from './labels.ts';
import { printLines } from './lines.ts';
import { requireNames } from './names.ts';

interface NetworkOptions {
  readonly driver: string;
  readonly subnet?: readonly string[];
  readonly gateway?: readonly string[];
  readonly internal?: boolean;
  readonly ipv6?: boolean;
  readonly label?: readonly string[];
  readonly alias?: readonly string[];
  readonly ip?: string;
  readonly ip6?: string;
  readonly filter?: readonly string[];
  readonly force?: boolean;
  readonly quiet?: boolean;
  readonly output: OutputFormat;
}

interface ListedNetwork {
  readonly Id: string;
  readonly Name: string;
  readonly Driver: string;
  readonly Scope: string;
}

const ACTIONS = ['ls', 'create', 'connect', 'disconnect', 'rm', 'inspect'] as const;
type Action = (typeof ACTIONS)[number];
const SHORT_ID = 12;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Lists, creates, removes and inspects networks, and connects containers to them, through the Docker API. Networks of ' +
      'manifests are listed as well; they change with their manifests.',
    examples: [
      ['tsdocker network create --subnet 10.80.0.0/24 back', 'Create a network'],
      ['tsdocker network connect --alias db back postgres', 'Connect a container, also while it runs'],
      ['tsdocker network disconnect back postgres', 'Take it off'],
      ['tsdocker network ls', 'All networks'],
    ],
  });
  command.addArgument(new Argument('<action>', 'what to do').choices(ACTIONS));
  command.argument('[names...]', 'networks; connect and disconnect: NETWORK CONTAINER');
  command.addOption(new Option('-d, --driver <driver>', 'create: bridge, macvlan, ipvlan').default('bridge'));
  command.addOption(new Option('--subnet <cidr>', 'create: its addresses; once for each family').argParser(collect));
  command.addOption(new Option('--gateway <address>', 'create: of a subnet, in the same order').argParser(collect));
  command.option('--internal', 'create: no way out');
  command.option('--ipv6', 'create: with IPv6');
  command.addOption(new Option('--label <key=value>', 'create: a label; repeatable').argParser(collect));
  command.addOption(new Option('--alias <name>', 'connect: another name there; repeatable').argParser(collect));
  command.option('--ip <address>', 'connect: a fixed IPv4 address');
  command.option('--ip6 <address>', 'connect: a fixed IPv6 address');
  command.addOption(new Option('--filter <key=value>', 'ls: only those that pass; repeatable').argParser(collect));
  command.option('-f, --force', 'disconnect: also a container that cannot be looked at; rm: a missing one is no error');
  command.option('-q, --quiet', 'ls: only ids');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action((action: Action, names: string[], options: NetworkOptions) => run(context, action, names, options)),
  );
}

async function run(
  context: CliContext,
  action: Action,
  names: readonly string[],
  options: NetworkOptions,
): Promise<number> {
  if (action === 'ls') return list(context, options);
  requireNames(names, `tsdocker network ${action}`);
  const [network = '', container = ''] = names;
  const docker = await context.docker();
  switch (action) {
    case 'create':
      context.print((await docker.post<{ Id: string }>('/networks/create', {}, creation(network, options))).Id);
      return EXIT.ok;
    case 'connect':
    case 'disconnect': {
      requireNames(names.slice(1), `tsdocker network ${action} ${network}`);
      const body =
        action === 'connect'
          ? { Container: container, EndpointConfig: endpoint(options) }
          : { Container: container, Force: options.force === true };
      await docker.post(objectPath('networks', network, `/${action}`), {}, body);
      return EXIT.ok;
    }
    case 'rm':
      return each(context, names, (client, name) => client.delete(objectPath('networks', name)));
    case 'inspect': {
      const found = await Promise.all(names.map((name) => docker.get(objectPath('networks', name))));
      await context.printData(found, isData(options.output) ? options.output : 'json');
      return EXIT.ok;
    }
  }
}

function creation(name: string, { driver, subnet = [], gateway = [], internal, ipv6, label }: NetworkOptions): unknown {
  const config = subnet.map((one, at) => ({ Subnet: one, ...(gateway[at] !== undefined && { Gateway: gateway[at] }) }));
  return {
    Name: name,
    Driver: driver,
    Internal: internal === true,
    ...(ipv6 === true && { EnableIPv6: true }),
    IPAM: { Driver: 'default', Config: config },
    Labels: labelsOf(label),
    Options: {},
  };
}

function endpoint({ alias = [], ip, ip6 }: NetworkOptions): unknown {
  const fixed = { ...(ip !== undefined && { IPv4Address: ip }), ...(ip6 !== undefined && { IPv6Address: ip6 }) };
  return { Aliases: alias, ...(Object.keys(fixed).length > 0 && { IPAMConfig: fixed }) };
}

async function list(context: CliContext, { filter, quiet, output }: NetworkOptions): Promise<number> {
  const docker = await context.docker();
  const rows = await docker.get<readonly ListedNetwork[]>('/networks', { filters: filtersOf(filter) });
  if (quiet === true)
    printLines(
      context,
      rows.map(({ Id }) => Id.slice(0, SHORT_ID)),
    );
  else if (isData(output)) await context.printData(rows, output);
  else {
    const columns = [
      { title: 'NETWORK ID', value: ({ Id }: ListedNetwork) => Id.slice(0, SHORT_ID) },
      { title: 'NAME', value: ({ Name }: ListedNetwork) => Name },
      { title: 'DRIVER', value: ({ Driver }: ListedNetwork) => Driver },
      { title: 'SCOPE', value: ({ Scope }: ListedNetwork) => Scope },
    ];
    context.print(formatTable(context, columns, rows));
  }
  return EXIT.ok;
}
