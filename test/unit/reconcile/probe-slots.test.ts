import { beforeEach, expect, test } from 'vitest';
import { ProbeSlots } from '../../../src/reconcile/health/probe-slots.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

let time: ManualTime;
let slots: ProbeSlots;
let begun: string[];
const ends = new Map<string, () => void>();

beforeEach(() => {
  time = new ManualTime();
  slots = new ProbeSlots({ timers: time, atOnce: 2 });
  begun = [];
  ends.clear();
});

/** A try of `app`, under way until it is ended. */
function attempt(app: string, name: string): void {
  void slots.take(app, () => {
    begun.push(name);
    return new Promise<void>((end) => ends.set(name, end));
  });
}

async function end(name: string): Promise<void> {
  ends.get(name)?.();
  await settled();
}

test('a limited number starts at once, the others when those end', async () => {
  for (const name of ['1', '2', '3', '4']) attempt('a', name);
  await settled();
  expect(begun).toEqual(['1', '2']);
  await end('2');
  expect(begun).toEqual(['1', '2', '3']);
  await end('1');
  await end('3');
  await end('4');
  expect(begun).toEqual(['1', '2', '3', '4']);
  expect(time.pending).toBe(0);
});

test('an app with fewer running tries goes first', async () => {
  for (const name of ['1', '2', '3', '4']) attempt('a', name);
  attempt('b', 'other');
  await end('1');
  expect(begun).toEqual(['1', '2', 'other']);
});

test('hanging tries do not block others', async () => {
  for (const name of ['1', '2', '3']) attempt('a', name);
  attempt('b', 'other');
  await time.advance(1000);
  expect(begun).toEqual(['1', '2', 'other', '3']);
  await end('1');
  await end('2');
  for (const name of ['4', '5']) attempt('a', name);
  await settled();
  // The two that hung gave their turns up already, so there is none to have now.
  expect(begun).toHaveLength(4);
  await end('3');
  expect(begun).toEqual(['1', '2', 'other', '3', '4']);
});

test('a failed try frees its slot', async () => {
  const failing = slots.take('a', () => Promise.reject(new Error('no')));
  await expect(failing).rejects.toThrow('no');
  for (const name of ['1', '2']) attempt('a', name);
  await settled();
  expect(begun).toEqual(['1', '2']);
});
