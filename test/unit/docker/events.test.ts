/** Events for Docker's clients: filters, what is kept, readers that are slow. */
import { expect, test } from 'vitest';
import { DockerEventBus } from '../../../src/docker/events/event-bus.ts';
import { EVENT_FILTERS, isAskedFor } from '../../../src/docker/events/event-filters.ts';
import { messageOf } from '../../../src/docker/events/message.ts';
import { Query } from '../../../src/docker/wire/query.ts';

const clock = { now: () => ({ wallMs: 1_000, bootMs: 1_000 }) };
const draft = (action: string, attributes: Record<string, string> = {}) =>
  ({
    type: 'container',
    action,
    id: 'abc',
    attributes: { name: 'web', image: 'a.example/b:1', ...attributes },
  }) as const;

test('values of a filter are alternatives, filters narrow each other', () => {
  const asked = (filters: object, message = messageOf(draft('exec_start: ls', { team: 'x' }), 5n)) => {
    const query = new Query(`filters=${encodeURIComponent(JSON.stringify(filters))}`);
    return isAskedFor(message, query.filters(EVENT_FILTERS), []);
  };
  expect(asked({})).toBe(true);
  expect(asked({ event: ['die', 'exec_start'] })).toBe(true);
  expect(asked({ event: ['exec'] })).toBe(true);
  expect(asked({ event: ['exec_start: ls'] })).toBe(true);
  expect(asked({ event: ['sta'] }, messageOf(draft('start'), 5n))).toBe(false);
  expect(asked({ container: ['ab'] })).toBe(true);
  expect(asked({ container: ['we'], type: ['network'] })).toBe(false);
  expect(asked({ image: ['a.example/b'] })).toBe(true);
  expect(asked({ image: ['b'] })).toBe(false);
  expect(asked({ label: ['team=x', 'team'] })).toBe(true);
  expect(asked({ label: ['team=y'] })).toBe(false);
});

test('a later reader gets the latest that are kept, up to its end, each at a time of its own', async () => {
  let wallMs = 1_000;
  const bus = new DockerEventBus({ now: () => ({ wallMs, bootMs: wallMs }) });
  for (let number = 0; number < 300; number++) bus.emit(draft(`a${number}`));
  wallMs = 2_000;
  bus.emit(draft('late'));
  const seen: string[] = [];
  const times = new Set<number>();
  const span = { sinceNs: 0n, untilNs: 1_500_000_000n };
  for await (const { Action, timeNano } of bus.events(span, new AbortController().signal)) {
    seen.push(Action);
    times.add(timeNano);
  }
  expect([seen.length, seen[0], seen.at(-1), times.size]).toEqual([255, 'a45', 'a299', 255]);
});

test('a reader that is slow loses the oldest, and nothing of it stays when it leaves', async () => {
  const bus = new DockerEventBus(clock);
  const gone = new AbortController();
  const events = bus.events({ sinceNs: null, untilNs: null }, gone.signal);
  for (let number = 0; number < 2_000; number++) bus.emit(draft(`a${number}`));
  const first = await events.next();
  expect(first.value).toMatchObject({ Action: 'a976', status: 'a976', from: 'a.example/b:1' });
  gone.abort();
  await events.return(undefined);
  expect(bus.readers).toBe(0);
});
