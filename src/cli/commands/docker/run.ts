import { constants } from 'node:os';
import type { DockerClient } from '../../../api/docker/client.ts';
import { objectPath } from '../../../api/docker/paths.ts';
import type { StdioSession } from '../../../drivers/contract/exec.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printError } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';
import { copyOutput } from '../../terminal/session.ts';
import { ALL_SIGNALS, connectTerminal, requireTerminal } from '../../terminal/terminal.ts';
import { type CreateOptions, createOptions } from './create-options.ts';
import { createContainer } from './creation.ts';

interface RunOptions extends CreateOptions {
  readonly detach?: boolean;
  readonly sigProxy: boolean;
}

const SUPERVISOR_FAILED = 125;
const CANNOT_INVOKE = 126;
const COMMAND_NOT_FOUND = 127;

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Makes a container and starts it: in the foreground, with its output here and its exit code, or with -d in the ' +
      'background. Options after the image belong to its command.\n\n' +
      'The supervisor keeps it as it keeps what manifests declare: it survives the supervisor, and --restart says when it is ' +
      'started again. For what is to stay, a manifest is the better place.',
    examples: [
      ['tsdocker run --rm -it debian bash', 'A shell that leaves nothing behind'],
      ['tsdocker run -d --name web -p 8080:80 --restart always nginx', 'A server'],
      ['tsdocker run --rm -v "$PWD:/src" -w /src node npm test', 'A program on the files of this directory'],
    ],
    exitCodes: [
      ['N', "the container's own exit code, 128 + signal when it was killed"],
      ['0', 'also when it was started with -d'],
      ['125', 'tsdocker itself failed, for example there is no such image'],
      ['126', 'the command cannot be invoked'],
      ['127', 'the command is not in the container'],
    ],
  });
  command.argument('<image>', 'its image; pulled where this host has none');
  command.argument('[command...]', "in place of the image's");
  command.option('-d, --detach', 'in the background: print its id');
  command.option('--no-sig-proxy', 'signals end this command instead of going to the container');
  createOptions(command);
  command.action(
    context.action((image: string, words: string[], options: RunOptions) => run(context, [image, ...words], options)),
  );
}

async function run(context: CliContext, words: readonly string[], options: RunOptions): Promise<number> {
  try {
    const { detach = false, interactive = false, tty = false } = options;
    if (!detach && interactive && tty) requireTerminal(context.streams, 'Leave out -t when input is a pipe or a file.');
    const id = await createContainer(context, words, options, !detach);
    const docker = await context.docker();
    if (!detach) return await foreground(context, docker, id, options);
    await start(docker, id, options);
    context.print(id);
    return EXIT.ok;
  } catch (thrown) {
    printError(context, thrown);
    return exitCodeOf(thrown);
  }
}

/** One that cannot be started and is to leave nothing is removed. */
async function start(docker: DockerClient, id: string, { rm = false }: RunOptions): Promise<void> {
  try {
    await docker.post(objectPath('containers', id, '/start'));
  } catch (thrown) {
    if (rm) await docker.delete(objectPath('containers', id), { force: true }).catch(() => undefined);
    throw thrown;
  }
}

async function foreground(context: CliContext, docker: DockerClient, id: string, options: RunOptions): Promise<number> {
  const { interactive = false, tty = false, rm = false } = options;
  const wanted = { stream: 1, stdin: interactive ? 1 : 0, stdout: 1, stderr: 1 };
  const streams = await docker.attach(id, wanted, tty);
  const left = new AbortController();
  const ended = docker.exitCode(id, rm ? 'removed' : 'next-exit', left.signal);
  // A failed start says why; that nothing ended then is no news.
  ended.catch(() => undefined);
  const session: StdioSession = {
    pid: 0,
    ...streams,
    stdin: interactive ? streams.stdin : null,
    resize: (h, w) => void docker.post(objectPath('containers', id, '/resize'), { h, w }).catch(() => undefined),
    signal: (signal) => void docker.post(objectPath('containers', id, '/kill'), { signal }).catch(() => undefined),
    exited: ended,
  };
  let disconnect = (): void => {};
  try {
    await start(docker, id, options);
    const signals = options.sigProxy ? ALL_SIGNALS : [];
    disconnect = connectTerminal(context.streams, session, { tty, signals });
    return await copyOutput(session, context.streams);
  } finally {
    disconnect();
    session.close();
    left.abort();
  }
}

function exitCodeOf(thrown: unknown): number {
  if (!(thrown instanceof TsdError)) return SUPERVISOR_FAILED;
  if (/permission denied/i.test(thrown.message) || thrown.errno === constants.errno.EACCES) return CANNOT_INVOKE;
  return /executable file not found|no such file or directory/i.test(thrown.message)
    ? COMMAND_NOT_FOUND
    : SUPERVISOR_FAILED;
}
