/** How the past looks to a person: events, and the chain of `why`. */
import type { EventView, WhyStep, WhyView } from '../../api/views/explain-views.ts';
import { formatPosition, type SourcePosition } from '../../model/resource.ts';
import { messageSaysAll, type TimelineKind } from '../../model/status/timeline.ts';
import type { CliContext } from '../context.ts';
import { paint, printable, type Style } from './text.ts';

const LABELS: Readonly<Record<TimelineKind, string>> = {
  edit: 'edit',
  op: 'op',
  exit: 'exit',
  start: 'start',
  hold: 'waits',
  override: 'asked',
  drift: 'repaired',
  adopt: 'adopted',
  probe: 'probe',
  resolver: 'names',
};
const LABEL_WIDTH = 7;

const STYLES: Partial<Record<TimelineKind, Style>> = { edit: 'cyan', start: 'green', hold: 'yellow', override: 'cyan' };

function label(context: CliContext, kind: TimelineKind, ok: boolean): string {
  const text = LABELS[kind].padEnd(LABEL_WIDTH);
  const style = ok ? STYLES[kind] : 'red';
  return style === undefined ? text : paint(context.streams, context.streams.stdout, style, text);
}

/** `2026-01-02 03:04:05.678`, UTC as in everything we print. */
function moment(time: string): string {
  return time.replace('T', ' ').replace('Z', '');
}

function logLines(context: CliContext, log: readonly string[], indent: string): string[] {
  return log.map((line) => paint(context.streams, context.streams.stdout, 'dim', `${indent}| ${printable(line)}`));
}

/** `exited with 3 (run 2)`, `container.start (run 3): exited with 3, restart 2`. No part repeats another. */
function textOf(event: EventView): string {
  const { what, message, cause, run } = event;
  const which = run === null ? '' : ` (run ${run})`;
  const details = [message, cause].filter((text) => text !== '').join(' — ');
  if (messageSaysAll(event)) return `${details}${which}`;
  return `${what}${which}${details === '' ? '' : `: ${details}`}`;
}

/** One line, and the end of the log where it belongs to it. */
export function formatEvent(context: CliContext, event: EventView): string {
  const { time, kind, ok, resource, source } = event;
  const subject = resource ?? (source === null ? '' : formatPosition(source));
  const line = `${subject} ${textOf(event)}`;
  return [
    `${moment(time)}  ${label(context, kind, ok)}  ${printable(line)}`,
    ...logLines(context, event.log, '    '),
  ].join('\n');
}

function stepLines(context: CliContext, step: WhyStep): string[] {
  const { at, kind, ok, text, cause, source, generation, log, times } = step;
  const place = source === null ? '' : ` (${formatPosition(source)})`;
  const because = kind === 'edit' ? `${cause}, generation ${generation}${place}` : cause;
  const often = times > 1 ? `, ${times} times by now` : '';
  return [
    `  ${moment(at)}  ${label(context, kind, ok)}  ${printable(`${text}${often}`)}`,
    ...(because === '' ? [] : [`  ${' '.repeat(23)}  ${' '.repeat(LABEL_WIDTH)}  because: ${printable(because)}`]),
    ...logLines(context, log, `  ${' '.repeat(23)}  ${' '.repeat(LABEL_WIDTH)}  `),
  ];
}

function placeOf(source: SourcePosition | null): string {
  if (source === null) return 'declared by no manifest';
  return `${source.line === 0 ? 'asked for by' : 'declared at'} ${formatPosition(source)}`;
}

/** What it is, how that came, and what decides it now. */
export function formatWhy(context: CliContext, view: WhyView): string {
  const bold = (text: string) => paint(context.streams, context.streams.stdout, 'bold', text);
  const state = view.message === '' ? view.phase : `${view.phase}: ${view.message}`;
  const place = placeOf(view.source);
  const now = [...view.now, ...(view.hint === '' ? [] : [`hint: ${view.hint}`])];
  const past = view.steps.length === 0 ? ['its past is unknown'] : view.steps.flatMap((s) => stepLines(context, s));
  return [
    bold(printable(`${view.resource} is ${state}`)),
    `  ${printable(place)}`,
    '',
    bold('How it came'),
    ...past,
    ...(now.length === 0 ? [] : ['', bold('Now'), ...now.map((line) => `  ${printable(line)}`)]),
  ].join('\n');
}
