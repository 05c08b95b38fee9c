import type { SupervisorClient } from '../api/client.ts';
import { TsdError } from '../model/errors.ts';
import type { CliContext } from './context.ts';
import { printError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/**
 * Does the same to several containers at once, prints each name when it is done, with the word that the act resolves with,
 * and goes on when one fails.
 */
export async function forEachContainer(
  context: CliContext,
  names: readonly string[],
  act: (client: SupervisorClient, name: string) => Promise<unknown>,
): Promise<number> {
  const client = await context.client();
  const results = await Promise.allSettled(
    names.map(async (name) => {
      const word = await act(client, name);
      context.print(typeof word === 'string' ? `${name} ${word}` : name);
    }),
  );
  const failures = results.flatMap((result) => (result.status === 'rejected' ? [result.reason as unknown] : []));
  // Without a supervisor there is one thing to say, not one for each name.
  const unreachable = failures.find((failure) => failure instanceof TsdError && failure.code === 'TSD_NO_SUPERVISOR');
  for (const failure of unreachable === undefined ? failures : [unreachable]) printError(context, failure);
  return failures.length > 0 ? EXIT.error : EXIT.ok;
}
