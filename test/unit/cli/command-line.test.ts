import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Argument, Command, InvalidArgumentError, Option } from '../../../src/cli/command-line/command.ts';
import { helpPage } from '../../../src/cli/command-line/help.ts';
import { parseCommand, UsageError } from '../../../src/cli/command-line/parse.ts';
import { collect } from '../../../src/cli/options.ts';

function declare(): Command {
  return new Command('try')
    .argument('<first>', 'a word')
    .argument('[others...]', 'more words')
    .option('-a, --all', 'a flag')
    .option('-q', 'a flag without a long name')
    .option('-t, --tail <count>', 'a value', (text: string) => {
      if (!/^\d+$/.test(text)) throw new InvalidArgumentError('write a number.');
      return Number(text);
    })
    .option('-e, --env <pair>', 'a value; repeatable', collect)
    .option('--no-cache', 'a flag that is on')
    .option('--dry-run', 'a flag of two words')
    .addOption(new Option('--wait [time]', 'may have a value').preset('30s'))
    .addOption(new Option('-o, --output <format>', 'one of several').choices(['table', 'json']).default('table'));
}

const DEFAULTS = { cache: true, output: 'table' };

function read(...argv: readonly string[]) {
  const parsed = parseCommand(declare(), argv);
  return parsed.help ? 'help' : [parsed.args, parsed.options];
}

test.each([
  [['x'], [['x', []], DEFAULTS]],
  [
    ['x', 'y', 'z'],
    [['x', ['y', 'z']], DEFAULTS],
  ],
  [
    ['-a', 'x', '--tail', '3'],
    [['x', []], { ...DEFAULTS, all: true, tail: 3 }],
  ],
  [
    ['x', '--tail=3'],
    [['x', []], { ...DEFAULTS, tail: 3 }],
  ],
  [
    ['x', '-t3'],
    [['x', []], { ...DEFAULTS, tail: 3 }],
  ],
  [
    ['x', '-aqt', '3'],
    [['x', []], { ...DEFAULTS, all: true, q: true, tail: 3 }],
  ],
  [
    ['x', '-aqt3'],
    [['x', []], { ...DEFAULTS, all: true, q: true, tail: 3 }],
  ],
  [
    ['x', '-e', 'A=1', '--env=B=2'],
    [['x', []], { ...DEFAULTS, env: ['A=1', 'B=2'] }],
  ],
  // A value that is required is taken as it is.
  [
    ['x', '-e', '--all'],
    [['x', []], { ...DEFAULTS, env: ['--all'] }],
  ],
  [
    ['x', '--no-cache', '--dry-run'],
    [['x', []], { output: 'table', cache: false, dryRun: true }],
  ],
  [
    ['x', '--wait'],
    [['x', []], { ...DEFAULTS, wait: '30s' }],
  ],
  [
    ['x', '--wait', '-a'],
    [['x', []], { ...DEFAULTS, wait: '30s', all: true }],
  ],
  [
    ['x', '--wait', '5s'],
    [['x', []], { ...DEFAULTS, wait: '5s' }],
  ],
  [
    ['x', '--wait=5s'],
    [['x', []], { ...DEFAULTS, wait: '5s' }],
  ],
  [
    ['x', '-o', 'json', '-o', 'table'],
    [['x', []], DEFAULTS],
  ],
  [
    ['-', '-1', '--', '-a', '--', '--help'],
    [['-', ['-1', '-a', '--', '--help']], DEFAULTS],
  ],
  [
    ['', '__proto__'],
    [['', ['__proto__']], DEFAULTS],
  ],
  [['--help'], 'help'],
  [['x', '-ah'], 'help'],
])('%j', (argv, expected) => {
  expect(read(...argv)).toEqual(expected);
});

describe('a usage error', () => {
  test.each([
    [[], "missing required argument 'first'", ''],
    [['x', '--tial', '3'], "unknown option '--tial'", 'did you mean --tail?'],
    [['x', '--hepl'], "unknown option '--hepl'", 'did you mean --help?'],
    [['x', '-az'], "unknown option '-z'", ''],
    [['x', '--all=yes'], "unknown option '--all=yes'", 'did you mean --all?'],
    [['x', '--help=yes'], "unknown option '--help=yes'", 'did you mean --help?'],
    [['x', '--__proto__'], "unknown option '--__proto__'", ''],
    [['x', '-t'], "option '-t, --tail <count>' argument missing", ''],
    [['x', '-t', 'many'], "option '-t, --tail <count>' argument 'many' is invalid. write a number.", ''],
    [['x', '-t', ''], "option '-t, --tail <count>' argument '' is invalid. write a number.", ''],
    [
      ['x', '-o', 'xml'],
      "option '-o, --output <format>' argument 'xml' is invalid. Allowed choices are table, json.",
      '',
    ],
  ])('%j', (argv, message, hint) => {
    expect(() => read(...argv)).toThrow(expect.objectContaining({ message, hint }));
  });

  test('too many words, an invalid choice and a missing option are reported', () => {
    const command = new Command('pick').addArgument(new Argument('<shell>', 'which').choices(['bash', 'zsh']));
    expect(() => parseCommand(command, ['bash', 'zsh'])).toThrow(
      "too many arguments for 'pick'. Expected 1 argument but got 2.",
    );
    expect(() => parseCommand(command, ['csh'])).toThrow(
      "command-argument value 'csh' is invalid for argument 'shell'. Allowed choices are bash, zsh.",
    );
    command.requiredOption('-i, --input <file>', 'a file');
    expect(() => parseCommand(command, ['bash'])).toThrow("required option '-i, --input <file>' not specified");
    expect(parseCommand(command, ['-h'])).toEqual({ help: true });
  });
});

test('a command that passes words through reads options only before its first argument', () => {
  const command = new Command('exec')
    .argument('<container>', 'where')
    .argument('<command...>', 'what')
    .option('-i, --interactive', 'a flag')
    .passThroughOptions();
  expect(parseCommand(command, ['-i', 'web', 'ls', '-i', '--help', '--', 'x'])).toEqual({
    help: false,
    args: ['web', ['ls', '-i', '--help', '--', 'x']],
    options: { interactive: true },
  });
  expect(parseCommand(command, ['--help', 'web'])).toEqual({ help: true });
});

test('hostile words cause at most a usage error', () => {
  const word = fc.oneof(
    fc.string(),
    fc.constantFrom('-', '--', '-a', '-t', '--tail', '--wait', '--no-cache', '-aq1', 'x'),
  );
  fc.assert(
    fc.property(fc.array(word), (argv) => {
      try {
        parseCommand(declare(), argv);
      } catch (thrown) {
        expect(thrown).toBeInstanceOf(UsageError);
      }
    }),
  );
});

test('a help page fits its width and lists choices and defaults', () => {
  const page = helpPage(declare(), 'tsdocker try [options] <first> [others...]', 70);
  expect(page).toMatchInlineSnapshot(`
    "Usage: tsdocker try [options] <first> [others...]



    Arguments:
      first                  a word
      others                 more words

    Options:
      -a, --all              a flag
      -q                     a flag without a long name
      -t, --tail <count>     a value
      -e, --env <pair>       a value; repeatable
      --no-cache             a flag that is on
      --dry-run              a flag of two words
      --wait [time]          may have a value
      -o, --output <format>  one of several (one of table, json; default:
                             table)
      -h, --help             display help for command

    Examples:

    Exit codes:
    "
  `);
  expect(page.split('\n').every((line) => line.length <= 70)).toBe(true);
});

describe('what is no option behind the first argument', () => {
  const keeping = (...argv: string[]): unknown => {
    const parsed = parseCommand(declare().keepUnknownOptions(), argv);
    return parsed.help ? 'help' : [parsed.args, parsed.options];
  };

  test('is an argument', () => {
    expect(keeping('x', '-I', '-e', 'A=1', '--other=2', '-aX', '--', '-a')).toEqual([
      ['x', ['-I', '--other=2', '-aX', '-a']],
      { ...DEFAULTS, env: ['A=1'] },
    ]);
    expect(keeping('x', '-aq', '-t3')).toEqual([['x', []], { ...DEFAULTS, all: true, q: true, tail: 3 }]);
    expect(keeping('x', '--help')).toBe('help');
  });

  test('is an error before it', () => {
    expect(() => keeping('-I', 'x')).toThrow(UsageError);
  });
});
