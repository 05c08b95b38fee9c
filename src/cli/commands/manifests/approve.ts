import { errorFromJson } from '../../../api/http-errors.ts';
import type { ApprovalView } from '../../../api/views/plan-views.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { Argument, type Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { printWarning } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';
import { formatApproval } from '../../output/plan.ts';
import { plural, printable } from '../../output/text.ts';
import { confirmed } from '../../terminal/ask.ts';

interface ApproveOptions {
  readonly yes?: true;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Approves changes that the supervisor holds: the deletion of a volume, the removal of everything after the watched ' +
      'directory disappeared, the manifest of an app that is held at an earlier generation.\n\n' +
      'Without names it shows and approves everything that is pending; `tsdocker plan` only shows it. ' +
      'Where that removes all containers of the watched directory, it asks first on a terminal, and a script must pass ' +
      '--yes or name the directory.\n\n' +
      'An app whose declaration is uncertain, after history.db was lost or replaced by an older one, is shown with each ' +
      'possible declaration (APP@store, APP@copy, APP@none): approve one of them by its name.',
    examples: [
      ['tsdocker plan', 'See what is held, and what approving it would change'],
      ['tsdocker approve volume/blog/data', 'Let one volume be deleted'],
      ['tsdocker approve blog', 'Accept the manifest of a held app'],
      ['tsdocker approve blog@copy', 'Declare an app as the second copy says, not as history.db does'],
      ['tsdocker approve', 'Approve everything that is pending'],
    ],
    exitCodes: [
      ['0', 'approved, or nothing was waiting'],
      ['1', 'error, or it was not confirmed and nothing was approved'],
      ['130', 'Ctrl-C at the question; nothing was approved'],
    ],
  });
  command.addArgument(
    new Argument('[names...]', 'resources (KIND/APP/NAME), apps, manifest files or the watched directory').completes(
      'approvals',
    ),
  );
  command.option('-y, --yes', 'do not ask, also when all containers of the watched directory are removed');
  command.action(context.action((names: string[], options: ApproveOptions) => run(context, names, options)));
}

async function run(context: CliContext, names: readonly string[], { yes }: ApproveOptions): Promise<number> {
  const client = await context.client();
  // Only the listed changes are approved, not later ones.
  const meant = names.length > 0 ? names : await shown(context, await client.approvals(), yes === true);
  const { names: approved, postponed } =
    meant.length === 0 ? { names: [], postponed: null } : await client.approve(meant);
  if (approved.length === 0) context.print('Nothing was waiting for approval.');
  else context.print(approved.map((name) => `approved ${printable(name)}\n`).join(''));
  if (postponed !== null) printWarning(context, errorFromJson(postponed));
  return EXIT.ok;
}

/** Shows what is pending and returns its names. @throws TSD_BAD_REQUEST unless it may be approved. */
async function shown(context: CliContext, pending: readonly ApprovalView[], yes: boolean): Promise<readonly string[]> {
  for (const approval of pending) context.print(formatApproval(context, approval));
  const gone = pending.flatMap(({ kind, changes }) => (kind === 'directory' ? changes : []));
  const containers = gone.filter(({ resource, change }) => change === 'removed' && resource.startsWith('container/'));
  const names = pending.filter(({ kind }) => kind !== 'choice').map(({ name }) => name);
  if (containers.length === 0 || yes) return names;
  const what = `removes ${plural(containers.length, 'container')}`;
  const directory = pending.find(({ kind }) => kind === 'directory')?.name ?? '';
  const refuse = (message: string) =>
    new TsdError('TSD_BAD_REQUEST', `${message}; nothing was approved`, {
      hint: `Run \`tsdocker approve --yes\`, or name the directory: \`tsdocker approve ${directory}\`.`,
    });
  if (context.streams.stdin.isTTY !== true) throw refuse(`this ${what}, and there is no terminal for the question`);
  if (!(await confirmed(context, `This ${what}. Go on?`))) throw refuse('not confirmed');
  return names;
}
