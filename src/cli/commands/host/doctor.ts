import type { DoctorCheck } from '../../../api/views/host-views.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { largest } from '../../../model/lists.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { paint, plural, printable } from '../../output/text.ts';

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Checks what this host supports, and says how to fix each problem. A running supervisor does the checks; ' +
      'without one this command does them (run it as root for all checks).',
    examples: [
      ['tsdocker doctor', 'Before the first start, or when something does not work'],
      ['tsdocker doctor -o json', 'The checks for a script'],
    ],
    exitCodes: [
      ['0', 'everything works; there may be warnings'],
      ['1', 'a check failed'],
    ],
  });
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: { output: OutputFormat }) => run(context, options.output)));
}

const MARK = { ok: ['green', 'ok'], warning: ['yellow', 'warning'], failed: ['red', 'failed'] } as const;

async function run(context: CliContext, output: OutputFormat): Promise<number> {
  const checks = await allChecks(context);
  if (isData(output)) await context.printData(checks, output);
  else context.print(formatChecks(context, checks));
  return checks.some((check) => check.status === 'failed') ? EXIT.error : EXIT.ok;
}

async function allChecks(context: CliContext): Promise<readonly DoctorCheck[]> {
  const client = await context.client();
  try {
    return await client.doctor();
  } catch (thrown) {
    if (!(thrown instanceof TsdError) || thrown.code !== 'TSD_NO_SUPERVISOR') throw thrown;
    const { localDoctor } = await import('../../../composition/offline/local-doctor.ts');
    const here: DoctorCheck = { name: 'supervisor', status: 'warning', message: thrown.message, fix: thrown.hint };
    return [here, ...(await localDoctor())];
  }
}

function formatChecks(context: CliContext, checks: readonly DoctorCheck[]): string {
  const { streams } = context;
  const longest = largest(
    checks.map((check) => check.name.length),
    0,
  );
  const lines = checks.flatMap((check) => {
    const [style, word] = MARK[check.status];
    const mark = paint(streams, streams.stdout, style, word.padEnd(7));
    const line = `${mark}  ${printable(check.name).padEnd(longest)}  ${printable(check.message)}`;
    return check.fix === null ? [line] : [line, `${' '.repeat(longest + 11)}fix: ${printable(check.fix)}`];
  });
  const count = (status: DoctorCheck['status']) => checks.filter((check) => check.status === status).length;
  const sum = `${plural(checks.length, 'check')}: ${count('ok')} ok, ${plural(count('warning'), 'warning')}, ${count('failed')} failed`;
  return [...lines, '', sum].join('\n');
}
