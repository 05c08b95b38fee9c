/** The words of a command line, read by what a command declares. */
import { closest } from '../../model/text/suggest.ts';
import { type Argument, type Command, InvalidArgumentError, type Option } from './command.ts';

/** The command line is wrong; `hint` has the correction, if it is known. */
export class UsageError extends Error {
  readonly hint: string;

  constructor(message: string, hint = '') {
    super(message);
    this.hint = hint;
  }
}

export type OptionValues = Readonly<Record<string, unknown>>;

interface Words {
  readonly options: OptionValues;
  /** Those that are neither options nor their values. */
  readonly operands: readonly string[];
  /** `-h` or `--help` is among them: then nothing else counts. */
  readonly help: boolean;
}

/** Where options end. */
type Until = 'end' | 'operand' | 'unknown';

const NEGATIVE_NUMBER = /^-(\d+|\d*\.\d+)$/;

const isOption = (word: string): boolean => word.length > 1 && word.startsWith('-') && !NEGATIVE_NUMBER.test(word);

/**
 * Takes options out of words, in getopt's forms: `--long value`, `--long=value`, `-s value`, `-svalue`, `-abc`, and `--`,
 * after which there are none. A flag that is given again counts once more, or wins.
 * @param until `operand`: what follows the first operand is taken as it is; `unknown`: so is behind it what is no option
 * @throws UsageError
 */
export function readOptions(options: readonly Option[], argv: readonly string[], until: Until): Words {
  const reader = new OptionReader(options, argv);
  const operands: string[] = [];
  for (let word = reader.next(); word !== undefined; word = reader.next()) {
    if (word === '--') return { ...reader.result(), operands: [...operands, ...reader.rest()] };
    const isKept = until === 'unknown' && operands.length > 0 && !reader.knows(word);
    if (isOption(word) && !isKept) reader.readOption(word);
    else operands.push(word);
    if (until === 'operand' && operands.length > 0)
      return { ...reader.result(), operands: [...operands, ...reader.rest()] };
  }
  return { ...reader.result(), operands };
}

class OptionReader {
  readonly #options: readonly Option[];
  readonly #words: string[];
  readonly #values: Record<string, unknown> = {};
  #help = false;
  /** Those that were given: a default is no earlier value of theirs. */
  readonly #given = new Set<string>();

  constructor(options: readonly Option[], argv: readonly string[]) {
    this.#options = options;
    this.#words = [...argv];
    for (const { key, defaultValue } of options) if (defaultValue !== undefined) this.#values[key] = defaultValue;
  }

  next(): string | undefined {
    return this.#words.shift();
  }

  rest(): readonly string[] {
    return this.#words.splice(0);
  }

  result(): { readonly options: OptionValues; readonly help: boolean } {
    return { options: this.#values, help: this.#help };
  }

  /** Whether all that is in a word are options. */
  knows(word: string): boolean {
    if (this.#isHelp(word)) return true;
    if (word.startsWith('--')) return this.#find(word.split('=', 1)[0] ?? '') !== undefined;
    const option = this.#find(word.slice(0, 2));
    if (option === undefined) return false;
    return word.length === 2 || option.value !== 'none' || this.knows(`-${word.slice(2)}`);
  }

  readOption(word: string): void {
    const separator = word.startsWith('--') ? word.indexOf('=') : -1;
    const name = separator === -1 ? word : word.slice(0, separator);
    const option = this.#find(name);
    if (option !== undefined && (separator === -1 || option.value !== 'none')) {
      this.#set(option, separator === -1 ? this.#valueOf(option) : word.slice(separator + 1));
    } else if (name === word && this.#isHelp(word)) this.#help = true;
    else if (!word.startsWith('--') && word.length > 2) this.#readCluster(word);
    else throw this.#unknown(word);
  }

  /** `-abc` is `-a -b -c`, or `-a bc` where that takes a value. */
  #readCluster(word: string): void {
    const first = word.slice(0, 2);
    const option = this.#find(first);
    if (option !== undefined && option.value !== 'none') {
      this.#set(option, word.slice(2));
      return;
    }
    if (option === undefined && !this.#isHelp(first)) throw this.#unknown(word);
    if (option === undefined) this.#help = true;
    else this.#set(option, null);
    this.readOption(`-${word.slice(2)}`);
  }

  #find(name: string): Option | undefined {
    return this.#options.find(({ short, long }) => name === short || name === long);
  }

  #isHelp(word: string): boolean {
    return word === '--help' || word === '-h';
  }

  /** What follows; null where nothing does and nothing has to. */
  #valueOf(option: Option): string | null {
    const [following] = this.#words;
    if (option.value === 'none') return null;
    if (option.value === 'optional') {
      return following === undefined || isOption(following) ? null : (this.#words.shift() as string);
    }
    if (following === undefined) throw new UsageError(`option '${option.flags}' argument missing`);
    return this.#words.shift() as string;
  }

  #set(option: Option, given: string | null): void {
    const { key } = option;
    const text = given ?? option.presetValue;
    const previous = this.#given.has(key) ? this.#values[key] : option.defaultValue;
    this.#given.add(key);
    this.#values[key] = option.negates ? false : accepted(option, text, previous);
  }

  #unknown(word: string): UsageError {
    const long = this.#options.flatMap((option) => option.long ?? []);
    const name = word.replace(/^--|=.*/g, '');
    const names = [...long.map((flag) => flag.slice(2)), 'help'];
    const meant = word.startsWith('--')
      ? (closest(name, names) ?? names.find((longer) => longer.startsWith(name)))
      : undefined;
    return new UsageError(`unknown option '${word}'`, meant === undefined ? '' : `did you mean --${meant}?`);
  }
}

/** @throws UsageError for what the option does not take */
function accepted(option: Option, text: string | true, previous: unknown): unknown {
  if (text === true) return true;
  const wrong = (why: string) => new UsageError(`option '${option.flags}' argument '${text}' is invalid. ${why}`);
  if (option.argChoices.length > 0 && !option.argChoices.includes(text)) throw wrong(allowed(option));
  if (option.parser === null) return text;
  try {
    return option.parser(text, previous);
  } catch (thrown) {
    if (thrown instanceof InvalidArgumentError) throw wrong(thrown.message);
    throw thrown;
  }
}

const allowed = ({ argChoices }: Option | Argument): string => `Allowed choices are ${argChoices.join(', ')}.`;

export type Parsed =
  | { readonly help: true }
  | { readonly help: false; readonly args: readonly unknown[]; readonly options: OptionValues };

function optionsEndAt({ passesThrough, keepsUnknown }: Command): Until {
  if (passesThrough) return 'operand';
  return keepsUnknown ? 'unknown' : 'end';
}

/** Reads the words behind a command's name. @throws UsageError */
export function parseCommand(command: Command, argv: readonly string[]): Parsed {
  const { options, operands, help } = readOptions(command.options, argv, optionsEndAt(command));
  if (help) return { help };
  const missing = command.options.find(({ mandatory, key }) => mandatory && options[key] === undefined);
  if (missing !== undefined) throw new UsageError(`required option '${missing.flags}' not specified`);
  return { help, args: readArguments(command, operands), options };
}

function readArguments(
  { name, arguments: declared, options }: Command,
  operands: readonly string[],
): readonly unknown[] {
  const absent = declared.find(({ required }, index) => required && operands[index] === undefined);
  if (absent !== undefined) throw new UsageError(`missing required argument '${absent.name}'`);
  if (operands.length > declared.length && declared.at(-1)?.variadic !== true) {
    const expected = `${declared.length} argument${declared.length === 1 ? '' : 's'}`;
    const file = declared.length === 0 ? options.find(({ long }) => long === '--file') : undefined;
    throw new UsageError(
      `too many arguments for '${name}'. Expected ${expected} but got ${operands.length}.`,
      file === undefined ? '' : `did you mean \`tsdocker ${name} ${file.short} ${operands[0]}\`?`,
    );
  }
  return declared.map((argument, index) => {
    const words = argument.variadic ? operands.slice(index) : operands.slice(index, index + 1);
    for (const word of words) {
      if (argument.argChoices.length === 0 || argument.argChoices.includes(word)) continue;
      throw new UsageError(
        `command-argument value '${word}' is invalid for argument '${argument.name}'. ${allowed(argument)}`,
      );
    }
    return argument.variadic ? words : (words[0] ?? argument.defaultValue);
  });
}
