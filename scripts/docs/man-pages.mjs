/** Manual pages: one for the program and one for each command, from what their --help says. */
import { argumentRow, optionRow } from '../../src/cli/command-line/help.ts';
import { declareProgram } from '../../src/cli/program.ts';

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

function examples(command) {
  return command.examples.flatMap(([line, meaning]) => [
    '.PP',
    `${roff(meaning)}:`,
    '.PP',
    '.RS 4',
    '.nf',
    roff(line),
    '.fi',
    '.RE',
  ]);
}

const terms = (rows) => rows.flatMap(([name, meaning]) => term(name, meaning));

function page({ name, summary, usage, command, further, seeAlso, version }) {
  const lines = [
    '.\\" Generated from the commands by `npm run manuals`.',
    `.TH ${name.toUpperCase()} 1 "" "tsdocker ${version}" "tsdocker"`,
    // Names and paths are to be copied: neither broken nor stretched.
    '.nh',
    '.ad l',
    ...section('NAME', [`${roff(name)} \\- ${roff(summary)}`]),
    ...section('SYNOPSIS', [`.B ${roff(usage)}`]),
    ...section('DESCRIPTION', paragraphs(command.description)),
    ...section('ARGUMENTS', terms(command.arguments.map(argumentRow))),
    ...section('OPTIONS', terms(command.options.map(optionRow))),
    ...further,
    ...section('EXAMPLES', examples(command)),
    ...section('EXIT STATUS', terms(command.exitCodes)),
    ...section('SEE ALSO', [seeAlso.map((other) => `.BR ${roff(other)} (1)`).join(',\n')]),
  ];
  return `${lines.join('\n')}\n`;
}

/** Texts by file name, of commands as they declare themselves. */
export function manPages(version, commands) {
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
    command: declareProgram(),
    version,
    further: [
      ...section(
        'COMMANDS',
        commands.flatMap(({ name, summary }) => term(`tsdocker-${name}(1)`, summary)),
      ),
      ...section(
        'FILES',
        files.flatMap(([path, meaning]) => term(path, meaning)),
      ),
    ],
    seeAlso: ['tsdocker-apply', 'tsdocker-daemon', 'tsdocker-doctor', 'tsdocker-get'],
  });
  for (const { name: word, summary, command } of commands) {
    const name = `tsdocker-${word}`;
    pages[`${name}.1`] = page({
      name,
      summary,
      usage: `tsdocker ${command.usage}`,
      command,
      version,
      further: [],
      seeAlso: ['tsdocker'],
    });
  }
  return pages;
}
