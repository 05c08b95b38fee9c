import type { StdioSession } from '../../drivers/contract/exec.ts';
import type { Streams } from '../context.ts';

/** Copies a session's output to ours. Resolves with its exit code after all of it. */
export async function copyOutput(session: StdioSession, { stdout, stderr }: Streams): Promise<number> {
  const outputs = Promise.all([drain(session.stdout, stdout), drain(session.stderr, stderr)]);
  const exitCode = await session.exited;
  await outputs;
  return exitCode;
}

async function drain(from: NodeJS.ReadableStream, to: NodeJS.WritableStream): Promise<void> {
  for await (const chunk of from) {
    if (!to.write(chunk)) await new Promise<void>((resolve) => to.once('drain', resolve));
  }
}
