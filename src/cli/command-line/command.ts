/**
 * How a command declares its arguments and options. Parsing, help pages, manual pages and completions are all derived from
 * this. A library for it would take longer to load than most commands take to run.
 */

/** What {@link Option.argParser} throws for a value it does not take; the message says what to write. */
export class InvalidArgumentError extends Error {}

/** Names of resources of a kind, for completions. */
export const COMPLETABLE = [
  'container',
  /** Those of an app together, too. */
  'containers',
  'resources',
  'images',
  'approvals',
  'generations',
  'lists',
  'jobs',
] as const;
export type Completable = (typeof COMPLETABLE)[number];

/** Makes the value of an option. Of an option given again it also gets the value so far. */
type ValueParser = (text: string, previous: never) => unknown;

export class Option {
  /** `-o, --output <format>`: `<x>` takes a value, `[x]` may take one, `--no-x` makes `x` false. */
  readonly flags: string;
  readonly description: string;
  readonly short: string | null;
  readonly long: string | null;
  readonly value: 'none' | 'optional' | 'required';
  /** `--no-x`. */
  readonly negates: boolean;
  argChoices: readonly string[] = [];
  defaultValue: unknown;
  /** How the default is written, where that is not its value. */
  defaultText: string | null = null;
  /** The value of an option with an optional value when none is given. */
  presetValue: string | true = true;
  parser: ((text: string, previous: unknown) => unknown) | null = null;
  mandatory = false;
  completable: Completable | null = null;

  constructor(flags: string, description: string) {
    this.flags = flags;
    this.description = description;
    const names = flags.split(/[ ,]+/).filter((word) => word.startsWith('-'));
    this.short = names.find((name) => !name.startsWith('--')) ?? null;
    this.long = names.find((name) => name.startsWith('--')) ?? null;
    this.value = flags.includes('<') ? 'required' : flags.includes('[') ? 'optional' : 'none';
    this.negates = this.long?.startsWith('--no-') === true;
    if (this.negates) this.defaultValue = true;
  }

  /** `--dry-run` is `dryRun` among a command's options, and `--no-cache` is `cache`. */
  get key(): string {
    const name = (this.long ?? this.short ?? '').replace(/^--?(no-)?/, '');
    return name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  }

  choices(choices: readonly string[]): this {
    this.argChoices = choices;
    return this;
  }

  default(value: unknown, text: string | null = null): this {
    this.defaultValue = value;
    this.defaultText = text;
    return this;
  }

  preset(value: string): this {
    this.presetValue = value;
    return this;
  }

  argParser(parser: ValueParser): this {
    this.parser = parser as (text: string, previous: unknown) => unknown;
    return this;
  }

  completes(what: Completable): this {
    this.completable = what;
    return this;
  }

  makeOptionMandatory(): this {
    this.mandatory = true;
    return this;
  }
}

export class Argument {
  readonly name: string;
  readonly description: string;
  readonly required: boolean;
  /** It takes all words that are left. */
  readonly variadic: boolean;
  argChoices: readonly string[] = [];
  defaultValue: unknown;
  completable: Completable | null = null;

  /** @param form `<name>`, `[name]`, `<names...>` or `[names...]` */
  constructor(form: string, description: string) {
    this.name = form.replace(/^.|(\.\.\.)?.$/g, '');
    this.description = description;
    this.required = form.startsWith('<');
    this.variadic = form.includes('...');
  }

  /** As in a usage line. */
  get form(): string {
    const inner = `${this.name}${this.variadic ? '...' : ''}`;
    return this.required ? `<${inner}>` : `[${inner}]`;
  }

  choices(choices: readonly string[]): this {
    this.argChoices = choices;
    return this;
  }

  default(value: unknown): this {
    this.defaultValue = value;
    return this;
  }

  completes(what: Completable): this {
    this.completable = what;
    return this;
  }
}

/** A command with what it says of itself among the others. */
export interface DeclaredCommand {
  readonly name: string;
  readonly summary: string;
  readonly command: Command;
}

/** Gets a value for each argument, then the options. */
type Action = (...args: unknown[]) => Promise<void>;

export class Command {
  readonly name: string;
  readonly options: Option[] = [];
  readonly arguments: Argument[] = [];
  description = '';
  /** What follows the options on the help page. */
  examples: readonly (readonly [line: string, meaning: string])[] = [];
  exitCodes: readonly (readonly [code: string, meaning: string])[] = [];
  run: Action = () => Promise.resolve();
  /** From its first argument on, words are no options of ours. */
  passesThrough = false;

  /** Behind its first argument, words that are no option of ours are arguments, also those that begin with `-`. */
  keepsUnknown = false;

  constructor(name: string) {
    this.name = name;
  }

  /** `tsdocker get [options] [list] [names...]` without the program's name. */
  get usage(): string {
    return [this.name, '[options]', ...this.arguments.map(({ form }) => form)].join(' ');
  }

  /** @param how makes the value, or is the default; else the value is the text, or true */
  option(flags: string, description: string, how?: ValueParser | string, defaultValue?: unknown): this {
    const option = new Option(flags, description);
    const byDefault = typeof how === 'string' ? how : defaultValue;
    if (typeof how === 'function') option.argParser(how);
    return this.addOption(byDefault === undefined ? option : option.default(byDefault));
  }

  requiredOption(flags: string, description: string): this {
    return this.addOption(new Option(flags, description).makeOptionMandatory());
  }

  addOption(option: Option): this {
    this.options.push(option);
    return this;
  }

  argument(form: string, description: string, defaultValue?: unknown): this {
    const argument = new Argument(form, description);
    return this.addArgument(defaultValue === undefined ? argument : argument.default(defaultValue));
  }

  addArgument(argument: Argument): this {
    this.arguments.push(argument);
    return this;
  }

  passThroughOptions(): this {
    this.passesThrough = true;
    return this;
  }

  keepUnknownOptions(): this {
    this.keepsUnknown = true;
    return this;
  }

  action(run: (...args: never[]) => Promise<void>): this {
    this.run = run as Action;
    return this;
  }
}
