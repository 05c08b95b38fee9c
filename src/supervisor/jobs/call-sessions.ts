/** Sessions with payloads that jobs give: to typed code, and on the streams of the job. */
import { once } from 'node:events';
import type { Readable, Writable } from 'node:stream';
import type { AttachedSession, StdioSession } from '../../drivers/contract/exec.ts';
import type { Job } from '../../engine/job.ts';
import type { Output } from '../../engine/output.ts';
import { deferred } from './call-streams.ts';

const SIGHUP = 1;

export type Session = StdioSession & Partial<Pick<AttachedSession, 'tty'>>;

/**
 * Connects a session to the streams of its job, until that is cancelled. Resolves with the exit code.
 * @param hangUp the payload is the job's alone: it gets SIGHUP when the job is cancelled
 */
export async function writeSession(job: Job, session: StdioSession, hangUp: boolean): Promise<number> {
  const leave = (): void => {
    if (hangUp) session.signal(SIGHUP);
    session.stdout.destroy();
    session.stderr.destroy();
    session.close();
  };
  if (job.signal.aborted) leave();
  else job.signal.addEventListener('abort', leave, { once: true });
  try {
    if (session.stdin !== null) void feed(job, session.stdin).catch(() => {});
    await Promise.all([copy(session.stdout, job.stdout), copy(session.stderr, job.stderr)]);
    return await session.exited;
  } catch (thrown) {
    // Streams that were closed for the cancellation fail with an error of their own.
    job.signal.throwIfAborted();
    throw thrown;
  } finally {
    job.signal.removeEventListener('abort', leave);
    session.close();
  }
}

async function feed(job: Job, stdin: Writable): Promise<void> {
  // A payload that ends before it read everything is no failure.
  stdin.on('error', () => {});
  for await (const chunk of job.stdin) {
    if (!stdin.writable) return;
    if (!stdin.write(chunk)) await once(stdin, 'drain');
  }
  stdin.end();
}

async function copy(from: Readable, to: Output): Promise<void> {
  for await (const chunk of from) await to.write(chunk as Buffer);
}

/**
 * Begins a job and resolves with its session. The job lasts until the payload has ended or the session is closed.
 * @param begin makes the job, which gives its session to `take` and waits for what that resolves with: its status
 */
export async function handOver(begin: (take: (session: Session) => Promise<number>) => Job): Promise<Session> {
  const { promise: opened, resolve: open, reject: refuse } = deferred<Session>();
  const job = begin((session) => {
    const { promise: closed, resolve: close } = deferred<number>();
    open({
      pid: session.pid,
      stdin: session.stdin,
      stdout: session.stdout,
      stderr: session.stderr,
      ...(session.tty !== undefined && { tty: session.tty }),
      exited: session.exited,
      resize: (rows, columns) => session.resize(rows, columns),
      signal: (signal) => session.signal(signal),
      close: () => {
        session.close();
        close(0);
      },
    });
    return Promise.race([session.exited, closed]);
  });
  job.run().catch(refuse);
  return await opened;
}
