import { resolve } from 'node:path';
import type { SaveRequest } from '../../../api/images/image-files.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { follow } from '../../terminal/follow.ts';

interface SaveOptions {
  readonly output: string;
  readonly format: SaveRequest['format'];
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Writes images into an archive or a directory that `tsdocker load`, `docker load` and OCI tools read. The bytes of layers do not ' +
      'change, so the images keep their ids.\n\n' +
      'A repository without a tag means all its tags. The supervisor writes the file, so it appears on its host; an ' +
      'existing file is replaced once the new one is complete. A directory (oci-layout) must be new or empty.',
    examples: [
      ['tsdocker save -o app.tar app:v1', 'One image, for docker load'],
      ['tsdocker save --format oci -o all.tar app:v1 db', 'Several images as an OCI layout in a tar'],
      ['tsdocker save --format oci-layout -o ./layout app:v1', 'An OCI layout directory, for umoci or skopeo'],
    ],
  });
  command.addArgument(new Argument('<images...>', 'REPOSITORY[:TAG], or the beginning of an id').completes('images'));
  command.requiredOption('-o, --output <path>', 'archive or directory to write');
  command.addOption(
    new Option('--format <format>', 'format of the output').choices(['docker', 'oci', 'oci-layout']).default('docker'),
  );
  command.action(
    context.action(async (images: string[], { output, format }: SaveOptions) => {
      const client = await context.client();
      const path = resolve(context.streams.cwd, output);
      return follow(context, client.imageFiles.save({ images, path, format }), { mustBeReady: true });
    }),
  );
}
