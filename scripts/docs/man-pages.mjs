/** packaging/man/: one page for the program and one for each command, from what their --help says. */
import { CliContext } from '../../src/cli/context.ts';
import { wholeProgram } from '../../src/cli/program.ts';

/** Text as roff takes it: no escapes, no requests, hyphens that can be copied. */
const roff = (text) =>
  text
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replace(/^(['.])/gm, '\\&$1');

const paragraphs = (text) => text.split(/\n{2,}/).flatMap((part) => ['.PP', roff(part)]);
const term = (name, text) => ['.TP', `.B ${roff(name)}`, roff(text)];

function section(title, lines) {
  return lines.length === 0 ? [] : [`.SH ${title}`, ...lines];
}

/** What documentation.ts puts after the options: examples with their meaning, and exit codes. */
function afterHelp(command) {
  let page = '';
  command.configureOutput({
    writeOut: (text) => {
      page += text;
    },
  });
  command.outputHelp();
  const [, examples = '', exits = ''] = /\nExamples:\n(.*)\nExit codes:\n(.*)/s.exec(page) ?? [];
  return {
    examples: examples
      .trimEnd()
      .split(/\n\n/)
      .flatMap((example) => {
        const [meaning = '', ...lines] = example.split('\n').map((line) => line.trim());
        return ['.PP', `${roff(meaning.replace(/^# /, ''))}:`, '.PP', '.RS 4', '.nf', ...lines.map(roff), '.fi', '.RE'];
      }),
    exits: exits
      .trimEnd()
      .split('\n')
      .flatMap((line) => {
        const [, code = '', meaning = ''] = /^ *(\S+) +(.*)$/.exec(line) ?? [];
        return term(code, meaning);
      }),
  };
}

function argumentDoc(argument) {
  const choices = argument.argChoices ? `one of ${argument.argChoices.join(', ')}` : '';
  return [argument.description, choices].filter((text) => text !== '').join('; ');
}

function optionDoc({ description, argChoices, defaultValue, defaultValueDescription }) {
  const notes = [
    argChoices ? `one of ${argChoices.join(', ')}` : '',
    defaultValue === undefined ||
    defaultValue === '' ||
    defaultValue === false ||
    (Array.isArray(defaultValue) && defaultValue.length === 0)
      ? ''
      : `default: ${defaultValueDescription ?? defaultValue}`,
  ].filter((text) => text !== '');
  return notes.length === 0 ? description : `${description} (${notes.join('; ')})`;
}

function options(command) {
  return command.options.flatMap((option) => term(option.flags, optionDoc(option)));
}

function page({ name, summary, usage, command, further, seeAlso, version }) {
  const { examples, exits } = afterHelp(command);
  const lines = [
    '.\\" Generated from the commands by `npm run generate`.',
    `.TH ${name.toUpperCase()} 1 "" "tsdocker ${version}" "tsdocker"`,
    // Names and paths are to be copied: neither broken nor stretched.
    '.nh',
    '.ad l',
    ...section('NAME', [`${roff(name)} \\- ${roff(summary)}`]),
    ...section('SYNOPSIS', [`.B ${roff(usage)}`]),
    ...section('DESCRIPTION', paragraphs(command.description())),
    ...section(
      'ARGUMENTS',
      command.registeredArguments.flatMap((argument) => term(argument.name(), argumentDoc(argument))),
    ),
    ...section('OPTIONS', options(command)),
    ...further,
    ...section('EXAMPLES', examples),
    ...section('EXIT STATUS', exits),
    ...section('SEE ALSO', [seeAlso.map((other) => `.BR ${roff(other)} (1)`).join(',\n')]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Texts by file name. */
export async function manPages(version) {
  const streams = { stdout: { write() {} }, stderr: { write() {} }, env: {}, cwd: '/' };
  const program = await wholeProgram(new CliContext(streams));
  const pages = {};
  const files = [
    ['/etc/tsdocker/manifests', 'manifests that are kept running'],
    ['/etc/tsdocker/daemon.yaml', 'settings of the daemon'],
    ['/var/lib/tsdocker', 'state that survives reboots'],
    ['/run/tsdocker/tsdocker.sock', 'the supervisor listens here'],
  ];
  pages['tsdocker.1'] = page({
    name: 'tsdocker',
    summary: 'keep what YAML manifests declare running on this host',
    usage: 'tsdocker [options] command',
    command: program,
    version,
    further: [
      ...section(
        'COMMANDS',
        program.commands.flatMap((command) => term(`tsdocker-${command.name()}(1)`, command.summary())),
      ),
      ...section(
        'FILES',
        files.flatMap(([path, meaning]) => term(path, meaning)),
      ),
    ],
    seeAlso: ['tsdocker-apply', 'tsdocker-daemon', 'tsdocker-doctor', 'tsdocker-get'],
  });
  for (const command of program.commands) {
    const name = `tsdocker-${command.name()}`;
    pages[`${name}.1`] = page({
      name,
      summary: command.summary(),
      usage: `tsdocker ${command.name()} ${command.usage()}`,
      command,
      version,
      further: [],
      seeAlso: ['tsdocker'],
    });
  }
  return pages;
}
