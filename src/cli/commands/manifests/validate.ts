import type { ManifestInput } from '../../../api/requests.ts';
import type { NoteView } from '../../../api/views/plan-views.ts';
import type { IssueView } from '../../../api/views/resource-views.ts';
import type { ManifestIssue } from '../../../manifest/issue.ts';
import { ERROR_CATALOGUE } from '../../../model/errors/error-catalogue.ts';
import { formatPosition } from '../../../model/resource.ts';
import type { Command } from '../../command-line/command.ts';
import type { CliContext } from '../../context.ts';
import { isData } from '../../data.ts';
import { document, type OutputFormat, outputOption } from '../../documentation.ts';
import { EXIT } from '../../exit-codes.ts';
import { warnOfImports } from '../../import-warnings.ts';
import { type ManifestOptions, readManifests, textsOf } from '../../input.ts';
import { manifestOptions, requireManifests } from '../../options.ts';
import { noteLines } from '../../output/plan.ts';
import { plural } from '../../output/text.ts';

interface ValidateOptions extends ManifestOptions {
  readonly output: OutputFormat;
}

export function configure(command: Command, context: CliContext): void {
  document(command, {
    description:
      'Checks manifests without a supervisor: syntax, fields, references, conflicts and circles, also between the files named. ' +
      'All problems are shown at once, each with its file, line and column.\n\n' +
      'Names in apps that are not among the files are reported and assumed to exist: name those files too to check them.\n\n' +
      'Properties of the host, like a port in use or a missing image, are not checked here: use ' +
      '`tsdocker plan -f`.',
    examples: [
      ['tsdocker validate -f blog.yaml', 'Check one manifest'],
      ['tsdocker validate -f /etc/tsdocker/manifests', 'Check a whole directory, as in a commit hook or CI'],
      ["tsdocker validate -f blog.yaml -o json | jq '.problems[].line'", 'Only the wrong lines'],
    ],
    exitCodes: [
      ['0', 'everything is valid'],
      ['1', 'there are problems, or a file cannot be read'],
    ],
  });
  manifestOptions(command, 'manifests to check');
  command.addOption(outputOption('table', 'json', 'yaml'));
  command.action(context.action((options: ValidateOptions) => run(context, options)));
}

async function run(context: CliContext, options: ValidateOptions): Promise<number> {
  const inputs = requireManifests(await readManifests(context, options));
  const { issues, warnings, elsewhere, notes } = await check(context, inputs);
  if (isData(options.output)) {
    const lists = { problems: issues.map(flat), warnings: warnings.map(flat), notChecked: elsewhere.map(flat), notes };
    await context.printData({ valid: issues.length === 0, ...lists }, options.output);
    return issues.length === 0 ? EXIT.ok : EXIT.error;
  }
  await warnOfImports(context, inputs);
  for (const { position } of elsewhere) {
    context.warn(
      `note: ${formatPosition(position)}: not checked: it names another app, which is not among these files`,
    );
  }
  for (const line of noteLines(notes)) context.warn(line);
  if (issues.length === 0) {
    context.print(`${plural(inputs.length, 'manifest')}: valid`);
    return EXIT.ok;
  }
  const { formatIssues } = await import('../../../manifest/issue.ts');
  context.warn(formatIssues(issues, textsOf(inputs)).trimEnd());
  return EXIT.error;
}

/** As in the plans of the supervisor. */
function flat({ code, message, position, hint = ERROR_CATALOGUE[code].hint }: ManifestIssue): IssueView {
  return { code, message, ...position, hint };
}

/** Problems, names in apps that none of the files is of, and remarks. */
async function check(
  context: CliContext,
  inputs: readonly ManifestInput[],
): Promise<{
  readonly issues: readonly ManifestIssue[];
  readonly warnings: readonly ManifestIssue[];
  readonly elsewhere: readonly ManifestIssue[];
  readonly notes: readonly NoteView[];
}> {
  const { desiredState } = await import('../../../manifest/desired-state.ts');
  const { NETWORK_DRIVERS_OF_MANIFESTS } = await import('../../../composition/network-drivers.ts');
  const { declarationNotes } = await import('../../../model/notes/declaration-notes.ts');
  const { readContentFile } = await import('../../../manifest/source/files.ts');
  const sources = inputs.map(({ file, baseDir, text }) => ({
    sourceId: file,
    file,
    baseDir: baseDir === '' ? context.streams.cwd : baseDir,
    content: { ok: true as const, text },
    lastGood: null,
  }));
  const elsewhere = new Map<string, ManifestIssue>();
  const resolution = desiredState(sources, {
    generation: 0,
    defaultHostIp: '0.0.0.0',
    networkDrivers: NETWORK_DRIVERS_OF_MANIFESTS,
    readFile: readContentFile,
    // Hashes are not looked at: nothing is kept of them.
    hashSecret: () => '',
    onOtherApp: (issue) => elsewhere.set(JSON.stringify(issue), issue),
  });
  const outcomes = [...resolution.sources.values()];
  return {
    issues: outcomes.flatMap(({ issues }) => issues),
    warnings: outcomes.flatMap(({ warnings }) => warnings),
    elsewhere: [...elsewhere.values()],
    notes: declarationNotes(resolution.state.resources).map(({ key, message, hint, source, warning }) => ({
      resource: key,
      message,
      hint,
      ...source,
      ...(warning && { warning }),
    })),
  };
}
