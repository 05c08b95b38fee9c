import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { credentialsFor } from '../../logins.ts';
import { follow } from '../../terminal/follow.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Downloads images from registries, with the logins of your Docker configuration. Declared containers that ' +
      'name the image are recreated when the image has changed.',
    examples: [
      ['tsdocker pull nginx:1.27', 'From Docker Hub'],
      ['tsdocker pull registry.example:5000/team/app', 'The tag latest of another registry'],
      ['tsdocker pull --platform linux/arm64 alpine', 'For another machine'],
    ],
  });
  command.argument('<images...>', 'NAME[:TAG] or NAME@sha256:DIGEST');
  command.option('--platform <os/architecture>', "platform of the image (default: that of the supervisor's machine)");
  command.action(
    context.action(async (images: string[], { platform }: { platform?: string }) => {
      const client = await context.client();
      let exitCode = 0;
      for (const reference of images) {
        const credentials = await credentialsFor(context, reference);
        const events = client.registry.pull({ reference, platform: platform ?? null, credentials });
        exitCode = Math.max(exitCode, await follow(context, events, { mustBeReady: true }));
      }
      return exitCode;
    }),
  );
}
