import type { ApprovalView, FileNote, NoteView, PlanView } from '../../api/views/plan-views.ts';
import type { IssueView } from '../../api/views/resource-views.ts';
import { restOf } from '../../model/status/holds.ts';
import type { CliContext } from '../context.ts';
import { SIGN } from './diff.ts';
import { paint, plural, printable } from './text.ts';

/** Resources of an approval that are named. */
const NAMED_CHANGES = 20;

/** The plan of the engine, waits with reasons, pending decisions, and a summary. */
export function formatPlan(context: CliContext, plan: PlanView): string {
  const ops = plan.ops.length === 0 ? '' : plan.text.trimEnd();
  const approvals = plan.approvals.map((approval) => formatApproval(context, approval));
  return [
    ...(ops === '' ? [] : [ops]),
    ...stopped(plan),
    ...holdLines(plan),
    ...approvals,
    ...manifests(plan),
    ...noteLines(plan.notes ?? []),
    ...fileNoteLines(plan.fileNotes ?? []),
    sum(plan),
  ].join('\n');
}

/** Remarks with their line and remedy. */
export function noteLines(notes: readonly NoteView[]): string[] {
  return notes.flatMap(({ file, line, column, message, hint, warning }) => [
    printable(`${warning ? 'warning' : 'note'}  ${file}:${line}:${column}: ${message}`),
    `      hint: ${printable(hint)}`,
  ]);
}

/** One line each, and what to do about it. Notes that say the same to do say it once. */
export function fileNoteLines(notes: readonly FileNote[]): string[] {
  return notes.flatMap(({ kind, message, hint }, index) => {
    const saidNext = notes[index + 1]?.hint === hint;
    return [`${kind}: ${printable(message)}`, ...(hint === '' || saidNext ? [] : [`      hint: ${printable(hint)}`])];
  });
}

/** A completed one-shot waits for nothing; a resource that needs an approval is listed as such. */
function held({ holds, approvals }: PlanView): PlanView['holds'] {
  return holds.filter(
    ({ reason, resource }) => restOf(reason) === null && !approvals.some(({ name }) => name === resource),
  );
}

/** It is as a person wants it, and does not wait. */
function stopped({ holds }: PlanView): string[] {
  return holds.flatMap(({ resource, message, reason }) =>
    restOf(reason) === 'stopped' ? [`stopped  ${printable(resource)}: ${printable(message)}`] : [],
  );
}

function holdLines(plan: PlanView): string[] {
  return held(plan).flatMap(({ resource, message, reason, hint }) => [
    `held  ${printable(resource)}: ${printable(message)} (${reason})`,
    ...(hint === '' ? [] : [`      hint: ${printable(hint)}`]),
  ]);
}

/** Why something waits for an approval, and what would change with it. */
export function formatApproval(context: CliContext, { name, message, changes }: ApprovalView): string {
  const { streams } = context;
  const shown = changes.slice(0, NAMED_CHANGES).map(({ resource, change }) => {
    const [style, sign] = SIGN[change === 'deleted' ? 'removed' : change];
    const what = change === 'deleted' ? ' and its data' : '';
    return `    ${paint(streams, streams.stdout, style, `${sign} ${printable(resource)}${what}`)}`;
  });
  const more = changes.length - shown.length;
  const lines = [
    ...shown,
    ...(more > 0 ? [`    and ${more} more`] : []),
    ...(shown.length > 0 ? [] : ['    no change']),
  ];
  const title = `needs approval  ${printable(name)}: ${printable(message)}; after \`tsdocker approve ${printable(name)}\`:`;
  return [title, ...lines].join('\n');
}

function manifests({ manifests: all, approvals }: PlanView): string[] {
  const reasons = new Set(approvals.map(({ message }) => message));
  const lines = (word: string, issues: readonly IssueView[]) =>
    issues.map((issue) => {
      const { file, line, column, message, code, hint = '' } = issue;
      return printable(`${word}  ${file}:${line}:${column}: ${message}${code === 'TSD_UNTRUSTED' ? `. ${hint}` : ''}`);
    });
  return all.flatMap(({ file, state, issues, warnings, held, hint }) => {
    const leftOut = lines('warning', warnings);
    if (held !== null)
      return reasons.has(held)
        ? leftOut
        : [...leftOut, printable(`held  ${file}: ${hint === '' ? held : `${held}. ${hint}`}`)];
    return state === 'Rejected' ? [...leftOut, ...lines('rejected', issues)] : leftOut;
  });
}

function sum(plan: PlanView): string {
  const { ops, approvals, manifests: all } = plan;
  const heldBack = held(plan).length;
  const waiting = [
    ...(heldBack > 0 ? [`${plural(heldBack, 'resource')} held`] : []),
    ...(approvals.length > 0 ? [`${plural(approvals.length, 'approval')} pending`] : []),
    ...manifestCounts(all),
  ];
  if (ops.length === 0 && waiting.length === 0) return 'Nothing to do.';
  const counted = ops.length === 0 ? 'No operations' : plural(ops.length, 'operation');
  return `${[counted, ...waiting].join(', ')}.`;
}

/** `2 manifests rejected`, `1 manifest held`. */
export function manifestCounts(manifests: PlanView['manifests']): string[] {
  return (['Rejected', 'Held'] as const).flatMap((state) => {
    const count = manifests.filter((manifest) => manifest.state === state).length;
    return count > 0 ? [`${plural(count, 'manifest')} ${state.toLowerCase()}`] : [];
  });
}

/** True when nothing is planned and nothing waits. */
export function isSettled(plan: PlanView): boolean {
  const inForce = plan.manifests.every(({ state }) => state === 'Active');
  return plan.ops.length === 0 && plan.approvals.length === 0 && held(plan).length === 0 && inForce;
}
