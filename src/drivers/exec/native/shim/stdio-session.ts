import { Readable, Writable } from 'node:stream';
import { sysError } from '../../../../ffi/call/errno.ts';
import { TsdError } from '../../../../model/errors/errors.ts';
import type { StdioSession } from '../../../contract/exec.ts';
import type { ShimConnection } from './shim-connection.ts';
import { encodeNumber, encodeSize, REQUEST } from './shim-protocol.ts';

/** A contract session on a connection that delivers output: an exec session's own, or one that asked to be attached. */
export function stdioSession(connection: ShimConnection, pid: number, withStdin: boolean): StdioSession {
  const resume = (): void => connection.resume();
  const streams = { stdout: new Readable({ read: resume }), stderr: new Readable({ read: resume }) };
  const stdin = withStdin ? stdinOf(connection) : null;
  let exitCode: number | null = null;
  const exited = new Promise<number>((resolve, reject) => {
    connection.listen({
      output: (stream, bytes) => streams[stream].push(bytes),
      exit: (code) => {
        exitCode = code;
      },
      closed: () => {
        if (exitCode === null) {
          const error = new TsdError('TSD_SHIM', 'the session ended before the process did', {
            step: 'attach',
            hint: 'What reads the output was too slow, or the shim was killed. `tsdocker logs` has all that a container wrote.',
          });
          for (const stream of Object.values(streams)) stream.destroy();
          reject(error);
          return;
        }
        const code = exitCode;
        void Promise.all(Object.values(streams).map(ended)).then(() => resolve(code));
      },
    });
  });
  // A session that is closed early needs no end.
  exited.catch(() => {});
  return {
    pid,
    stdin,
    ...streams,
    exited,
    // These have no answer in the contract: a payload that has just ended cannot be resized or signalled, and need not be.
    resize: (rows, columns) => notify(connection, REQUEST.resize, encodeSize(rows, columns)),
    signal: (signal) => notify(connection, REQUEST.kill, encodeNumber(signal)),
    close: () => {
      stdin?.destroy();
      connection.close();
    },
  };
}

function notify(connection: ShimConnection, type: number, payload: Buffer): void {
  connection.request(type, payload).catch(() => {});
}

/** Ends the stream; done when its reader has seen the end or let go. */
function ended(stream: Readable): Promise<void> {
  return new Promise((resolve) => {
    stream.once('close', resolve);
    if (stream.destroyed) resolve();
    else stream.push(null);
  });
}

function stdinOf(connection: ShimConnection): Writable {
  const send = (step: string, type: number, bytes: Buffer | undefined, done: (error?: Error) => void): void => {
    // `exited` reports a shim that left without an answer; a payload that does not read is an error of the write.
    connection.request(type, bytes).then(
      (errno) => (errno === 0 ? done() : done(sysError('shim', errno, step))),
      () => done(),
    );
  };
  const stdin = new Writable({
    write: (chunk: Buffer, _encoding, done) => send('write to stdin', REQUEST.input, chunk, done),
    final: (done) => send('close stdin', REQUEST.inputEnd, undefined, done),
  });
  // A payload may stop reading at any time. Without a listener of our own the error would be thrown.
  stdin.on('error', () => {});
  return stdin;
}
