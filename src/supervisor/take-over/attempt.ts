import { describeError, toTsdError } from '../../model/errors/errors.ts';

export type Attempt = (what: string, work: () => void) => void;

/** Logs what fails and continues with the rest. */
export function attempting({ onProblem }: { readonly onProblem: (text: string) => void }): Attempt {
  return (what, work) => {
    try {
      work();
    } catch (error) {
      onProblem(`${what}: ${describeError(toTsdError(error))}`);
    }
  };
}
