import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { each } from './each.ts';

interface RmOptions {
  readonly force?: boolean;
  readonly volumes?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Removes containers that were made through the Docker API, with what they have written. A container of a manifest goes ' +
      'with its manifest: `tsdocker delete`.',
    examples: [
      ['tsdocker rm job', 'Remove a container that has ended'],
      ['tsdocker rm -fv test', 'Kill it first, and delete its anonymous volumes'],
    ],
  });
  command.addArgument(new Argument('<containers...>', 'names or ids').completes('containers'));
  command.option('-f, --force', 'also one that runs: it is killed');
  command.option('-v, --volumes', 'delete its anonymous volumes');
  command.action(
    context.action((names: string[], { force, volumes }: RmOptions) =>
      each(context, names, (docker, name) =>
        docker.delete(objectPath('containers', name), { force: force === true, v: volumes === true }),
      ),
    ),
  );
}
