/** Questions to the person at the terminal. */
import { Writable } from 'node:stream';
import { TsdError } from '../../model/errors/errors.ts';
import type { CliContext } from '../context.ts';
import { EXIT } from '../exit-codes.ts';

/** The question was not answered: Ctrl-C or the end of the input. */
export class Unanswered extends TsdError {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super('TSD_BAD_REQUEST', 'there was no answer, and nothing was done', { hint: '' });
    this.exitCode = exitCode;
  }
}

/**
 * The answer, typed on the terminal that standard input is.
 * @param secret it is not shown
 * @throws Unanswered
 */
export async function ask({ streams }: CliContext, question: string, secret: boolean): Promise<string> {
  let silent = false;
  const output = new Writable({
    write(piece: Buffer, _encoding, done) {
      if (!silent) streams.stderr.write(piece);
      done();
    },
  });
  // Loaded when a question is asked; the program runs as a script that has no import().
  const { createInterface } = process.getBuiltinModule('node:readline');
  const prompt = createInterface({ input: streams.stdin, output, terminal: true });
  let answered = false;
  try {
    return await new Promise<string>((resolve, reject) => {
      prompt.once('SIGINT', () => reject(new Unanswered(EXIT.interrupted)));
      prompt.once('close', () => reject(new Unanswered(EXIT.error)));
      prompt.question(question, (answer) => {
        answered = true;
        resolve(answer);
      });
      silent = secret;
    });
  } finally {
    prompt.close();
    // Later output begins on a new line.
    if (secret || !answered) streams.stderr.write('\n');
  }
}

/** True for a yes; anything else is a no. @throws Unanswered */
export async function confirmed(context: CliContext, question: string): Promise<boolean> {
  return /^y(es)?$/i.test((await ask(context, `${question} [y/N] `, false)).trim());
}
