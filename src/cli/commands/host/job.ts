import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { collect } from '../../options.ts';
import { copyOutput } from '../../terminal/session.ts';
import { connectTerminal } from '../../terminal/terminal.ts';

interface JobOptions {
  readonly env?: readonly string[];
  readonly interactive?: boolean;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Runs a job of the supervisor by its name, with its arguments and environment, and exits with its status. Standard ' +
      'input goes to the job unless it is a terminal; with -i then, too. Ctrl-C cancels the job, a second one leaves it.\n\n' +
      'Behind the name, what is no option of this command is an argument of the job; behind `--` everything is.\n\n' +
      '`tsdocker jobs` lists all jobs, docs/jobs.md their variables, input and output.',
    examples: [
      ['tsdocker job version', 'One line of JSON'],
      ['tsdocker job stop blog/web --env timeoutMs=500', 'What `tsdocker stop -t 0.5 blog/web` asks for'],
      [
        "(echo 'app: blog'; cat blog.yaml) | tsdocker job apply --env waitMs=60000",
        'A manifest on standard input names its app itself',
      ],
      ['tsdocker job exec blog/web -- ls --help', 'What begins with - and is an option here goes behind --'],
    ],
    exitCodes: [
      ['N', "the job's own status: 0 done, 1 error"],
      ['127', 'no job has this name'],
    ],
  });
  command.addArgument(new Argument('<name>', 'name of the job').completes('jobs'));
  command.argument('[args...]', 'arguments of the job').keepUnknownOptions();
  command.option('--env <variable>', 'K=V, or K to take its value from here; repeatable', collect);
  command.option('-i, --interactive', 'read standard input also from a terminal');
  command.action(
    context.action((name: string, args: string[], options: JobOptions) => run(context, name, args, options)),
  );
}

async function run(context: CliContext, name: string, args: readonly string[], options: JobOptions): Promise<number> {
  const { stdin } = context.streams;
  const client = await context.client();
  const isFed = options.interactive === true || stdin.isTTY !== true;
  const session = await client.job(name, { args, env: variables(context, options.env ?? []), stdin: isFed });
  const disconnect = connectTerminal(context.streams, session, { tty: false, signals: SIGNALS });
  const forget = leaveAtSecond();
  try {
    return await copyOutput(session, context.streams);
  } finally {
    forget();
    disconnect();
    session.close();
  }
}

function variables(context: CliContext, given: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(
    given.flatMap((variable) => {
      const at = variable.indexOf('=');
      if (at !== -1) return [[variable.slice(0, at), variable.slice(at + 1)]];
      const value = context.streams.env[variable];
      return value === undefined ? [] : [[variable, value]];
    }),
  );
}

const SIGNALS: readonly NodeJS.Signals[] = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'];

/** The first signal goes to the job, which may take its time to end; the second does not wait for that. */
function leaveAtSecond(): () => void {
  let count = 0;
  const note = (): void => {
    count++;
    if (count > 1) process.exit(EXIT.interrupted);
  };
  for (const name of SIGNALS) process.on(name, note);
  return () => {
    for (const name of SIGNALS) process.off(name, note);
  };
}
