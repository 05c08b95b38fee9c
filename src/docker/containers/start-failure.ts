/** A start that failed, in the words that clients of Docker look for: they make exit codes of them. Pure. */
import type { ContainerRecord } from '../../state/containers/container-record.ts';

/** How shells report a program that is not there, and one that cannot be executed; and Docker what has another reason. */
const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const NOT_STARTED = 128;

const FAILED = 'failed to create task for container: failed to create shim task: OCI runtime create failed';
export const UNABLE = 'unable to start container process';

export interface StartFailure {
  /** Of the answer to a client. */
  readonly status: number;
  readonly exitCode: number;
  readonly message: string;
}

interface Unstartable {
  readonly exitCode: number;
  /** What clients look for. */
  readonly words: string;
}

/** What keeps a program from being executed; null when that is not what failed. @param message of ours */
export function unstartable(command: string, message: string): Unstartable | null {
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

/** Docker's words for a port of the host that somebody has; null when that is not what failed. */
function portTaken({ engineName, id }: Pick<ContainerRecord, 'engineName' | 'id'>, message: string): string | null {
  const [, address, port, protocol, how] =
    /host port (\S+):(\d+)\/(tcp|udp|sctp) is (published|in use) by /.exec(message) ?? [];
  if (address === undefined || port === undefined || protocol === undefined) return null;
  const bind = `${address}:${port}`;
  const listen = `listen ${protocol}${address.startsWith('[') ? '6' : '4'} ${bind}`;
  const reason =
    how === 'published'
      ? `Bind for ${bind} failed: port is already allocated`
      : `Error starting userland proxy: ${listen}: bind: address already in use`;
  return `driver failed programming external connectivity on endpoint ${engineName} (${id}): ${reason}`;
}

/** As Docker reports whom the image does not know. */
function unknownUser(message: string): string | null {
  const [, kind, name, file] =
    /\b(user|group) "(.*?)" is not in \/etc\/(passwd|group) of the image/.exec(message) ?? [];
  return kind === undefined ? null : `unable to find ${kind} ${name}: no matching entries in ${file} file`;
}

/** @param message of ours, which tells where the program was looked for, and stands for what Docker has no words for */
export function startFailure(
  record: Pick<ContainerRecord, 'engineName' | 'id' | 'path'>,
  message: string,
): StartFailure {
  const reason = unstartable(record.path, message);
  if (reason !== null) {
    const text = `${FAILED}: runc create failed: ${UNABLE}: ${reason.words}: unknown (${message})`;
    return { status: 400, exitCode: reason.exitCode, message: text };
  }
  const words = portTaken(record, message) ?? unknownUser(message) ?? message;
  return { status: 500, exitCode: NOT_STARTED, message: words };
}
