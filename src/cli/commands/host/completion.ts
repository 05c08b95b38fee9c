import { Argument, COMPLETABLE, type Command, type Completable, Option } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document, hostOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { bashCompletion, fishCompletion, type ProgramShape, shapeOf, zshCompletion } from '../../output/completion.ts';

type Shell = 'bash' | 'zsh' | 'fish';

const SCRIPTS: Readonly<Record<Shell, (shape: ProgramShape) => string>> = {
  bash: bashCompletion,
  zsh: zshCompletion,
  fish: fishCompletion,
};

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints a script with which a shell completes commands, options, and the names of resources. ' +
      'It is not installed automatically: the examples show where it belongs.',
    examples: [
      ['source <(tsdocker completion bash)', 'In this bash, or for good from ~/.bashrc'],
      [
        'tsdocker completion zsh > /usr/local/share/zsh/site-functions/_tsdocker',
        'For zsh; start a new shell afterwards',
      ],
      ['tsdocker completion fish > ~/.config/fish/completions/tsdocker.fish', 'For fish'],
    ],
  });
  command.addArgument(new Argument('<shell>', 'which shell').choices(Object.keys(SCRIPTS)));
  command.addOption(
    new Option('--candidates <what>', 'print the candidates for a word, for the scripts').choices(COMPLETABLE),
  );
  command.addOption(hostOption());
  command.action(
    context.action(async (shell: Shell, { candidates: what }: { readonly candidates?: Completable }) => {
      if (what !== undefined) {
        const { candidates } = await import('../../candidates.ts');
        context.print((await candidates(await context.client(), what)).map((word) => `${word}\n`).join(''));
        return EXIT.ok;
      }
      context.print(SCRIPTS[shell](shapeOf(context.allCommands())));
      return EXIT.ok;
    }),
  );
}
