/**
 * A list of steps with what each is to print, as text: `# topic`, `$ command line`, `> keys typed`, `< text waited for on the
 * terminal`, then what it prints, `! ` before a line of standard error, `[code]` for an exit code other than 0.
 */
export interface Key {
  readonly type: 'typed' | 'shown';
  readonly text: string;
}

export interface Step {
  /** Before it: headings. */
  readonly notes: readonly string[];
  readonly line: string;
  /** What is typed and seen on a terminal; empty for a command without one. */
  readonly keys: readonly Key[];
  /** Lines of output, and the exit code. */
  readonly outcome: readonly string[];
}

const unescaped = (text: string): string =>
  text.replace(/\\(x[0-9a-f]{2}|.)/g, (_, code: string) =>
    code.startsWith('x')
      ? String.fromCharCode(Number.parseInt(code.slice(1), 16))
      : ({ r: '\r', n: '\n' }[code] ?? code),
  );

export function readTranscript(text: string): readonly Step[] {
  const steps: Step[] = [];
  let notes: string[] = [];
  for (const line of text.split('\n')) {
    const step = steps.at(-1);
    if (line.startsWith('# ')) notes.push(line);
    else if (line.startsWith('$ ')) {
      steps.push({ notes, line: line.slice(2), keys: [], outcome: [] });
      notes = [];
    } else if (step && /^[<>] /.test(line) && step.outcome.length === 0)
      (step.keys as Key[]).push({ type: line.startsWith('>') ? 'typed' : 'shown', text: line.slice(2) });
    else if (step && line !== '') (step.outcome as string[]).push(line);
  }
  return steps;
}

export function writeTranscript(steps: readonly Step[]): string {
  const lines = steps.flatMap(({ notes, line, keys, outcome }) => [
    ...notes,
    `$ ${line}`,
    ...keys.map(({ type, text }) => `${type === 'typed' ? '>' : '<'} ${text}`),
    ...outcome,
  ]);
  return `${lines.join('\n')}\n`;
}

export const keyText = ({ text }: Key): string => unescaped(text);
