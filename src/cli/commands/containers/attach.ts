import type { AttachedSession } from '../../../drivers/contract/exec.ts';
import { Argument, type Command, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printError } from '../../errors.ts';
import { DetachFilter, detachKeysArgument } from '../../terminal/detach-keys.ts';
import { copyOutput } from '../../terminal/session.ts';
import { ALL_SIGNALS, connectTerminal, requireTerminal } from '../../terminal/terminal.ts';

interface AttachOptions {
  readonly stdin: boolean;
  readonly sigProxy: boolean;
  readonly detachKeys: Buffer;
}

const SUPERVISOR_FAILED = 125;
/** The loss of our own terminal is not the container's business. */
const FORWARDED = ALL_SIGNALS.filter((name) => name !== 'SIGHUP');

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Connects to the standard input and output of a running container, from now on, and exits with its exit code when it ' +
      'ends. `tsdocker logs` has its earlier output; `tsdocker exec` runs a second program in it.\n\n' +
      'Input goes to a container with `stdin: true` or `tty: true` in its manifest, and stays open there when ours ' +
      'ends. A container with a terminal gets every key; the detach keys leave it and the container keeps running. ' +
      'Without a terminal, signals (Ctrl-C) are passed on. The container never waits for a client: a slow reader is ' +
      'disconnected.',
    examples: [
      ['tsdocker attach blog/console', 'Use the terminal of a container; Ctrl-P Ctrl-Q leaves it'],
      ['tsdocker attach --no-stdin --no-sig-proxy web', 'Watch only; Ctrl-C leaves'],
      ['echo reload | tsdocker attach worker', 'Send a line and stay to see the result'],
      ['tsdocker attach --detach-keys ctrl-a,d console', 'Leave with other keys'],
    ],
    exitCodes: [
      ['N', "the container's own exit code, 128 + signal when it was killed"],
      ['0', 'also when left with the detach keys'],
      ['125', 'tsdocker itself failed, for example the container is not running'],
    ],
  });
  command.addArgument(new Argument('<container>', 'NAME or APP/NAME').completes('container'));
  command.option('--no-stdin', 'send no input');
  command.option('--no-sig-proxy', 'signals end this command instead of going to the container');
  command.addOption(
    new Option('--detach-keys <keys>', 'keys that leave a terminal, with commas between; empty for none')
      .argParser(detachKeysArgument)
      .default(detachKeysArgument('ctrl-p,ctrl-q'), 'ctrl-p,ctrl-q'),
  );
  command.action(context.action((name: string, options: AttachOptions) => run(context, name, options)));
}

async function run(context: CliContext, name: string, options: AttachOptions): Promise<number> {
  try {
    const client = await context.client();
    const session = await client.attach(name, { stdin: options.stdin });
    try {
      return await attend(context, name, session, options);
    } finally {
      session.close();
    }
  } catch (thrown) {
    printError(context, thrown);
    return SUPERVISOR_FAILED;
  }
}

async function attend(
  context: CliContext,
  name: string,
  session: AttachedSession,
  options: AttachOptions,
): Promise<number> {
  const { streams } = context;
  const { tty } = session;
  if (tty && session.stdin !== null) {
    requireTerminal(streams, 'The container has a terminal; use --no-stdin to see what it writes.');
  }
  // Without a terminal in the container these keys may be data.
  const filter = new DetachFilter(tty ? options.detachKeys : Buffer.alloc(0));
  const signals = options.sigProxy && !tty ? FORWARDED : [];
  const disconnect = connectTerminal(streams, session, { tty, signals, filter, redraw: true });
  try {
    const exitCode = await Promise.race([copyOutput(session, streams), filter.detached()]);
    if (exitCode !== undefined) return exitCode;
  } finally {
    disconnect();
  }
  context.warn(`\ndetached; ${name} keeps running`);
  return 0;
}
