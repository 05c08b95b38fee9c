import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { printIssues } from '../../errors.ts';
import { EXIT } from '../../exit-codes.ts';
import { warnOfImports } from '../../import-warnings.ts';
import { type ManifestOptions, readManifests } from '../../input.ts';
import { manifestOptions } from '../../options.ts';
import { formatPlan, isSettled } from '../../output/plan.ts';

interface PlanOptions extends ManifestOptions {
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Prints every operation the supervisor would carry out, in order and with its cause, and changes nothing.\n\n' +
      'Without -f it is the current plan; with -f the plan after those manifests are applied. ' +
      'It comes from the engine that acts, and uses the present state of the host.\n\n' +
      'The current plan also shows what waits for a person: changes that need `tsdocker approve`, with ' +
      'their effect, rejected and held manifests, applied ones whose files changed since, and files that ' +
      'containers use without a copy (live), which no rollback restores.',
    examples: [
      ['tsdocker plan', 'Remaining operations'],
      ['tsdocker plan -f blog.yaml', 'Operations that this manifest would cause'],
      ["tsdocker plan -f blog.yaml -o json | jq '.ops[].cause'", 'Only the causes, for a script'],
    ],
    exitCodes: [
      ['0', 'nothing to do, nothing held; without -f: nothing rejected or waiting for approval'],
      ['1', 'error, or the manifests have errors'],
      ['2', 'there are operations, or something is rejected, held, or waits for approval'],
    ],
  });
  manifestOptions(command, 'plan as if these manifests were applied');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: PlanOptions) => run(context, options)));
}

async function run(context: CliContext, options: PlanOptions): Promise<number> {
  const client = await context.client();
  const inputs = await readManifests(context, options);
  await warnOfImports(context, inputs);
  const plan = await client.plan(inputs);
  if (isData(options.output)) await context.printData(plan, options.output);
  else if (plan.issues.length === 0) context.print(formatPlan(context, plan));
  printIssues(context, plan.issues);
  if (plan.issues.length > 0) return EXIT.error;
  return isSettled(plan) ? EXIT.ok : EXIT.changes;
}
