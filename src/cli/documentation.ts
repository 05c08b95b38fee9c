/** The help page of a command: description, options, examples, exit codes. */
import { type Command, Option } from 'commander';
import { DEFAULT_SOCKET } from '../api/address.ts';

export interface Documentation {
  readonly description: string;
  /** Command lines with what they do; at least one. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Defaults to 0 done, 1 error; 64 is added. */
  readonly exitCodes?: readonly (readonly [code: string, meaning: string])[];
}

const USUAL_EXIT_CODES: Documentation['exitCodes'] = [
  ['0', 'done'],
  ['1', 'error'],
];

export function document(command: Command, page: Documentation): Command {
  const examples = page.examples.map(([line, meaning]) => `  # ${meaning}\n  ${line}\n`).join('\n');
  const codes = [...(page.exitCodes ?? USUAL_EXIT_CODES ?? []), ['64', 'wrong command line'] as const];
  const exits = codes.map(([code, meaning]) => `  ${code.padEnd(5)} ${meaning}`).join('\n');
  return command.description(page.description).addHelpText('after', `\nExamples:\n${examples}\nExit codes:\n${exits}`);
}

/** -H of the client commands. */
export function hostOption(): Option {
  return new Option(
    '-H, --host <address>',
    `socket of the supervisor (env: TSDOCKER_HOST, default: unix://${DEFAULT_SOCKET})`,
  );
}

export type OutputFormat = 'table' | 'wide' | 'json' | 'name';

export function outputOption(...formats: readonly OutputFormat[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(formats).default('table');
}
