import type { DockerClient } from '../../../api/docker/client.ts';
import { objectPath } from '../../../api/docker/paths.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import type { DataFormat } from '../../data.ts';
import { document } from '../../documentation.ts';
import { printError } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';

const TYPES = ['container', 'image', 'network', 'volume'] as const;
type Type = (typeof TYPES)[number];

interface InspectOptions {
  readonly type?: Type;
  readonly size?: boolean;
  readonly output: DataFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints objects as the Docker API describes them: the first container, image, network or volume that has the name or ' +
      'id. `tsdocker describe` says what is wanted of a resource, where that is written, and what there is of it.',
    examples: [
      ['tsdocker inspect web', 'A container'],
      ['tsdocker inspect --type network -o yaml back', 'A network, as YAML'],
    ],
  });
  command.argument('<names...>', 'names or ids');
  command.addOption(new Option('--type <type>', 'look for objects of this type only').choices(TYPES));
  command.option('-s, --size', 'what containers have written');
  command.addOption(
    new Option('-o, --output <format>', 'form of the output').choices(['json', 'yaml']).default('json'),
  );
  command.action(context.action((names: string[], options: InspectOptions) => run(context, names, options)));
}

const PATHS: Readonly<Record<Type, (name: string) => string>> = {
  container: (name) => objectPath('containers', name, '/json'),
  image: (name) => `/images/${encodeURIComponent(name)}/json`,
  network: (name) => objectPath('networks', name),
  volume: (name) => objectPath('volumes', name),
};

/** @throws TsdError TSD_NO_SUCH_RESOURCE */
async function find(docker: DockerClient, name: string, { type, size }: InspectOptions): Promise<unknown> {
  for (const one of type === undefined ? TYPES : [type]) {
    try {
      return await docker.get(PATHS[one](name), { size: (one === 'container' && size === true) || undefined });
    } catch (thrown) {
      if (!(thrown instanceof TsdError) || thrown.class !== 'not-found') throw thrown;
    }
  }
  const hint = '`tsdocker ps -a`, `tsdocker images`, `tsdocker network ls` and `tsdocker volume ls` list what exists.';
  throw new TsdError('TSD_NO_SUCH_RESOURCE', `no such ${type ?? 'object'}: ${name}`, { hint });
}

async function run(context: CliContext, names: readonly string[], options: InspectOptions): Promise<number> {
  const docker = await context.docker();
  const found: unknown[] = [];
  let exitCode: number = EXIT.ok;
  for (const name of names) {
    try {
      found.push(await find(docker, name, options));
    } catch (thrown) {
      printError(context, thrown);
      exitCode = EXIT.error;
    }
  }
  await context.printData(found, options.output);
  return exitCode;
}
