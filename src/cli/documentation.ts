/** The help page of a command: description, options, examples, exit codes. */
import { DEFAULT_SOCKET } from '../api/address.ts';
import { type Command, Option } from './command-line/command.ts';

export interface Documentation {
  readonly description: string;
  /** Command lines with what they do; at least one. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  /** Defaults to 0 done, 1 error; 64 is added. */
  readonly exitCodes?: readonly (readonly [code: string, meaning: string])[];
}

const USUAL_EXIT_CODES: readonly (readonly [string, string])[] = [
  ['0', 'done'],
  ['1', 'error'],
];

export function document(command: Command, page: Documentation): Command {
  command.description = page.description;
  command.examples = page.examples;
  command.exitCodes = [...(page.exitCodes ?? USUAL_EXIT_CODES), ['64', 'wrong command line']];
  return command;
}

/** -H of the client commands. */
export function hostOption(): Option {
  return new Option(
    '-H, --host <address>',
    `socket of the supervisor (env: TSDOCKER_HOST, default: unix://${DEFAULT_SOCKET})`,
  );
}

export type OutputFormat = 'table' | 'wide' | 'json' | 'yaml' | 'name';

export function outputOption(...formats: readonly OutputFormat[]): Option {
  return new Option('-o, --output <format>', 'form of the output').choices(formats).default('table');
}
