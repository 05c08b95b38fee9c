/** Processes of a container, as ps(1) of the host shows them. */
import { execFile } from 'node:child_process';
import { DockerError } from '../wire/docker-error.ts';

const DEFAULT_ARGS = '-ef';
const MAX_BYTES = 16 * 1024 * 1024;

export interface Processes {
  readonly Titles: readonly string[];
  readonly Processes: readonly (readonly string[])[];
}

const fieldsOf = (line: string): string[] => line.trim().split(/\s+/);

/** Lines of processes among `pids`; the last column may have spaces. @throws DockerError without a column of numbers */
function processesOf(output: string, pids: ReadonlySet<number>): Processes {
  const [head = '', ...lines] = output.split('\n');
  const titles = fieldsOf(head);
  const column = titles.indexOf('PID');
  if (column === -1) throw new DockerError(500, "Couldn't find PID field in ps output");
  const found = lines.flatMap((line) => {
    const fields = fieldsOf(line);
    if (!pids.has(Number(fields[column]))) return [];
    const last = titles.length - 1;
    return [[...fields.slice(0, last), fields.slice(last).join(' ')]];
  });
  return { Titles: titles, Processes: found };
}

/** @param args as a client gives them; empty for the usual ones @throws DockerError with the words of ps */
export function processesIn(pids: readonly number[], args: string): Promise<Processes> {
  const words = fieldsOf(args === '' ? DEFAULT_ARGS : args);
  return new Promise((resolve, reject) => {
    execFile(
      'ps',
      words,
      { maxBuffer: MAX_BYTES, env: { PATH: process.env.PATH, LC_ALL: 'C' } },
      (error, stdout, stderr) => {
        try {
          if (error !== null) throw new DockerError(500, `ps: ${stderr.split('\n')[0] || error.message}`);
          resolve(processesOf(stdout, new Set(pids)));
        } catch (thrown) {
          reject(thrown);
        }
      },
    );
  });
}
