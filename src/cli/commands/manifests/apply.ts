import { readOfCaller } from '../../../manifest/caller-files.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { warnOfImports } from '../../import-warnings.ts';
import { type ManifestOptions, readManifests } from '../../input.ts';
import {
  manifestOptions,
  requireManifests,
  settleOption,
  type WaitOptions,
  waitOf,
  waitOption,
  waitTimeoutOption,
} from '../../options.ts';
import { ownFiles } from '../../own-files.ts';
import { followChange } from '../../terminal/follow.ts';

export interface ApplyOptions extends ManifestOptions, WaitOptions {
  readonly dryRun?: boolean;
  readonly refresh?: boolean;
  readonly cache: boolean;
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Hands manifests to the supervisor, which stores them and keeps what they declare running.\n\n' +
      'A file replaces the previous declaration of its app: resources that it no longer declares are removed, volumes are kept. ' +
      'Manifests with errors change nothing. Without --wait the command returns once the manifests are accepted.\n\n' +
      'A file must belong to you (also under sudo) or to root. A world-writable file is refused, a group-writable file has a ' +
      'warning; standard input counts as yours.\n\n' +
      'With --wait it checks the result: a container is ready when its probe passes or, without one, when it has run ' +
      'for the settle time without an interruption; it is completed when it exited with 0 and its policy or a dependent ' +
      'allows that. Any other end is an error at once, with the exit code and the last lines of its log. Containers ' +
      'that `tsdocker stop` stopped stay stopped, and are listed.\n\n' +
      'Bound files, env files and build contexts are pinned to their current content: a change of them ' +
      'takes effect with the next apply, unless the manifest has `follow: true` or `onChange`.\n\n' +
      'Files of the watched directory take effect automatically and cannot be applied; with --refresh their images are ' +
      'resolved again, like those of other files.',
    examples: [
      ['tsdocker apply -f blog.yaml --wait', 'Apply a manifest and wait until everything of it is ready'],
      ['tsdocker apply -f blog.yaml --timeout 2m --settle 5s', 'Wait longer, and for longer runs'],
      ['tsdocker apply -f ./apps --dry-run', 'Show what a directory of manifests would change'],
      ['tsdocker apply -f blog.yaml --refresh --wait', 'Use the current images of the tags'],
      ['tsdocker apply -f blog.yaml --no-cache --wait', 'Build its images again, each step'],
      ['tsdocker apply -f blog.yaml -o json | jq -r \'select(.type == "op").id\'', 'Its events, an object a line'],
      ['generate | tsdocker apply -f - --base-dir .', 'Apply from standard input; paths in it start here'],
    ],
    exitCodes: [
      ['0', 'accepted; with --wait: everything is ready or completed'],
      ['1', 'rejected, failed, ended, or not ready in time'],
    ],
  });
  manifestOptions(command, 'manifests to apply');
  command.addOption(waitOption('return when everything is ready'));
  command.addOption(waitTimeoutOption());
  command.addOption(settleOption());
  command.option('--dry-run', 'print the plan and change nothing');
  command.option('--refresh', 'resolve images again from registries and files, also where nothing was edited');
  command.option('--no-cache', 'build declared images again, each step, also where nothing changed');
  command.addOption(outputOption('table', 'json'));
  command.action(context.action((options: ApplyOptions) => runApply(context, options)));
}

export async function runApply(context: CliContext, options: ApplyOptions): Promise<number> {
  const gate = ownFiles(context);
  const inputs = requireManifests(await readManifests(context, options, (file) => readOfCaller(file, gate)));
  await warnOfImports(context, inputs);
  const client = await context.client();
  const asked = { dryRun: options.dryRun === true, ...waitOf(options) };
  const refreshing = {
    ...(options.refresh === true && { refresh: true }),
    ...(!options.cache && { noCache: true }),
  };
  const events = client.apply(inputs, { ...asked, ...refreshing });
  return followChange(context, events, { ...asked, json: options.output === 'json' });
}
