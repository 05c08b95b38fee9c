/** Whether a container's log is what the scripts of ./apps.ts print, without a gap. */
import { existsSync, readFileSync } from 'node:fs';
import { JOB_LINES } from './apps.ts';

export interface LogExpectation {
  readonly running: boolean;
  /** How many of its runs were killed; these may end anywhere. */
  readonly cutOff: number;
}

/** What is wrong with it; null for nothing. */
export function checkLog(path: string, { running, cutOff }: LogExpectation): string | null {
  if (!existsSync(path)) return 'missing';
  const lines: string[] = [];
  for (const line of readFileSync(path, 'utf8').trimEnd().split('\n')) {
    try {
      lines.push((JSON.parse(line) as { log: string }).log);
    } catch {
      return `not an entry: ${line}`;
    }
  }
  const runs: string[][] = [];
  for (const line of lines) {
    if (line.startsWith('start ')) runs.push([line]);
    else if (runs.length === 0) return `begins with ${line}`;
    else runs.at(-1)?.push(line);
  }
  if (runs.length === 0) return 'empty';
  let open = 0;
  for (const [index, run] of runs.entries()) {
    const wrong = gap(run);
    if (wrong !== null) return `run ${index}: ${wrong}`;
    if (!isWhole(run)) open++;
  }
  const allowed = cutOff + (running ? 1 : 0);
  return open > allowed ? `${open} runs of ${runs.length} lack their end, ${allowed} may` : null;
}

function isWhole(run: readonly string[]): boolean {
  return /^(stop|end) /.test(run.at(-1) ?? '');
}

function gap([start = '', ...rest]: readonly string[]): string | null {
  const word = start.slice('start '.length);
  const lines = [...rest];
  // A second signal while a shell answers the first has it answer once more.
  while (lines.at(-1) === `stop ${word}`) lines.pop();
  for (const [index, line] of lines.entries()) {
    const isEnd = index === JOB_LINES && index === lines.length - 1 && line === `end ${word}`;
    if (line !== `line ${index}\n` && !isEnd) return `${JSON.stringify(line)} after ${index} lines of ${start}`;
  }
  return null;
}
