/** The chain from an edit to how a resource is now, out of what the timeline holds of it. Pure. */
import type { WhyStep } from '../api/explain-views.ts';
import { formatTime } from '../model/clock.ts';
import type { TimelineEntry } from '../model/timeline.ts';

/** A step before repetitions are counted, with what makes it the same as another one. */
interface Link {
  readonly step: WhyStep;
  readonly sameness: string;
}

const VERBS: Readonly<Record<string, string>> = {
  'container.create': 'created',
  'container.connect': 'connected',
  'container.start': 'started',
  'container.stop': 'stopped',
  'container.update': 'updated in place',
  'container.relink': 'told of new addresses',
  'container.disconnect': 'disconnected',
  'container.remove': 'removed',
  'image.load': 'loaded',
  'image.release': 'released',
  'volume.create': 'created',
  'volume.adopt': 'taken over',
  'volume.release': 'kept without a manifest',
  'volume.remove': 'deleted',
  'network.ensure': 'set up',
  'network.remove': 'removed',
  'orphan.remove': 'cleared away',
};

function opText({ what, ok, message, run }: TimelineEntry): string {
  const verb = VERBS[what] ?? what;
  const which = run === null ? '' : ` (run ${run})`;
  return ok ? `${verb}${which}` : `not ${verb}${which}: ${message}`;
}

function textOf(entry: TimelineEntry): string {
  const { kind, what, message, run, ok } = entry;
  switch (kind) {
    case 'edit':
      return ok ? message : `edit not taken over: ${message}`;
    case 'op':
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
      return message;
  }
}

/** Numbers that count up or vary from one repetition to the next do not make it another thing. */
const withoutNumbers = (text: string): string => text.replace(/\d+(\.\d+)?/g, '#');

function exactNumbers({ kind, message }: TimelineEntry): string {
  return kind === 'exit' ? message : withoutNumbers(message);
}

function link(entry: TimelineEntry): Link {
  const { kind, ok, what, cause, atMs, generation, source, log } = entry;
  return {
    step: { at: formatTime(atMs), kind, ok, text: textOf(entry), cause, generation, source, log, times: 1 },
    sameness: [kind, ok, what, exactNumbers(entry), withoutNumbers(cause)].join('\n'),
  };
}

/** Ops that one cause led to and that went well are one step: `created, connected, started (run 1)`. */
function joinOps(entries: readonly TimelineEntry[]): Link[] {
  const links: Link[] = [];
  let previous: TimelineEntry | undefined;
  for (const entry of entries) {
    const next = link(entry);
    const last = links.at(-1);
    const joins =
      last !== undefined && previous !== undefined && isOp(previous) && isOp(entry) && previous.cause === entry.cause;
    if (joins && previous?.ok && entry.ok) {
      const step = {
        ...next.step,
        text: `${last.step.text}, ${next.step.text}`,
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

/** Steps that came over and over again are told once, as the last time with a count. */
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

/**
 * The steps that led to the present, oldest first, from the latest edit of the declaration on.
 * @param entries of one resource, oldest first
 */
export function whyChain(entries: readonly TimelineEntry[]): WhyStep[] {
  const edit = entries.findLastIndex(({ kind, ok }) => kind === 'edit' && ok);
  return countRepetitions(joinOps(entries.slice(Math.max(0, edit))));
}
