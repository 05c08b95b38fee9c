import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../src/cli/commands.ts';
import { tsdocker } from '../../support/api/in-process.ts';

const NAMES = (
  'apply approve attach build changes commit completion convert cp create daemon delete describe diff doctor down ' +
  'events exec export get history host-shutdown image images import info inspect job jobs kill load login logout ' +
  'logs network pause plan port ps pull push rename restart rm rmi rollback run save schema search start stats ' +
  'stop system tag tags top unpause up update validate version volume wait why'
).split(' ');

test('the list of commands', () => {
  expect(COMMANDS.map(({ name }) => name).sort()).toEqual(NAMES);
});

describe('every help page has a summary, an example and exit codes', () => {
  test.each(NAMES)('%s', async (name) => {
    const { exitCode, stdout, stderr } = await tsdocker([name, '--help']);
    expect([exitCode, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^Usage: tsdocker ${name} .*\n\n[A-Z]`));
    expect(stdout).toMatch(/\nExamples:\n {2}# [A-Z].*\n {2}\S/);
    expect(stdout).toContain(name === 'schema' ? 'tsdocker schema' : `tsdocker ${name}`);
    expect(stdout).toMatch(/\nExit codes:\n {2}(0|N) +\S/);
    expect(stdout.split('\n').filter((line) => line.length > 100 && !line.startsWith('  tsdocker'))).toEqual([]);
    expect(await tsdocker(['help', name])).toEqual({ exitCode, stdout, stderr });
  });
});

test('the program itself', async () => {
  const { exitCode, stdout } = await tsdocker(['--help']);
  expect(exitCode).toBe(0);
  for (const { name, summary } of COMMANDS) expect(stdout).toMatch(new RegExp(`^ {2}${name} +${summary}$`, 'm'));
  for (const again of [['help'], ['help', 'help']]) expect(await tsdocker(again)).toMatchObject({ exitCode, stdout });
  expect(await tsdocker([])).toMatchObject({ exitCode: 64, stdout: '' });
  expect((await tsdocker(['--version'])).stdout).toMatch(/^\d+\.\d+\.\d+\n$/);
});

test.each([
  [['aply'], "error: unknown command 'aply'\nhint: did you mean `tsdocker apply`?\n"],
  [['frobnicate'], "error: unknown command 'frobnicate'\nhint: `tsdocker --help` lists the commands.\n"],
  [['get', '--outptu', 'json'], "error: unknown option '--outptu'\nhint: did you mean --output?\n"],
  [['stop', '--time', '3', 'web'], "error: unknown option '--time'\nhint: did you mean --timeout?\n"],
  [
    ['apply', 'shop.yaml'],
    "error: too many arguments for 'apply'. Expected 0 arguments but got 1.\nhint: did you mean `tsdocker apply -f shop.yaml`?\n",
  ],
  [
    ['describe'],
    "error: missing required argument 'resource'\nhint: `tsdocker describe --help` shows its arguments.\n",
  ],
  [
    ['load'],
    "error: required option '-i, --input <path>' not specified\nhint: `tsdocker load --help` shows its arguments.\n",
  ],
  [
    ['completion', 'csh'],
    "error: command-argument value 'csh' is invalid for argument 'shell'. Allowed choices are bash, zsh, fish.\n" +
      'hint: `tsdocker completion --help` shows its arguments.\n',
  ],
])('%j is a usage error', async (argv, stderr) => {
  expect(await tsdocker(argv)).toEqual({ exitCode: 64, stdout: '', stderr });
});

describe('a command of another program is answered with our equivalent', () => {
  test.each([
    ['compose up', 'did you mean `tsdocker up`?'],
    ['container ls', 'did you mean `tsdocker ps`?'],
    ['Deploy x', 'did you mean `tsdocker up`?'],
    ['compose frob', 'did you mean `tsdocker convert -f compose.yaml`, then apply?'],
    ['image ls', 'did you mean `tsdocker images`?'],
    ['constructor', '`tsdocker --help` lists the commands.'],
  ])('%s', async (line, hint) => {
    const { exitCode, stdout, stderr } = await tsdocker(line.split(' '));
    expect([exitCode, stdout]).toEqual([64, '']);
    expect(stderr).toMatch(/^error: /);
    expect(stderr).toContain(`\nhint: ${hint}\n`);
  });

  test('every suggested command exists and accepts the suggested options', async () => {
    const hints = [...readFileSync('src/cli/meanings.ts', 'utf8').matchAll(/: '([^']+)',$/gm)].map(([, text]) => text);
    expect(hints.length).toBeGreaterThan(40);
    for (const hint of hints) {
      const [command = '', ...words] = (hint ?? '').split(', ')[0]?.split(' ') ?? [];
      const options = words.filter((word) => word.startsWith('-') && word !== '-it');
      const { exitCode, stdout } = await tsdocker([command, '--help']);
      expect([hint, exitCode]).toEqual([hint, 0]);
      for (const option of options) expect(stdout).toMatch(new RegExp(`^ +.*${option}\\b`, 'm'));
    }
  });
});

test.each(['bash', 'zsh', 'fish'])('the completion for %s offers every command', async (shell) => {
  const { exitCode, stdout } = await tsdocker(['completion', shell]);
  expect(exitCode).toBe(0);
  for (const name of NAMES) expect(stdout).toMatch(new RegExp(`(?<![\\w-])${name}(?![\\w-])`));
});

test('schema prints a JSON Schema', async () => {
  const { exitCode, stdout } = await tsdocker(['schema']);
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({ $schema: 'https://json-schema.org/draft/2020-12/schema' });
});
