/** The chain from an edit to how a resource is now, out of what the timeline holds of it. Pure. */
import type { WhyStep } from '../../api/views/explain-views.ts';
import { formatTime } from '../../model/clock.ts';
import type { TimelineEntry } from '../../model/status/timeline.ts';
import { baseKey, isNext } from '../../model/update.ts';
import { isOpType, OP_TRAITS, type OpTraits } from '../../reconcile/op-traits.ts';
import { ROLLED_BACK } from '../sources/source-changes.ts';

/** A step before repetitions are counted, with what makes it the same as another one. */
interface Link {
  readonly step: WhyStep;
  readonly sameness: string;
}

/** Words for ops of other versions as well, which the timeline may hold. */
function wordsFor(what: string): Pick<OpTraits, 'done' | 'failed'> {
  return isOpType(what) ? OP_TRAITS[what] : { done: what, failed: `not ${what}` };
}

function opText({ what, ok, message, run }: TimelineEntry): string {
  const words = wordsFor(what);
  const which = run === null ? '' : ` (run ${run})`;
  if (ok) return message === '' ? `${words.done}${which}` : `${words.done} (${message})`;
  return `${words.failed}${which}: ${message}`;
}

/** That an update failed is what happened, and not why. */
const isFailure = ({ what, message }: TimelineEntry): boolean => what === 'container.fail-update' && message === '';

/** Whose step it is where the update of a container has made two of it. */
function whose({ key }: TimelineEntry): string {
  if (key === null || baseKey(key) === key) return '';
  return isNext(key) ? 'successor: ' : 'predecessor: ';
}

const textOf = (entry: TimelineEntry): string => `${whose(entry)}${whatOf(entry)}`;

function whatOf(entry: TimelineEntry): string {
  const { kind, what, message, run, ok } = entry;
  switch (kind) {
    case 'edit':
      if (what === ROLLED_BACK) return `rolled ${message}`;
      return ok ? message : `edit not taken over: ${message}`;
    case 'op':
      return isFailure(entry) ? entry.cause : opText(entry);
    case 'start':
    case 'drift':
      return opText(entry);
    case 'exit':
    case 'adopt':
      return run === null ? message : `${message} (run ${run})`;
    case 'hold':
      return `${what}: ${message}`;
    case 'override':
    case 'probe':
    case 'resolver':
      return message;
  }
}

/** Numbers that count up or vary from one repetition to the next do not make it another thing. */
const withoutNumbers = (text: string): string => text.replace(/\d+(\.\d+)?/g, '#');

function exactNumbers({ kind, message }: TimelineEntry): string {
  return kind === 'exit' ? message : withoutNumbers(message);
}

function link(entry: TimelineEntry): Link {
  const { key, kind, ok, what, atMs, generation, source, log } = entry;
  const cause = isFailure(entry) ? '' : entry.cause;
  return {
    step: { at: formatTime(atMs), kind, ok, text: textOf(entry), cause, generation, source, log, times: 1 },
    sameness: [key, kind, ok, what, exactNumbers(entry), withoutNumbers(entry.cause)].join('\n'),
  };
}

/** Ops that one cause led to and that went well are one step: `created, connected, started (run 1)`. */
function joinOps(entries: readonly TimelineEntry[]): Link[] {
  const links: Link[] = [];
  let previous: TimelineEntry | undefined;
  for (const entry of entries) {
    const next = link(entry);
    const last = links.at(-1);
    const joins = previous !== undefined && isOp(previous) && isOp(entry) && previous.cause === entry.cause;
    if (last !== undefined && joins && previous?.key === entry.key && previous.ok && entry.ok) {
      const step = {
        ...next.step,
        text: `${last.step.text}, ${whatOf(entry)}`,
        source: last.step.source ?? entry.source,
      };
      links[links.length - 1] = { step, sameness: `${last.sameness}\n${next.sameness}` };
    } else links.push(next);
    previous = entry;
  }
  return links;
}

const isOp = ({ kind }: TimelineEntry): boolean => kind === 'op' || kind === 'start' || kind === 'drift';

/** Longest cycle of steps that is looked for: exit, hold, start, and what failed in between. */
const LONGEST_CYCLE = 5;

function endsWithCycle(links: readonly Link[], length: number): boolean {
  const [last, before] = [links.slice(-length), links.slice(-2 * length, -length)];
  return before.length === length && last.every(({ sameness }, index) => sameness === before[index]?.sameness);
}

/** Collapses repeated steps into their last occurrence, with a count. */
function countRepetitions(links: readonly Link[]): WhyStep[] {
  const result: Link[] = [];
  for (const next of links) {
    result.push(next);
    for (let length = 1; length <= LONGEST_CYCLE; length++) {
      if (!endsWithCycle(result, length)) continue;
      const last = result.splice(-length);
      const before = result.splice(-length);
      for (const [index, { step, sameness }] of last.entries()) {
        const times = (before[index]?.step.times ?? 1) + step.times;
        result.push({ step: { ...step, times }, sameness });
      }
      break;
    }
  }
  return result.map(({ step }) => step);
}

const isEdit = ({ kind, ok, what }: TimelineEntry): boolean => kind === 'edit' && ok && what !== ROLLED_BACK;

/** What an op brought about is written down before its end is: the cause is shown first. */
function causesFirst(entries: readonly TimelineEntry[]): TimelineEntry[] {
  const result = [...entries];
  for (const [index, entry] of entries.entries()) {
    const next = entries[index + 1];
    if (entry.what !== ROLLED_BACK || next?.what !== 'container.fail-update') continue;
    result.splice(index, 2, next, entry);
  }
  return result;
}

/**
 * The steps that led to the present, oldest first, from the latest edit of the declaration on. What a failed update
 * brought back is no edit: the one that failed is what a person asks for.
 * @param entries of one resource and what its update made beside it, oldest first
 */
export function whyChain(entries: readonly TimelineEntry[]): WhyStep[] {
  const edit = entries.findLastIndex(isEdit);
  return countRepetitions(joinOps(causesFirst(entries.slice(Math.max(0, edit)))));
}
