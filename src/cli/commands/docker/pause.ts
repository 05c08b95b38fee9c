/** `pause` and `unpause`. */
import { objectPath } from '../../../api/docker/paths.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { each } from './each.ts';

function declare(command: Command, context: CliContext, action: 'pause' | 'unpause'): void {
  command.addArgument(new Argument('<containers...>', 'names or ids').completes('containers'));
  command.action(
    context.action((names: string[]) =>
      each(context, names, (docker, name) => docker.post(objectPath('containers', name, `/${action}`))),
    ),
  );
}

export function configurePause(command: Command, context: CliContext): void {
  document(command, {
    description: 'Freezes all processes of containers, until `tsdocker unpause`.',
    examples: [['tsdocker pause worker', 'Freeze a container']],
  });
  declare(command, context, 'pause');
}

export function configureUnpause(command: Command, context: CliContext): void {
  document(command, {
    description: 'Lets the processes of paused containers go on.',
    examples: [['tsdocker unpause worker', 'Let a container go on']],
  });
  declare(command, context, 'unpause');
}
