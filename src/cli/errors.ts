/** What a person reads when something went wrong: `error: …`, `hint: …`. */
import type { IssueView } from '../api/views/resource-views.ts';
import { describeError, TsdError, toTsdError } from '../model/errors/errors.ts';
import type { UsageError } from './command-line/parse.ts';
import type { CliContext } from './context.ts';
import { paint, printable } from './output/text.ts';

function errorLine(context: CliContext, text: string): string {
  return `${paint(context.streams, context.streams.stderr, 'red', 'error:')} ${text}`;
}

/** Prints any thrown value. A defect of ours is shown with its stack. */
export function printError(context: CliContext, thrown: unknown): void {
  const error = toTsdError(thrown);
  context.warn(errorLine(context, printable(describeError(error))));
  for (const line of error.log) context.warn(`    | ${printable(line)}`);
  if (error.hint !== '') context.warn(`hint: ${printable(error.hint)}`);
  if (error.class === 'bug' && !(thrown instanceof TsdError) && thrown instanceof Error)
    context.warn(thrown.stack ?? '');
}

/** A command line that is wrong. */
export function printUsageError(context: CliContext, { message, hint }: UsageError): void {
  context.warn(errorLine(context, printable(message)));
  if (hint !== '') context.warn(`hint: ${printable(hint)}`);
}

/** A deviation from the request that is not a failure. */
export function printWarning(context: CliContext, thrown: unknown): void {
  const { streams } = context;
  const error = toTsdError(thrown);
  context.warn(`${paint(streams, streams.stderr, 'yellow', 'warning:')} ${printable(describeError(error))}`);
  if (error.hint !== '') context.warn(`hint: ${printable(error.hint)}`);
}

/** Several errors at once; a hint that they share is printed once, after them. */
export function printErrors(context: CliContext, errors: readonly TsdError[]): void {
  for (const error of errors) context.warn(errorLine(context, printable(describeError(error))));
  for (const hint of new Set(errors.map((error) => error.hint))) context.warn(`hint: ${printable(hint)}`);
}

/** Problems of manifests, each at its place; a hint that follows several of them is printed once, after the last. */
export function printIssues(context: CliContext, issues: readonly IssueView[]): void {
  for (const [index, issue] of issues.entries()) {
    const place = issue.line > 0 ? `${issue.file}:${issue.line}:${issue.column}` : issue.file;
    context.warn(errorLine(context, printable(`${place}: ${issue.message}`)));
    const { hint } = issue;
    if (hint !== undefined && hint !== '' && hint !== issues[index + 1]?.hint) context.warn(`hint: ${printable(hint)}`);
  }
}
