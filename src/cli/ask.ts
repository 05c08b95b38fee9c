/** Questions to the person at the terminal. */
import { createInterface } from 'node:readline/promises';
import { Writable } from 'node:stream';
import type { CliContext } from './context.ts';

/** The answer, typed on the terminal that standard input is. @param secret it is not shown */
export async function ask({ streams }: CliContext, question: string, secret: boolean): Promise<string> {
  let silent = false;
  const output = new Writable({
    write(piece: Buffer, _encoding, done) {
      if (!silent) streams.stderr.write(piece);
      done();
    },
  });
  const prompt = createInterface({ input: streams.stdin, output, terminal: true });
  try {
    const answer = prompt.question(question);
    silent = secret;
    return await answer;
  } finally {
    prompt.close();
    if (secret) streams.stderr.write('\n');
  }
}
