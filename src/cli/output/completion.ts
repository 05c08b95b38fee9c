/** Completion scripts, derived from the commands as they are declared. */
import type { Completable, DeclaredCommand, Option } from '../command-line/command.ts';

interface OptionShape {
  readonly flags: readonly string[];
  readonly doc: string;
  readonly takesValue: boolean;
  readonly choices: readonly string[];
  /** Its value names something that the supervisor has. */
  readonly names: Completable | null;
}

interface CommandShape {
  readonly name: string;
  readonly summary: string;
  readonly options: readonly OptionShape[];
  /** Fixed words its arguments may be. */
  readonly words: readonly string[];
  /** Its arguments name something that the supervisor has. */
  readonly names: Completable | null;
}

export type ProgramShape = readonly CommandShape[];

export function shapeOf(commands: readonly DeclaredCommand[]): ProgramShape {
  return commands.map(({ name, summary, command }) => ({
    name,
    summary,
    options: command.options.map(optionShape),
    words: command.arguments.flatMap(({ argChoices }) => argChoices),
    names: command.arguments.find(({ completable }) => completable !== null)?.completable ?? null,
  }));
}

function optionShape({ short, long, description, value, argChoices, completable }: Option): OptionShape {
  return {
    flags: [short, long].filter((flag) => flag !== null),
    doc: description,
    takesValue: value === 'required',
    choices: argChoices,
    names: completable,
  };
}

/** What follows options that take a value; whether a flag does differs from command to command. */
function bashValues({ name, options }: CommandShape): string[] {
  const patterns = ({ flags }: OptionShape) => flags.map((flag) => `${name},${flag}`);
  const named = options.filter(({ choices, names }) => choices.length > 0 || names !== null);
  const files = options.filter((option) => option.takesValue && !named.includes(option));
  return [
    ...named.map((option) => {
      const given = option.choices.length > 0 ? `words="${option.choices.join(' ')}"` : `names=${option.names}`;
      return `    ${patterns(option).join('|')}) ${given} ;;`;
    }),
    ...(files.length === 0 ? [] : [`    ${files.flatMap(patterns).join('|')}) files=1 ;;`]),
  ];
}

export function bashCompletion(shape: ProgramShape): string {
  const cases = shape.map(({ name, options, words, names }) => {
    const flags = options.flatMap((option) => option.flags).join(' ');
    return `    ${name}) flags="${flags}"; words="${words.join(' ')}"; names=${names ?? ''} ;;`;
  });
  const commands = shape.map(({ name }) => name).join(' ');
  return `# bash completion for tsdocker; written by: tsdocker completion bash
_tsdocker() {
  local line cur prev command= host= flags= words= names= files= i
  # By blanks alone: a word with colons is several words to bash.
  read -ra line <<< "\${COMP_LINE:0:COMP_POINT}."
  cur=\${line[-1]%.} prev=\${line[-2]}
  for ((i = 1; i < \${#line[@]} - 1; i++)); do
    case \${line[i]} in
      -H|--host) host=\${line[++i]} ;;
      -*) ;;
      *) command=\${line[i]}; break ;;
    esac
  done
  case $command,$prev in
    ,-H|,--host) files=1 ;;
${shape.flatMap(bashValues).join('\n')}
  esac
  if [[ $files && $cur != -* ]]; then
    COMPREPLY=($(compgen -f -- "$cur"))
    return
  fi
  [[ $words$names ]] || case $command in
    "") words="${commands} help"; flags="-H --host -v --version -h --help" ;;
    help) words="${commands}" ;;
${cases.join('\n')}
  esac
  if [[ $cur == -* ]]; then
    COMPREPLY=($(compgen -W "$flags -h --help" -- "$cur"))
  else
    [[ $names ]] && words="$words $(tsdocker completion bash --candidates "$names" \${host:+-H "$host"} 2>/dev/null)"
    COMPREPLY=($(compgen -W "$words" -- "$cur"))
    [[ $cur == *:* && $COMP_WORDBREAKS == *:* ]] && COMPREPLY=("\${COMPREPLY[@]#"\${cur%"\${cur##*:}"}"}")
  fi
}
complete -o filenames -o bashdefault -F _tsdocker tsdocker
`;
}

export function zshCompletion(shape: ProgramShape): string {
  const commands = shape.map(({ name, summary }) => `    '${name}:${quote(summary)}'`).join('\n');
  const cases = shape.map(({ name, options, words, names }) => {
    const specs = options.map((option) => `        ${zshOption(option)} \\`);
    const argument =
      names === null
        ? `'*:argument:${words.length > 0 ? `(${words.join(' ')})` : '_files'}'`
        : `'*:${names}:_tsdocker_names ${names}'`;
    return `      ${name})\n      _arguments \\\n${[...specs, `        ${argument}`].join('\n')}\n      ;;`;
  });
  return `#compdef tsdocker
# zsh completion for tsdocker; written by: tsdocker completion zsh
_tsdocker_names() {
  local -a names
  names=(\${(f)"$(tsdocker completion zsh --candidates $1 2>/dev/null)"})
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

function zshOption({ flags, doc, takesValue, choices, names }: OptionShape): string {
  const words = choices.length > 0 ? `(${choices.join(' ')})` : names === null ? '_files' : `_tsdocker_names ${names}`;
  const value = takesValue ? `:value:${words}` : '';
  const text = `[${quote(doc).replace(/[[\]:]/g, '\\$&')}]${value}`;
  const option = flags.length > 1 ? `{${flags.join(',')}}` : (flags[0] ?? '');
  return `'*'${option}'${text}'`;
}

/** Prints names that the supervisor has, nothing when none answers. */
const FISH_NAMES = 'tsdocker completion fish --candidates';

export function fishCompletion(shape: ProgramShape): string {
  const lines = shape.flatMap(({ name, summary, options, words, names }) => {
    const seen = `-n '__fish_seen_subcommand_from ${name}'`;
    const argument =
      names === null ? [] : [`complete -c tsdocker ${seen} -f -a '(${FISH_NAMES} ${names} 2>/dev/null)'`];
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

function fishOption({ flags, doc, takesValue, choices, names }: OptionShape): string {
  const option = flags.map((flag) => (flag.startsWith('--') ? `-l ${flag.slice(2)}` : `-s ${flag.slice(1)}`)).join(' ');
  const words = choices.length > 0 ? choices.join(' ') : names === null ? null : `(${FISH_NAMES} ${names} 2>/dev/null)`;
  const value = words !== null ? ` -x -a '${words}'` : takesValue ? ' -r' : '';
  return `${option}${value} -d '${quote(doc)}'`;
}

/** For the inside of single quotes in all three shells. */
function quote(text: string): string {
  return text.replace(/'/g, '’');
}
