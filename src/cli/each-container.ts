import type { SupervisorClient } from '../api/client.ts';
import { errorFromJson } from '../api/http-errors.ts';
import type { MemberOutcome } from '../api/requests.ts';
import { TsdError } from '../model/errors/errors.ts';
import { isApp } from './apps.ts';
import type { CliContext } from './context.ts';
import { printError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** What to do with one container, and with all of an app where names may be of one. */
interface Acts {
  readonly one: (client: SupervisorClient, name: string) => Promise<unknown>;
  readonly app?: (client: SupervisorClient, app: string) => AsyncIterable<MemberOutcome>;
}

/**
 * Does the same to several containers at once, those of an app for `APP/`, prints each name when it is done, with the word
 * that the act resolves with, and continues when one fails.
 */
export async function forEachContainer(
  context: CliContext,
  names: readonly string[],
  { one, app }: Acts,
): Promise<number> {
  const client = await context.client();
  const failures: unknown[] = [];
  const report = (name: string, word: unknown) => context.print(typeof word === 'string' ? `${name} ${word}` : name);
  const act = async (name: string): Promise<void> => {
    if (app === undefined || !isApp(name)) {
      report(name, await one(client, name));
      return;
    }
    for await (const { name: member, state, error } of app(client, name.slice(0, -1))) {
      if (error === null) report(member, state);
      else failures.push(errorFromJson(error));
    }
  };
  await Promise.all(names.map((name) => act(name).catch((thrown: unknown) => failures.push(thrown))));
  // Without a supervisor there is one thing to say, not one for each name.
  const unreachable = failures.find((failure) => failure instanceof TsdError && failure.code === 'TSD_NO_SUPERVISOR');
  for (const failure of unreachable === undefined ? failures : [unreachable]) printError(context, failure);
  return failures.length > 0 ? EXIT.error : EXIT.ok;
}
