import { TsdError, toTsdError } from '../../model/errors/errors.ts';

/** Runs every step, even after a failure. @throws TsdError of the first failure, with all of them as cause. */
export function collectErrors(step: string, actions: readonly (() => void)[]): void {
  const failures: TsdError[] = [];
  for (const action of actions) {
    try {
      action();
    } catch (error) {
      failures.push(toTsdError(error));
    }
  }
  const [first] = failures;
  if (first === undefined) return;
  const cause = new AggregateError(failures, failures.map(({ message }) => message).join('; '));
  throw new TsdError(first.code, cause.message, { class: first.class, errno: first.errno, step, cause });
}
