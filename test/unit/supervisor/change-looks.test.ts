import { expect, test } from 'vitest';
import { ChangeLooks } from '../../../src/supervisor/network/change-looks.ts';

/** Time that goes on when it is told to. */
function looks() {
  let now = 0;
  const due: { at: number; task: () => void }[] = [];
  const seen: number[] = [];
  const subject = new ChangeLooks({
    clock: { now: () => ({ bootMs: now, wallMs: now }) },
    timers: {
      after(ms, task) {
        const entry = { at: now + ms, task };
        due.push(entry);
        return () => due.splice(due.indexOf(entry), 1);
      },
    },
    look: () => seen.push(now),
  });
  const until = (end: number): void => {
    for (let next = due[0]; next && next.at <= end; next = due[0]) {
      due.shift();
      now = next.at;
      next.task();
    }
    now = end;
  };
  return { subject, seen, until };
}

test('several changes of one moment are seen by one pass', () => {
  const { subject, seen, until } = looks();
  for (let count = 0; count < 5; count++) subject.changed();
  until(5_000);
  expect(seen).toEqual([200]);
});

test('changes without an end cost a pass every two seconds', () => {
  const { subject, seen, until } = looks();
  for (let at = 0; at <= 6_000; at += 100) {
    until(at);
    subject.changed();
  }
  expect(seen).toEqual([200, 2_200, 4_200]);
});

test('there is no pass after the stop', () => {
  const { subject, seen, until } = looks();
  subject.changed();
  subject.stop();
  subject.changed();
  until(5_000);
  expect(seen).toEqual([]);
});
