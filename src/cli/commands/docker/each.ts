/** Does the same to several objects, as Docker's commands do: each name is printed when it is done, and one that fails keeps none back. */
import type { DockerClient } from '../../../api/docker/client.ts';
import type { CliContext } from '../../context.ts';
import { printError } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';

export async function each(
  context: CliContext,
  names: readonly string[],
  act: (docker: DockerClient, name: string) => Promise<unknown>,
): Promise<number> {
  const docker = await context.docker();
  let exitCode: number = EXIT.ok;
  for (const name of names) {
    try {
      await act(docker, name);
      context.print(name);
    } catch (thrown) {
      printError(context, thrown);
      exitCode = EXIT.error;
    }
  }
  return exitCode;
}
