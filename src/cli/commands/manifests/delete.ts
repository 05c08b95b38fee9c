import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { type ManifestOptions, readManifests } from '../../input.ts';
import { manifestOptions, resourceArgument, waitOption } from '../../options.ts';
import { follow } from '../../terminal/follow.ts';

interface DeleteOptions extends ManifestOptions {
  readonly all?: boolean;
  readonly wait?: number;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Deletes applied manifests, or single resources by name, and removes their containers and networks.\n\n' +
      'Volumes are kept unless their manifest says `onRemove: delete`, which still waits for `tsdocker approve`. ' +
      'A single resource is removed from the stored manifest; applying the file again restores it. ' +
      'Resources of the watched directory cannot be deleted here: edit or remove the file.',
    examples: [
      ['tsdocker delete -f blog.yaml', 'Delete the resources of this file'],
      ['tsdocker delete container/blog/web volume/data', 'Remove a container of the app blog, and a volume'],
      ['tsdocker delete --all --wait=1m', 'Delete everything that was applied, and wait until it is removed'],
    ],
  });
  command.addArgument(
    new Argument('[resources...]', 'KIND/NAME or KIND/APP/NAME; a NAME alone is a container').completes('resources'),
  );
  manifestOptions(command, 'delete these manifests');
  command.option('--all', 'delete all applied manifests');
  command.addOption(waitOption('return when everything is removed'));
  command.action(context.action((words: string[], options: DeleteOptions) => runDelete(context, words, options)));
}

export async function runDelete(
  context: CliContext,
  words: readonly string[],
  options: DeleteOptions,
): Promise<number> {
  const files = await readManifests(context, options);
  if (files.length === 0 && words.length === 0 && options.all !== true) {
    throw new TsdError('TSD_BAD_REQUEST', 'nothing to delete was named', { hint: 'Name KIND/NAME, -f FILE or --all.' });
  }
  const client = await context.client();
  const waitMs = options.wait ?? null;
  const resources = words.map((word) => {
    const { kind, name } = resourceArgument([word]);
    return { kind, name };
  });
  const events = client.remove({ files, resources, all: options.all === true, waitMs });
  return follow(context, events, { mustBeReady: waitMs !== null, done: 'removed' });
}
