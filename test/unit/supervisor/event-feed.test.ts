import { describe, expect, test } from 'vitest';
import { EventRing } from '../../../src/engine/events.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import type { TimelineDraft, TimelineEntry } from '../../../src/model/status/timeline.ts';
import { type DockerEvent, EventFeed } from '../../../src/supervisor/jobs/event-feed.ts';
import { settled } from '../../support/manual-time.ts';
import { BLANK_ENTRY } from '../../support/timeline.ts';

const entry = (atMs: number, more: Partial<TimelineDraft> = {}): TimelineDraft => ({
  ...BLANK_ENTRY,
  kind: 'start',
  key: 'container/shop/web',
  what: 'container.start',
  ok: true,
  atMs,
  ...more,
});

function feed(past: readonly TimelineDraft[] = []) {
  const kept: TimelineEntry[] = past.map((draft, index) => ({ ...draft, id: index + 1 }));
  const made: EventFeed = new EventFeed({
    timers: systemTimers,
    ring: new EventRing(),
    containers: { byKey: () => undefined },
    timeline: {
      after: (id, sinceMs, limit) => kept.filter((one) => one.id > id && one.atMs >= sinceMs).slice(0, limit),
    },
    note: (what, cause, message) =>
      made.noted(entry(Date.now(), { kind: 'override', key: null, what, cause, message })),
  });
  return made;
}

/** Reads as they come; the reader stops after `count`. */
async function read(events: AsyncGenerator<DockerEvent>, count: number): Promise<DockerEvent[]> {
  const seen: DockerEvent[] = [];
  while (seen.length < count) {
    const next = await events.next();
    if (next.done === true) break;
    seen.push(next.value);
  }
  return seen;
}

const never = new AbortController().signal;

describe('the feed of events', () => {
  test('the latest are in memory, older ones come from the timeline, each once and in order', async () => {
    const past = Array.from({ length: 1200 }, (_, at) => entry(at));
    const made = feed(past);
    for (const one of past.slice(-100)) made.noted(one);
    const all = await read(made.events(0, 2_000_000, never), 1200);
    expect(all.map(({ atWallMs }) => atWallMs)).toEqual(past.map(({ atMs }) => atMs));
    const late = await read(made.events(1150, 1_190, never), 1000);
    expect(late.map(({ atWallMs }) => atWallMs)).toEqual(Array.from({ length: 41 }, (_, n) => 1150 + n));
  });

  test('a listener gets what comes; one that does not read loses the oldest, and no writer waits for it', async () => {
    const made = feed();
    const stop = new AbortController();
    const live = made.events(null, null, stop.signal);
    const first = live.next();
    await settled();
    made.log('promote', 'id', 'image');
    expect((await first).value).toMatchObject({ status: 'promote', id: 'id', from: 'image' });
    for (let at = 1; at <= 1000; at++) made.noted(entry(at));
    const rest = await read(live, 64);
    expect(rest.map(({ atWallMs }) => atWallMs)).toEqual(Array.from({ length: 64 }, (_, n) => 937 + n));
    const last = live.next();
    expect(made.subscribers).toBe(1);
    stop.abort();
    expect([(await last).done, made.subscribers]).toEqual([true, 0]);
  });

  test('failures are no events, but a run that ended badly has ended', async () => {
    const made = feed([
      entry(1, { ok: false }),
      entry(2, { kind: 'exit', what: 'oom-killed', ok: false }),
      entry(3, { what: 'container.relink' }),
      entry(4, { what: 'constructor' }),
    ]);
    const seen = await read(made.events(0, 10, never), 10);
    expect(seen).toEqual([{ status: 'die', id: 'shop/web', from: '', atWallMs: 2 }]);
  });

  test('the id and image of an entry are those of the event, also of one that is read again', async () => {
    const container = { id: 'c'.repeat(64), image: 'busybox' };
    const removed = entry(1, { kind: 'op', what: 'container.remove', container });
    const expected = [{ status: 'destroy', id: container.id, from: 'busybox', atWallMs: 1 }];
    expect(await read(feed([removed]).events(0, 10, never), 10)).toEqual(expected);
    const made = feed();
    made.noted(removed);
    expect(await read(made.events(0, 10, never), 10)).toEqual(expected);
  });

  test.each([
    ['KILL', ['kill']],
    ['SIGKILL', ['kill']],
    ['9', ['kill']],
    ['HUP', []],
    ['TERM', []],
    ['15', []],
  ])('signal %s is %j', async (signal, statuses) => {
    const made = feed([
      entry(1, { kind: 'override', what: 'kill', message: `sent signal ${signal}` }),
      entry(2, { what: 'container.signal', cause: 'a file changed' }),
    ]);
    expect((await read(made.events(0, 10, never), 10)).map(({ status }) => status)).toEqual(statuses);
  });
});

test('a time that is further off than timers reach ends nothing before', async () => {
  const warnings: string[] = [];
  const note = (warning: Error): void => void warnings.push(warning.name);
  process.on('warning', note);
  const made = feed();
  const leave = new AbortController();
  const events = made.events(null, 9_999_999_999_000, leave.signal);
  const first = events.next();
  await settled();
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  made.log('sent', 'one', '');
  expect((await first).value).toMatchObject({ status: 'sent', id: 'one' });
  leave.abort();
  expect((await events.next()).done).toBe(true);
  expect(warnings).toEqual([]);
});
