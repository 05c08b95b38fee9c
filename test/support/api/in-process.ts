import { PassThrough, Readable } from 'node:stream';
import { runProgram } from '../../../src/cli/program.ts';

export interface Outcome {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunOptions {
  readonly host?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly input?: string;
  /** Pretend that outputs are a terminal of this width. */
  readonly columns?: number;
}

/** 2026-01-02T03:04:05Z */
const NOW_MS = 1_767_323_045_000;

/** Runs a command line in this process and collects what it wrote. */
export async function tsdocker(argv: readonly string[], options: RunOptions = {}): Promise<Outcome> {
  const stdout = collector(options.columns);
  const stderr = collector(options.columns);
  const exitCode = await runProgram(argv, {
    stdin: Readable.from(options.input === undefined ? [] : [options.input]),
    stdout: stdout.stream,
    stderr: stderr.stream,
    env: { ...(options.host !== undefined && { TSDOCKER_HOST: options.host }), ...options.env },
    cwd: options.cwd ?? '/',
    now: () => NOW_MS,
  });
  return { exitCode, stdout: stdout.text(), stderr: stderr.text() };
}

function collector(columns: number | undefined) {
  const stream = new PassThrough({ highWaterMark: 1024 ** 2 });
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  const terminal = columns === undefined ? {} : { isTTY: true, columns, rows: 24 };
  const text = () => {
    for (let chunk = stream.read() as Buffer | null; chunk !== null; chunk = stream.read()) chunks.push(chunk);
    return Buffer.concat(chunks).toString('utf8');
  };
  return { stream: Object.assign(stream, terminal), text };
}
