/** A start that failed, in the words that clients of Docker look for: they make exit codes of them. */
import { TsdError } from '../../model/errors/errors.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { DockerError } from '../wire/docker-error.ts';

/** How shells report a program that is not there, and one that cannot be executed. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;

const FAILED = 'failed to create task for container: failed to create shim task: OCI runtime create failed';
const UNABLE = 'unable to start container process';

interface Unstartable {
  readonly exitCode: number;
  /** What clients look for. */
  readonly words: string;
}

/** What keeps a program from being executed; null when that is not what failed. @param message of ours */
function unstartable(command: string, message: string): Unstartable | null {
  const program = JSON.stringify(command);
  if (/ is not in the image| which is not in the image|execve \S*: ENOENT|ENOENT.*execve/.test(message)) {
    const what = command.includes('/')
      ? `stat ${command}: no such file or directory`
      : 'executable file not found in $PATH';
    return { exitCode: NOT_FOUND, words: `exec: ${program}: ${what}` };
  }
  if (/is not an executable file|EACCES/.test(message))
    return { exitCode: NOT_EXECUTABLE, words: `exec: ${program}: permission denied` };
  return null;
}

/** Other reasons in Docker's words; null where it has none of its own. */
function knownReason(
  message: string,
  { id, engineName }: Pick<ContainerRecord, 'id' | 'engineName'>,
): DockerError | null {
  const [, kind, name] = /\b(user|group) "([^"]*)" is not in /.exec(message) ?? [];
  if (kind !== undefined) {
    const file = kind === 'user' ? 'passwd' : 'group';
    return new DockerError(400, `unable to find ${kind} ${name}: no matching entries in ${file} file`);
  }
  const [, port] = /\bhost port (\S+)\/\w+ is (?:published|in use) by /.exec(message) ?? [];
  if (port === undefined) return null;
  const where = `driver failed programming external connectivity on endpoint ${engineName} (${id})`;
  return new DockerError(500, `${where}: Bind for ${port} failed: port is already allocated`);
}

/** @param thrown what a start threw @param record of the container after it */
export function startError(thrown: unknown, record: ContainerRecord | undefined): unknown {
  if (!(thrown instanceof TsdError)) return thrown;
  const message = record?.state.startError?.message ?? thrown.message;
  const reason = unstartable(record?.path ?? '', message);
  if (reason !== null)
    return new DockerError(400, `${FAILED}: runc create failed: ${UNABLE}: ${reason.words}: unknown (${message})`);
  return (record && knownReason(message, record)) ?? thrown;
}

/** The same for a program that is run in a container. */
export function execError(command: string, thrown: unknown): { readonly exitCode: number; readonly message: string } {
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const reason = unstartable(command, message);
  if (reason === null) return { exitCode: NOT_EXECUTABLE, message };
  const words = `OCI runtime exec failed: exec failed: ${UNABLE}: ${reason.words}: unknown`;
  return { exitCode: reason.exitCode, message: words };
}
