import { expect, test } from 'vitest';
import { streamedEvents } from '../../../src/supervisor/images/streamed.ts';

type Event = { readonly output: string } | { readonly note: string };

const options = {
  failed: (error: { readonly message: string }): Event => ({ note: `failed: ${error.message}` }),
  weight: (event: Event) => ('output' in event ? event.output.length : 0),
  leftOut: (weight: number): Event => ({ note: `${weight} left out` }),
};
const LINE = 'y'.repeat(1024);

test('unread output is bounded, and the gap is reported in its place', async () => {
  const stream = streamedEvents<Event>(async (send) => {
    for (let line = 0; line < 10_000; line++) send({ output: LINE });
    send({ note: 'built' });
    send({ output: 'the end' });
  }, options);
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  const lines = events.filter((event) => 'output' in event && event.output === LINE).length;
  expect(lines).toBe(4096);
  expect(events.slice(lines)).toEqual([
    { note: `${(10_000 - lines) * 1024} left out` },
    { note: 'built' },
    { note: '7 left out' },
  ]);
});

test('failed work reports its error after its output', async () => {
  const stream = streamedEvents<Event>(async (send) => {
    send({ output: 'one' });
    throw new Error('no');
  }, options);
  const events: Event[] = [];
  for await (const event of stream) events.push(event);
  expect(events[0]).toEqual({ output: 'one' });
  expect(events[1]).toMatchObject({ note: expect.stringContaining('no') });
});
