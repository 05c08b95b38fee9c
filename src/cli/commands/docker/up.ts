import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { manifestOptions, settleOption, waitTimeoutOption } from '../../options.ts';
import { runApply } from '../manifests/apply.ts';
import { filesOf } from './working-directory.ts';

interface UpOptions {
  readonly file?: readonly string[];
  readonly baseDir?: string;
  readonly detach?: boolean;
  readonly build?: boolean;
  readonly timeout?: number;
  readonly settle?: number;
  readonly output: OutputFormat;
}

const PATIENCE_MS = 120_000;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Applies the manifest or Compose file of the working directory, and waits until everything of it is ready: ' +
      'tsdocker.yaml, compose.yaml or docker-compose.yaml, with its override file. It is `tsdocker apply --wait` of that file; ' +
      'what was started goes on when the command has ended.',
    examples: [
      ['tsdocker up', 'What the file in this directory declares'],
      ['tsdocker up -d', 'Return once it is accepted'],
      ['tsdocker up --build', 'Build its images again first'],
    ],
    exitCodes: [
      ['0', 'everything is ready or completed; with -d: accepted'],
      ['1', 'rejected, failed, ended, or not ready in time'],
    ],
  });
  manifestOptions(command, 'another file');
  command.option('-d, --detach', 'do not wait');
  command.option('--build', 'build declared images again');
  command.addOption(waitTimeoutOption());
  command.addOption(settleOption());
  command.addOption(outputOption('table', 'json'));
  command.action(
    context.action(({ detach, build, timeout, file, ...options }: UpOptions) =>
      runApply(context, {
        ...options,
        file: filesOf(context, file),
        ...(detach !== true && { wait: timeout ?? PATIENCE_MS }),
        ...(build === true && { refresh: true }),
        cache: true,
      }),
    ),
  );
}
