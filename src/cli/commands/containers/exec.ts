import { constants } from 'node:os';
import type { StdioSession } from '../../../drivers/contract/exec.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printError } from '../../errors.ts';
import { collect } from '../../options.ts';
import { copyOutput } from '../../terminal/session.ts';
import { ALL_SIGNALS, connectTerminal, requireTerminal } from '../../terminal/terminal.ts';

interface ExecOptions {
  readonly interactive?: boolean;
  readonly tty?: boolean;
  readonly env?: readonly string[];
  readonly workdir?: string;
  readonly user: string;
}

const SUPERVISOR_FAILED = 125;
const CANNOT_INVOKE = 126;
const COMMAND_NOT_FOUND = 127;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Runs a command inside a running container, in its namespaces and limits, and exits with its exit code.\n\n' +
      'Options after the container belong to the command. Signals that reach this process are passed on; with -t the ' +
      'terminal belongs to the command, which gets Ctrl-C.',
    examples: [
      ['tsdocker exec -it web sh', 'A shell in a container'],
      ['tsdocker exec -u postgres db pg_dump app > app.sql', 'Run as another user; only the dump goes to the file'],
      ['tsdocker exec -i db psql < schema.sql', 'Feed standard input'],
      ['tsdocker exec -e DEBUG=1 -w /srv blog/web -- ls -la', 'Environment and working directory'],
    ],
    exitCodes: [
      ['N', "the command's own exit code, 128 + signal when it was killed"],
      ['125', 'tsdocker itself failed, for example the container is not running'],
      ['126', 'the command cannot be invoked'],
      ['127', 'the command is not in the container'],
    ],
  });
  command.addArgument(new Argument('<container>', 'NAME or APP/NAME').completes('container'));
  command.argument('<command...>', 'what to run, with its arguments');
  command.option('-i, --interactive', 'connect standard input');
  command.option('-t, --tty', 'give the command a terminal; ours must be one when -i is given');
  command.option('-e, --env <variable>', 'K=V, or K to take its value from here; repeatable', collect);
  command.option('-w, --workdir <dir>', 'working directory in the container (default: that of the container)');
  command.option('-u, --user <user>', 'USER[:GROUP] by name or number (default: that of the container)', '');
  command.passThroughOptions();
  command.action(
    context.action((name: string, words: string[], options: ExecOptions) => {
      // Arguments after the container are passed on unchanged, also `--`.
      const argv = words[0] === '--' ? words.slice(1) : words;
      return run(context, name, argv, options);
    }),
  );
}

async function run(context: CliContext, name: string, argv: readonly string[], options: ExecOptions): Promise<number> {
  try {
    if (options.tty === true && options.interactive === true) {
      requireTerminal(context.streams, 'Leave out -t when input is a pipe or a file.');
    }
    const client = await context.client();
    const session = await client.exec(name, {
      argv,
      env: environment(context, options),
      cwd: options.workdir ?? null,
      user: options.user,
      tty: options.tty === true,
      stdin: options.interactive === true,
    });
    return await attend(context, session, options);
  } catch (thrown) {
    printError(context, thrown);
    return exitCodeOf(thrown);
  }
}

function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof TsdError)) return SUPERVISOR_FAILED;
  if (thrown.code === 'TSD_COMMAND_NOT_FOUND') {
    return thrown.errno === constants.errno.EACCES ? CANNOT_INVOKE : COMMAND_NOT_FOUND;
  }
  return SUPERVISOR_FAILED;
}

/** `K` alone takes its value from here and is left out when it has none. TERM comes along with a terminal. */
function environment(context: CliContext, options: ExecOptions): readonly string[] {
  const { env } = context.streams;
  const given = (options.env ?? []).flatMap((variable) => {
    if (variable.includes('=')) return [variable];
    const value = env[variable];
    return value === undefined ? [] : [`${variable}=${value}`];
  });
  const term = options.tty === true && env.TERM !== undefined ? [`TERM=${env.TERM}`] : [];
  return [...term, ...given];
}

async function attend(context: CliContext, session: StdioSession, options: ExecOptions): Promise<number> {
  const disconnect = connectTerminal(context.streams, session, { tty: options.tty === true, signals: ALL_SIGNALS });
  try {
    return await copyOutput(session, context.streams);
  } finally {
    disconnect();
    session.close();
  }
}
