import type { Command } from '../command-line/command.ts';
import type { CliContext } from '../context.ts';
import { document, type OutputFormat, outputOption } from '../documentation.ts';
import { followChange } from '../follow.ts';
import { warnOfImports } from '../import-warnings.ts';
import { type ManifestOptions, readManifests } from '../input.ts';
import { manifestOptions, requireManifests, waitOption } from '../options.ts';

interface ApplyOptions extends ManifestOptions {
  readonly wait?: number;
  readonly dryRun?: boolean;
  readonly refresh?: boolean;
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Hands manifests to the supervisor, which stores them and keeps what they declare running.\n\n' +
      'A file replaces everything that its app had before: what it no longer declares is removed, volumes are kept. ' +
      'Manifests with errors change nothing. Without --wait the command returns once the manifests are accepted. ' +
      'Files of the watched directory are taken over by themselves and cannot be applied; with --refresh their images are ' +
      'looked at anew, as those of other files.',
    examples: [
      ['tsdocker apply -f blog.yaml --wait', 'Apply a manifest and wait until everything of it is ready'],
      ['tsdocker apply -f ./apps --dry-run', 'Show what a directory of manifests would change'],
      ['tsdocker apply -f blog.yaml --refresh --wait', 'Take the images that the tags mean today'],
      ['tsdocker apply -f blog.yaml -o json | jq -r \'select(.type == "op").id\'', 'Its events, an object a line'],
      ['generate | tsdocker apply -f - --base-dir .', 'Apply from standard input; paths in it start here'],
    ],
    exitCodes: [
      ['0', 'accepted; with --wait: everything is ready, one-shot containers exited 0'],
      ['1', 'rejected, failed, or not ready in time'],
    ],
  });
  manifestOptions(command, 'manifests to apply');
  command.addOption(waitOption('return when everything is ready'));
  command.option('--dry-run', 'print the plan and change nothing');
  command.option('--refresh', 'ask registries and files anew which images are meant, also where nothing was edited');
  command.addOption(outputOption('table', 'json'));
  command.action(context.action((options: ApplyOptions) => run(context, options)));
}

async function run(context: CliContext, options: ApplyOptions): Promise<number> {
  const inputs = requireManifests(await readManifests(context, options));
  await warnOfImports(context, inputs);
  const client = await context.client();
  const how = { dryRun: options.dryRun === true, waitMs: options.wait ?? null, json: options.output === 'json' };
  const refresh = options.refresh === true && { refresh: true };
  return followChange(context, client.apply(inputs, { dryRun: how.dryRun, waitMs: how.waitMs, ...refresh }), how);
}
