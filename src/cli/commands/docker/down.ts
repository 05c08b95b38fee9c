import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { manifestOptions, waitTimeoutOption } from '../../options.ts';
import { runDelete } from '../manifests/delete.ts';
import { filesOf } from './working-directory.ts';

interface DownOptions {
  readonly file?: readonly string[];
  readonly baseDir?: string;
  readonly timeout?: number;
}

const PATIENCE_MS = 120_000;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Removes what the manifest or Compose file of the working directory declares, and waits until it is gone. Volumes and ' +
      'their data stay. It is `tsdocker delete --wait` of the file that `tsdocker up` applies.',
    examples: [['tsdocker down', 'What the file in this directory declares']],
    exitCodes: [
      ['0', 'removed'],
      ['1', 'error, or not removed in time'],
    ],
  });
  manifestOptions(command, 'another file');
  command.addOption(waitTimeoutOption());
  command.action(
    context.action(({ timeout, file, ...options }: DownOptions) =>
      runDelete(context, [], { ...options, file: filesOf(context, file), wait: timeout ?? PATIENCE_MS }),
    ),
  );
}
