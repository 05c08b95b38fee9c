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
      'Without -f it is the plan of this moment; with -f the plan after those manifests were applied. ' +
      'It comes from the engine that acts, against the state of the host as it is.\n\n' +
      'The plan of this moment also tells what is not done until a person acts: what waits for `tsdocker approve`, with ' +
      'what that would change, manifests that are rejected or held, applied ones whose files changed since, and files that ' +
      'containers use as they are at the moment (live), so that no rollback brings them back.',
    examples: [
      ['tsdocker plan', 'What is left to do right now, if anything'],
      ['tsdocker plan -f blog.yaml', 'What applying this manifest would do'],
      ["tsdocker plan -f blog.yaml -o json | jq '.ops[].cause'", 'The causes alone, for a script'],
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
