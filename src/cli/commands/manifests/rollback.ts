import { type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { countArgument, settleOption, type WaitOptions, waitOf, waitOption, waitTimeoutOption } from '../../options.ts';
import { followChange } from '../../terminal/follow.ts';

interface RollbackOptions extends WaitOptions {
  readonly to: number;
  readonly hold?: boolean;
  readonly dryRun?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Goes back to the manifests of an earlier generation, with the images, env files and bound files that it ran with, as a new generation: no generation is lost, and going forward ' +
      'again is a rollback too. Volumes and their data stay, your files are not changed, and secrets are the current ones. ' +
      'Contents that cannot be restored are reported before anything is done.\n\n' +
      'Applied manifests are restored. Files of the watched directory are yours: where they differ the command ' +
      'names them and stops. With --hold their apps stay at that generation until such a file changes, or ' +
      '`tsdocker approve APP` accepts the file.',
    examples: [
      ['tsdocker history', 'Find the generation'],
      ['tsdocker rollback --to 6 --dry-run', 'Show the plan'],
      ['tsdocker rollback --to 6 --hold --wait', 'Go back, watched files too, and wait until everything is ready'],
    ],
    exitCodes: [
      ['0', 'accepted; with --wait: everything is ready or completed, as for apply'],
      ['1', 'refused, failed, ended, or not ready in time'],
    ],
  });
  command.addOption(
    new Option('--to <generation>', 'a number of `tsdocker history`')
      .argParser(countArgument)
      .completes('generations')
      .makeOptionMandatory(),
  );
  command.option('--hold', 'hold the apps of watched files that differ at that generation');
  command.addOption(waitOption('return when everything is ready'));
  command.addOption(waitTimeoutOption());
  command.addOption(settleOption());
  command.option('--dry-run', 'print the plan and change nothing');
  command.action(context.action((options: RollbackOptions) => run(context, options)));
}

async function run(context: CliContext, { to, hold, dryRun, ...wait }: RollbackOptions): Promise<number> {
  const client = await context.client();
  const options = { hold: hold === true, dryRun: dryRun === true, ...waitOf(wait) };
  return followChange(context, client.rollback(to, options), options);
}
