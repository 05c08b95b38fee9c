import { DEFAULT_SOCKET } from '../api/address.ts';
import { VERSION } from '../api/version.ts';
import { closest } from '../model/text/suggest.ts';
import { Command, type DeclaredCommand, Option } from './command-line/command.ts';
import { helpPage, type Section } from './command-line/help.ts';
import { type OptionValues, type Parsed, parseCommand, readOptions, UsageError } from './command-line/parse.ts';
import { COMMANDS, type CommandEntry } from './commands.ts';
import { CliContext, type Output, type Streams } from './context.ts';
import { document, hostOption } from './documentation.ts';
import { printError, printUsageError } from './errors.ts';
import { EXIT } from './exit-codes.ts';
import { meaningOf } from './meanings.ts';
import { Unanswered } from './terminal/ask.ts';

/** Runs one command line and resolves with its exit code; nothing is thrown, and the process is not ended. */
export async function runProgram(argv: readonly string[], streams: Streams): Promise<number> {
  const context = new CliContext(streams);
  try {
    return await run(context, argv);
  } catch (thrown) {
    if (thrown instanceof UsageError) {
      printUsageError(context, thrown);
      return EXIT.usage;
    }
    printError(context, thrown);
    return thrown instanceof Unanswered ? thrown.exitCode : EXIT.error;
  }
}

async function run(context: CliContext, argv: readonly string[]): Promise<number> {
  const program = declareProgram();
  context.allCommands = () => declaredCommands(context);
  if (argv.some((word) => word === '-d' || word === '--daemon')) {
    const { daemonWords } = await import('./daemon-mode.ts');
    const words = daemonWords(argv);
    if (words !== null) {
      await runCommand(context, entryOf('daemon', words), words, {});
      return context.exitCode;
    }
  }
  const { options, operands, help } = readOptions(program.options, argv, 'operand');
  const [word, ...rest] = operands;
  if (options.version === true) context.print(VERSION);
  else if (help || (word === 'help' && (rest[0] ?? 'help') === 'help'))
    context.print(programPage(program, context.streams.stdout));
  else if (word === undefined) {
    context.warn(programPage(program, context.streams.stderr).trimEnd());
    return EXIT.usage;
  } else if (word === 'help') await runCommand(context, entryOf(rest[0] as string, rest.slice(1)), ['--help'], options);
  else await runCommand(context, entryOf(word, rest), rest, options);
  return context.exitCode;
}

/** @throws UsageError for a word that is no command */
function entryOf(word: string, following: readonly string[]): CommandEntry {
  const entry = COMMANDS.find(({ name }) => name === word);
  if (entry !== undefined) return entry;
  const near = closest(word, [...COMMANDS.map(({ name }) => name), 'help']);
  const alike = near === undefined ? '`tsdocker --help` lists the commands.' : `did you mean \`tsdocker ${near}\`?`;
  throw new UsageError(`unknown command '${word}'`, meaningOf([word, ...following]) ?? alike);
}

async function runCommand(
  context: CliContext,
  entry: CommandEntry,
  argv: readonly string[],
  given: OptionValues,
): Promise<void> {
  const { streams } = context;
  const command = declare(entry, context);
  const parsed = parseWords(command, argv);
  if (parsed.help) {
    context.print(helpPage(command, `tsdocker ${command.usage}`, pageWidth(streams.stdout)));
    return;
  }
  const host = parsed.options.host ?? given.host;
  context.host = typeof host === 'string' ? host : (streams.env.TSDOCKER_HOST ?? `unix://${DEFAULT_SOCKET}`);
  await command.run(...parsed.args, parsed.options);
}

/** @throws UsageError with a hint, be it where to read on */
function parseWords(command: Command, argv: readonly string[]): Parsed {
  try {
    return parseCommand(command, argv);
  } catch (thrown) {
    if (!(thrown instanceof UsageError) || thrown.hint !== '') throw thrown;
    const hint = `\`tsdocker ${command.name} --help\` shows its arguments.`;
    throw new UsageError(thrown.message, meaningOf([command.name, ...argv]) ?? hint);
  }
}

/** A command as it declares itself. */
function declare({ name, configure }: CommandEntry, context: CliContext): Command {
  const command = new Command(name);
  configure(command, context);
  return OFFLINE.includes(name) ? command : command.addOption(hostOption());
}

/** Every command with its declaration, for completions and manuals. */
export function declaredCommands(context: CliContext): readonly DeclaredCommand[] {
  return COMMANDS.map((entry) => ({ name: entry.name, summary: entry.summary, command: declare(entry, context) }));
}

/** The program as it declares itself. */
export function declareProgram(): Command {
  const program = document(new Command('tsdocker'), {
    description:
      'Keeps the resources of YAML manifests running on this host: images, containers, volumes and networks.\n\n' +
      'Drop manifests into the watched directory of a running supervisor, or apply them with `tsdocker apply`.',
    examples: [
      ['tsdocker apply -f blog.yaml --wait', 'Bring an app up'],
      ['tsdocker get containers', 'See the state of containers'],
      ['tsdocker plan', 'See the next operations and their causes'],
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
  program.addOption(new Option('-v, --version', 'print the version of this program'));
  return program.addOption(hostOption());
}

function programPage(program: Command, output: Output): string {
  const groups = new Map<string, (readonly [string, string])[]>();
  for (const { name, group, summary } of COMMANDS) groups.set(group, [...(groups.get(group) ?? []), [name, summary]]);
  const sections: Section[] = [...groups].map(([title, rows]) => ({ title, rows }));
  sections.push({ title: 'Commands', rows: [['help [command]', 'display help for command']] });
  return helpPage(program, 'tsdocker [options] [command]', pageWidth(output), sections);
}

const pageWidth = ({ isTTY, columns }: Output): number => (isTTY === true ? (columns ?? 80) : 100);

/** Commands that talk to no supervisor, and the one that is it. */
const OFFLINE: readonly string[] = ['daemon', 'validate', 'convert', 'schema', 'completion'];
