import { TsdError } from '../../../model/errors/errors.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { document } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { plural } from '../../output/text.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Stops every container, dependents first, when the host goes down. Declarations are kept: the next ' +
      'boot starts them again, or the next start of the supervisor where the host stays up after --now. systemd calls it when it stops the service; while the host stays up it does nothing, because ' +
      'containers run without a supervisor.',
    examples: [
      ['tsdocker host-shutdown', 'As the ExecStop of tsdocker.service'],
      ['tsdocker host-shutdown --now', 'Stop all containers whatever the state of the host'],
    ],
    exitCodes: [
      ['0', 'all containers are stopped, or the host stays up'],
      ['1', 'the supervisor does not answer, or a container still runs'],
    ],
  });
  command.option('--now', 'do not ask systemd whether the host is shutting down');
  command.action(context.action((options: { now?: true }) => run(context, options.now === true)));
}

/** True when systemd is on its way down; `is-system-running` says so in a word (systemctl(1)). */
async function hostGoesDown(): Promise<boolean> {
  const { spawnSync } = await import('node:child_process');
  const { stdout } = spawnSync('systemctl', ['is-system-running'], { encoding: 'utf8' });
  return stdout?.trim() === 'stopping';
}

async function run(context: CliContext, now: boolean): Promise<number> {
  if (!now && !(await hostGoesDown())) {
    context.print('The host stays up: containers keep running.');
    return EXIT.ok;
  }
  const client = await context.client();
  const { stopped, running } = await client.hostShutdown();
  context.print(`Stopped ${plural(stopped, 'container')}.`);
  if (running.length > 0) {
    throw new TsdError(
      'TSD_TIMEOUT',
      `${plural(running.length, 'container')} still ${running.length === 1 ? 'runs' : 'run'}: ${running.join(', ')}`,
      {
        hint: "The supervisor's log says why: `journalctl -u tsdocker`.",
      },
    );
  }
  return EXIT.ok;
}
