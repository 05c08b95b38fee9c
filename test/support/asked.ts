/** Commands that ask someone at a terminal. */
import { OnTerminal } from './pty.ts';
import type { TestSupervisor } from './supervisor.ts';

/** Keys that answer nothing. */
const KEYS = { 'Ctrl-C': '\x03', 'Ctrl-D': '\x04' };

export interface Answer {
  readonly question: string;
  /** What happens while the question waits. */
  readonly meanwhile?: () => Promise<void>;
  readonly answer: 'y' | 'n' | keyof typeof KEYS;
  /** What it shows to the answer. */
  readonly shown?: string;
}

/** Runs a command on a terminal and answers its question. Resolves with its exit code. */
export async function asked(
  supervisor: TestSupervisor,
  args: readonly string[],
  { question, meanwhile, answer, shown = '' }: Answer,
): Promise<number> {
  const env = { ...process.env, TSDOCKER_HOST: supervisor.socket, NO_COLOR: '1' };
  const terminal = new OnTerminal([supervisor.program, ...args], env, 24, 100);
  try {
    await terminal.shows(question);
    await meanwhile?.();
    terminal.type(answer in KEYS ? KEYS[answer as keyof typeof KEYS] : `${answer}\r`);
    await terminal.shows(shown);
    return await terminal.exited;
  } finally {
    terminal.close();
  }
}
