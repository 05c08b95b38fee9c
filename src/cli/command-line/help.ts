/** Help pages as text of a width. */
import { largest } from '../../model/lists.ts';
import type { Argument, Command, Option } from './command.ts';

/** A term with what it means. */
export type Row = readonly [term: string, meaning: string];

export interface Section {
  readonly title: string;
  readonly rows: readonly Row[];
}

const HELP_ROW: Row = ['-h, --help', 'display help for command'];
/** Narrower than this a column of text is left as it is. */
const MIN_WRAP = 40;

/** Choices and default of a value, after its description. */
function withNotes(description: string, choices: readonly string[], byDefault: string): string {
  const notes = [
    ...(choices.length > 0 ? [`one of ${choices.join(', ')}`] : []),
    ...(byDefault === '' ? [] : [`default: ${byDefault}`]),
  ];
  return [description, ...(notes.length > 0 ? [`(${notes.join('; ')})`] : [])].join(' ').trim();
}

export function optionRow({ flags, description, value, argChoices, defaultValue, defaultText }: Option): Row {
  const byDefault = defaultText ?? (value === 'none' || defaultValue === undefined ? '' : String(defaultValue));
  return [flags, withNotes(description, argChoices, byDefault)];
}

export function argumentRow({ name, description, argChoices, defaultValue }: Argument): Row {
  return [name, withNotes(description, argChoices, defaultValue === undefined ? '' : String(defaultValue))];
}

/**
 * The page of a command, or with `further` sections that of the program.
 * @param usage with the program's name in front
 */
export function helpPage(command: Command, usage: string, width: number, further: readonly Section[] = []): string {
  const sections: readonly Section[] = [
    { title: 'Arguments', rows: command.arguments.map(argumentRow) },
    { title: 'Options', rows: [...command.options.map(optionRow), HELP_ROW] },
    ...further,
  ].filter(({ rows }) => rows.length > 0);
  const termWidth = largest(sections.flatMap(({ rows }) => rows.map(([term]) => term.length)));
  const parts = sections.map(
    ({ title, rows }) => `${title}:\n${rows.map((row) => formatRow(row, termWidth, width)).join('\n')}\n`,
  );
  const examples = command.examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}\n`).join('\n');
  const exits = command.exitCodes.map(([code, meaning]) => `  ${code.padEnd(5)} ${meaning}\n`).join('');
  const page = [`Usage: ${usage}\n`, `${wrap(command.description, width)}\n`, ...parts, `Examples:\n${examples}`];
  return `${page.join('\n')}\nExit codes:\n${exits}`;
}

function formatRow([term, meaning]: Row, termWidth: number, width: number): string {
  const indent = termWidth + 4;
  const room = width - indent;
  const text = room < MIN_WRAP ? meaning : wrap(meaning, room);
  return `  ${term.padEnd(termWidth)}  ${text.replaceAll('\n', `\n${' '.repeat(indent)}`)}`;
}

/** Breaks lines between words; breaks that are there stay. */
function wrap(text: string, width: number): string {
  const lines: string[] = [];
  for (const line of text.split('\n')) {
    let current = '';
    for (const word of line.split(' ')) {
      if (current !== '' && current.length + 1 + word.length > width) {
        lines.push(current);
        current = word;
      } else current = current === '' ? word : `${current} ${word}`;
    }
    lines.push(current);
  }
  return lines.join('\n');
}
