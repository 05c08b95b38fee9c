import { Command, CommanderError } from 'commander';
import { DEFAULT_SOCKET } from '../api/address.ts';
import { VERSION } from '../api/version.ts';
import { Unanswered } from './ask.ts';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { CliContext, type Streams } from './context.ts';
import { document, hostOption } from './documentation.ts';
import { printError } from './errors.ts';
import { EXIT } from './exit-codes.ts';

/** Runs one command line and resolves with its exit code; nothing is thrown, and the process is not ended. */
export async function runProgram(argv: readonly string[], streams: Streams): Promise<number> {
  const context = new CliContext(streams);
  const program = makeProgram(context);
  const wanted = COMMANDS.find(({ name }) => name === commandWord(argv));
  try {
    if (wanted !== undefined) await configureCommand(program, wanted, context);
    await program.parseAsync(argv, { from: 'user' });
    return context.exitCode;
  } catch (thrown) {
    if (thrown instanceof CommanderError) return thrown.exitCode === 0 ? EXIT.ok : EXIT.usage;
    printError(context, thrown);
    return thrown instanceof Unanswered ? thrown.exitCode : EXIT.error;
  }
}

/** The whole program with every command loaded, for completions and manuals. */
export async function wholeProgram(context: CliContext): Promise<Command> {
  const program = makeProgram(context);
  for (const entry of COMMANDS) await configureCommand(program, entry, context);
  return program;
}

function makeProgram(context: CliContext): Command {
  const { stdout, stderr, env } = context.streams;
  const program = new Command('tsdocker');
  program
    .exitOverride()
    .enablePositionalOptions()
    .configureOutput({
      writeOut: (text) => stdout.write(text),
      writeErr: (text) => stderr.write(text),
      getOutHelpWidth: () => (stdout.isTTY ? (stdout.columns ?? 80) : 100),
      getErrHelpWidth: () => (stderr.isTTY ? (stderr.columns ?? 80) : 100),
      getOutHasColors: () => false,
      getErrHasColors: () => false,
      outputError: (text, write) => write(text.replace(/\n\(Did you mean (.*)\?\)/s, '\nhint: did you mean $1?')),
    });
  document(program, {
    description:
      'Keeps what YAML manifests declare running on this host: images, containers, volumes and networks.\n\n' +
      'Drop manifests into the watched directory of a running supervisor, or hand them over with `tsdocker apply`.',
    examples: [
      ['tsdocker apply -f blog.yaml --wait', 'Bring an app up'],
      ['tsdocker get containers', 'See how it is'],
      ['tsdocker plan', 'See what would be done next, and why'],
      ['tsdocker COMMAND --help', 'Read about a command'],
    ],
    exitCodes: [
      ['0', 'done'],
      ['1', 'error: a line says where and what, a hint says what to do'],
      ['2', 'plan and diff: there is something to do'],
      ['130', 'Ctrl-C at a question; nothing was done'],
      ['N', "exec, attach: the command's own"],
    ],
  });
  program.version(VERSION, '-v, --version', 'print the version of this program').addOption(hostOption());
  for (const { name, group, summary } of COMMANDS) program.command(name).summary(summary).helpGroup(group);
  program.hook('preAction', (_program, command) => {
    const { host } = command.optsWithGlobals<{ host?: string }>();
    context.host = host ?? env.TSDOCKER_HOST ?? `unix://${DEFAULT_SOCKET}`;
  });
  context.wholeProgram = () => wholeProgram(context);
  return program;
}

async function configureCommand(program: Command, entry: CommandEntry, context: CliContext): Promise<void> {
  const command = program.commands.find((known) => known.name() === entry.name);
  if (command === undefined) return;
  const { configure } = await entry.load();
  configure(command, context);
  if (!OFFLINE.includes(entry.name)) command.addOption(hostOption());
}

/** Commands that talk to no supervisor, and the one that is it. */
const OFFLINE: readonly string[] = ['daemon', 'validate', 'convert', 'schema', 'completion'];

/** The first word that is neither an option nor the value of -H; after `help`, the one that follows. */
function commandWord(argv: readonly string[]): string | undefined {
  const words = argv.filter(
    (word, index) => !word.startsWith('-') && !['-H', '--host'].includes(argv[index - 1] ?? ''),
  );
  return words[0] === 'help' ? words[1] : words[0];
}
