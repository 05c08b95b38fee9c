import { resolve } from 'node:path';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { collect } from '../../options.ts';
import { follow } from '../../terminal/follow.ts';

interface ImportOptions {
  readonly change?: readonly string[];
  readonly message: string;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Creates an image with one layer from the tar of a root filesystem, plain or compressed, as `tsdocker export` writes it. ' +
      'The supervisor reads the file, so it must be on its host.',
    examples: [
      ['tsdocker import rootfs.tar.gz base:1', 'An image from a tarball'],
      [
        "tsdocker import app.tar app -c 'CMD [\"/bin/app\"]' -c 'ENV MODE=production'",
        'Set its command and environment',
      ],
    ],
  });
  command.argument('<file>', 'tar of a root filesystem');
  command.argument('[name]', 'REPOSITORY[:TAG] of the image');
  command.option('-c, --change <instruction>', 'Dockerfile instruction for the configuration; repeatable', collect);
  command.option('-m, --message <text>', 'comment in the history of the image', '');
  command.action(
    context.action(async (file: string, name: string | undefined, { change, message }: ImportOptions) => {
      const client = await context.client();
      const path = resolve(context.streams.cwd, file);
      const request = { path, name: name ?? '', changes: change ?? [], message };
      return follow(context, client.imageFiles.import(request), { mustBeReady: true });
    }),
  );
}
