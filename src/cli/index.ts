/** The program as a whole: the process's own streams and exit. */
import type { Streams } from './context.ts';
import { EXIT } from './exit-codes.ts';
import { runProgram } from './program.ts';

/** Runs a command line to its end and sets the exit code; other streams than the process's are for a trial. */
export async function main(argv: readonly string[], streams: Streams = ownStreams()): Promise<void> {
  process.exitCode = await runProgram(argv, streams);
}

/** Made when they are first used: a stream of the process costs a millisecond, and few commands need all three. */
function ownStreams(): Streams {
  return {
    get stdin() {
      return process.stdin;
    },
    get stdout() {
      return withoutReader(process.stdout);
    },
    get stderr() {
      return withoutReader(process.stderr);
    },
    env: process.env,
    cwd: process.cwd(),
    now: Date.now,
  };
}

const watched = new WeakSet<NodeJS.WriteStream>();

function withoutReader(output: NodeJS.WriteStream): NodeJS.WriteStream {
  if (watched.has(output)) return output;
  watched.add(output);
  output.on('error', (error: NodeJS.ErrnoException) => {
    // The reader left (| head): the rest is not printed.
    if (error.code === 'EPIPE') process.exit(EXIT.brokenPipe);
    throw error;
  });
  return output;
}
