import { expect, test } from 'vitest';
import { WorkQueue } from '../../../src/reconcile/loop/work-queue.ts';
import { ManualTime } from '../../support/manual-time.ts';

const WEB = 'container/app/web';
const DB = 'container/app/db';

/** Advances a little at every read, like a real clock. */
class RunningTime extends ManualTime {
  #looks = 0;

  override now() {
    const { wallMs, bootMs } = super.now();
    return { wallMs, bootMs: bootMs + this.#looks++ };
  }
}

test('a key waits once, for the earliest requested time', async () => {
  const time = new ManualTime();
  let due = 0;
  const queue = new WorkQueue({ clock: time, timers: time, onDue: () => due++ });
  const at = (ms: number) => time.now().bootMs + ms;
  queue.add(WEB, at(1000));
  queue.add(WEB, at(2000));
  queue.add(DB, at(500));
  queue.add(WEB, at(700));
  expect([queue.size, time.pending]).toEqual([2, 1]);
  await time.advance(600);
  expect([due, queue.takeDue()]).toEqual([1, [DB]]);
  await time.advance(100);
  expect([due, queue.takeDue(), queue.size, time.pending]).toEqual([2, [WEB], 0, 0]);
});

test('due keys are announced once until they are taken', () => {
  const time = new ManualTime();
  let due = 0;
  const queue = new WorkQueue({ clock: time, timers: time, onDue: () => due++ });
  queue.add(WEB);
  queue.add(DB);
  expect([due, queue.takeDue()]).toEqual([1, [WEB, DB]]);
  queue.add(WEB);
  expect(due).toBe(2);
});

test('a key that becomes due while due keys are taken is announced to the taker', async () => {
  const time = new RunningTime();
  let isTaking = false;
  let heard = 0;
  const queue = new WorkQueue({ clock: time, timers: time, onDue: () => (isTaking ? {} : heard++) });
  const take = () => {
    isTaking = true;
    const due = queue.takeDue();
    isTaking = false;
    return due;
  };
  const { bootMs } = time.now();
  queue.add(WEB, bootMs + 3);
  expect([take(), heard]).toEqual([[], 0]);
  await time.advance(10);
  expect(heard).toBe(1);
  expect(take()).toEqual([WEB]);
  queue.add(DB);
  expect(heard).toBe(2);
});
