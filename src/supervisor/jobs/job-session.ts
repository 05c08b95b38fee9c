/** A job run by name, as a session: its streams go to the requester, its status is the exit code. */
import { PassThrough, type Readable, type Writable } from 'node:stream';
import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { Job } from '../../engine/job.ts';
import type { Sink } from '../../engine/output.ts';
import { TsdError, toTsdError } from '../../model/errors/errors.ts';

/** Begins the job. Any signal cancels it, and so does closing the session before its end; where nothing cancels it, it says so. */
export function openJob(job: Job, stdin: Writable | null): StdioSession {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  job.stdout.add(into(stdout));
  job.stderr.add(into(stderr));
  const exited = job
    .run()
    .catch((thrown) => {
      // A refused job has no status; other jobs report the reason on stderr.
      if (job.began === null) throw thrown;
      const { hint } = toTsdError(thrown);
      if (hint !== '') stderr.write(`hint: ${hint}\n`);
    })
    .then(() => job.status)
    .finally(() => {
      stdout.end();
      stderr.end();
      stdin?.destroy();
    });
  exited.catch(() => {});
  return {
    pid: process.pid,
    stdin,
    stdout,
    stderr,
    exited,
    resize: () => {},
    signal: (signal) => {
      if (job.spec.uncancellable === true) stderr.write(`${job.name} continues: it cannot be cancelled\n`);
      else job.cancel(`cancelled by signal ${signal}`);
    },
    close: () => job.cancel('who asked for it is gone'),
  };
}

/** Holds the job back until the stream takes more; a stream that is gone is an error of the write. */
function into(stream: PassThrough): Sink {
  return (chunk) => {
    if (stream.destroyed) return Promise.reject(gone());
    if (stream.write(chunk)) return undefined;
    return new Promise((resolve, reject) => {
      const done = (): void => {
        stream.off('drain', done).off('close', done);
        if (stream.destroyed) reject(gone());
        else resolve();
      };
      stream.on('drain', done).on('close', done);
    });
  };
}

const gone = (): TsdError => new TsdError('TSD_CALLED_OFF', 'the reader of the output is gone', { hint: '' });

/** Chunks of a stream for a job. */
export async function* chunksOf(stream: Readable): AsyncGenerator<Uint8Array> {
  for await (const chunk of stream) yield chunk as Buffer;
}
