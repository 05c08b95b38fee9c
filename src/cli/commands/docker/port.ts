import { objectPath } from '../../../api/docker/paths.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { printLines } from './lines.ts';

type Ports = Readonly<Record<string, readonly { readonly HostIp: string; readonly HostPort: string }[] | null>>;

interface Inspected {
  readonly NetworkSettings: { readonly Ports: Ports };
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description: 'Shows where the ports of a container are published on this host.',
    examples: [
      ['tsdocker port web', 'All of a container'],
      ['tsdocker port web 80/tcp', 'Where one of them is'],
    ],
  });
  command.addArgument(new Argument('<container>', 'name or id').completes('container'));
  command.argument('[port]', 'PORT or PORT/PROTOCOL inside');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(
    context.action(async (name: string, port: string | undefined, { output }: { output: OutputFormat }) => {
      const docker = await context.docker();
      const { NetworkSettings } = await docker.get<Inspected>(objectPath('containers', name, '/json'));
      const ports = NetworkSettings.Ports;
      if (isData(output)) await context.printData(ports, output);
      else printLines(context, port === undefined ? allOf(ports) : oneOf(ports, port, name));
      return EXIT.ok;
    }),
  );
}

const place = ({ HostIp, HostPort }: { HostIp: string; HostPort: string }): string =>
  `${HostIp.includes(':') ? `[${HostIp}]` : HostIp}:${HostPort}`;

function allOf(ports: Ports): readonly string[] {
  return Object.entries(ports).flatMap(([inside, places]) => (places ?? []).map((one) => `${inside} -> ${place(one)}`));
}

/** @throws TsdError TSD_NO_SUCH_RESOURCE for one that is not published */
function oneOf(ports: Ports, port: string, name: string): readonly string[] {
  const places = ports[port.includes('/') ? port : `${port}/tcp`] ?? [];
  if (places.length > 0) return places.map(place);
  throw new TsdError('TSD_NO_SUCH_RESOURCE', `port ${port} of container ${name} is not published`, {
    hint: `\`tsdocker port ${name}\` lists those that are.`,
  });
}
