/** Completion scripts, derived from the commands as they are declared. */
import type { DeclaredCommand, Option } from '../command-line/command.ts';

export interface OptionShape {
  readonly flags: readonly string[];
  readonly doc: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
}

export interface CommandShape {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** Fixed words its arguments may be. */
  readonly words: readonly string[];
  /** Its arguments name containers. */
  readonly containers: boolean;
}

export type ProgramShape = readonly CommandShape[];

const LISTS = ['containers', 'images', 'volumes', 'networks', 'manifests'];

export function shapeOf(commands: readonly DeclaredCommand[]): ProgramShape {
  return commands.map(({ name, summary, command }) => ({
    name,
    summary,
    options: command.options.map(optionShape),
    words: command.arguments.flatMap(({ name: argument, argChoices }) =>
      argChoices.length > 0 ? argChoices : argument === 'list' ? LISTS : [],
    ),
    containers: command.arguments.some((argument) => /^containers?$/.test(argument.name)),
  }));
}

function optionShape({ short, long, description, value, argChoices }: Option): OptionShape {
  return {
    flags: [short, long].filter((flag) => flag !== null),
    doc: description,
    takesValue: value === 'required',
    choices: argChoices,
  };
}

/** Prints APP/NAME of every container, nothing when no supervisor answers. */
const CONTAINER_NAMES = 'tsdocker get containers -o name 2>/dev/null';

export function bashCompletion(shape: ProgramShape): string {
  const valueFlags = [...new Set(shape.flatMap((c) => c.options.filter((o) => o.takesValue).flatMap((o) => o.flags)))];
  const cases = shape.map(({ name, options, words, containers }) => {
    const flags = options.flatMap((option) => option.flags).join(' ');
    return `    ${name}) flags="${flags}"; words="${words.join(' ')}"${containers ? '; containers=1' : ''} ;;`;
  });
  return `# bash completion for tsdocker; written by: tsdocker completion bash
_tsdocker() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} command= flags= words= containers= i
  for ((i = 1; i < COMP_CWORD; i++)); do
    case \${COMP_WORDS[i]} in
      -H|--host) ((i++)) ;;
      -*) ;;
      *) command=\${COMP_WORDS[i]}; break ;;
    esac
  done
  if [[ $prev == -o || $prev == --output ]]; then
    COMPREPLY=($(compgen -W "table wide json name" -- "$cur")); return
  fi
  if [[ $cur != -* ]]; then
    case $prev in ${valueFlags.join('|')}) COMPREPLY=($(compgen -f -- "$cur")); return ;; esac
  fi
  case $command in
    "") words="${shape.map(({ name }) => name).join(' ')}"; flags="-H --host -v --version -h --help" ;;
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags -h --help" -- "$cur"))
  else
    [[ $containers ]] && words="$(${CONTAINER_NAMES})"
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
  fi
}
complete -o filenames -o bashdefault -F _tsdocker tsdocker
`;
}

export function zshCompletion(shape: ProgramShape): string {
  const commands = shape.map(({ name, summary }) => `    '${name}:${quote(summary)}'`).join('\n');
  const cases = shape.map(({ name, options, words, containers }) => {
    const specs = options.map((option) => `        ${zshOption(option)} \\`);
    const argument = containers
      ? "'*:container:_tsdocker_containers'"
      : `'*:argument:${words.length > 0 ? `(${words.join(' ')})` : '_files'}'`;
    return `      ${name})\n      _arguments \\\n${[...specs, `        ${argument}`].join('\n')}\n      ;;`;
  });
  return `#compdef tsdocker
# zsh completion for tsdocker; written by: tsdocker completion zsh
_tsdocker_containers() {
  local -a names
  names=(\${(f)"$(${CONTAINER_NAMES})"})
  compadd -- $names
}
_tsdocker() {
  local -a commands
  commands=(
${commands}
  )
  local context state state_descr line
  typeset -A opt_args
  _arguments -C '(-H --host)'{-H,--host}'[socket of the supervisor]:address:' '1:command:->command' '*::argument:->argument'
  case $state in
    command) _describe command commands ;;
    argument)
      case $words[1] in
${cases.join('\n')}
      esac
    ;;
  esac
}
_tsdocker "$@"
`;
}

function zshOption({ flags, doc, takesValue, choices }: OptionShape): string {
  const value = takesValue ? `:value:${choices.length > 0 ? `(${choices.join(' ')})` : '_files'}` : '';
  const text = `[${quote(doc).replace(/[[\]:]/g, '\\$&')}]${value}`;
  const names = flags.length > 1 ? `{${flags.join(',')}}` : (flags[0] ?? '');
  return `'*'${names}'${text}'`;
}

export function fishCompletion(shape: ProgramShape): string {
  const lines = shape.flatMap(({ name, summary, options, words, containers }) => {
    const seen = `-n '__fish_seen_subcommand_from ${name}'`;
    const argument = containers ? [`complete -c tsdocker ${seen} -f -a '(${CONTAINER_NAMES})'`] : [];
    const fixed = words.length > 0 ? [`complete -c tsdocker ${seen} -f -a '${words.join(' ')}'`] : [];
    return [
      `complete -c tsdocker -n __fish_use_subcommand -f -a ${name} -d '${quote(summary)}'`,
      ...options.map((option) => `complete -c tsdocker ${seen} ${fishOption(option)}`),
      ...argument,
      ...fixed,
    ];
  });
  return `# fish completion for tsdocker; written by: tsdocker completion fish\n${lines.join('\n')}\n`;
}

function fishOption({ flags, doc, takesValue, choices }: OptionShape): string {
  const names = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  const value = choices.length > 0 ? ` -x -a '${choices.join(' ')}'` : takesValue ? ' -r' : '';
  return `${names}${value} -d '${quote(doc)}'`;
}

/** For the inside of single quotes in all three shells. */
function quote(text: string): string {
  return text.replace(/'/g, '’');
}
