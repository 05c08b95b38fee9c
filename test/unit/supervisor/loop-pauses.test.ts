import { beforeEach, describe, expect, it } from 'vitest';
import { systemTimers } from '../../../src/engine/timers.ts';
import { systemClock } from '../../../src/ffi/boot-clock.ts';
import type { Instant } from '../../../src/model/clock.ts';
import { LATELY_MS, LoopPauses } from '../../../src/supervisor/loop-pauses.ts';
import { until } from '../../support/wait.ts';

let nowMs = 0;
let running: string[] = [];
let fire = (): void => {};
let pauses: LoopPauses;
const clock = { now: (): Instant => ({ wallMs: nowMs, bootMs: nowMs }) };

/** The timer that looks fires so late. */
function late(ms: number): void {
  nowMs += 50 + ms;
  fire();
}

/** Time in which the loop turned all the while. */
function pass(ms: number): void {
  pauses.stop();
  nowMs += ms;
  pauses.start();
}

beforeEach(() => {
  nowMs = 1_000_000;
  running = [];
  const timers = {
    after: (_ms: number, task: () => void) => {
      fire = task;
      return () => {};
    },
  };
  pauses = new LoopPauses({ clock, timers, running: () => running });
  pauses.start();
});

describe('the longest pause of the loop', () => {
  it('is nothing at first', () => {
    expect(pauses.view()).toEqual({ longest: { ms: 0, atMs: 0, during: [] }, lately: { ms: 0, atMs: 0, during: [] } });
  });

  it('lasts, and expires from the recent minutes', () => {
    late(700);
    late(200);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 700 } });
    pass(LATELY_MS - 100);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 200 } });
    pass(100);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 0 } });
  });

  it('names the stretch that took most of the time', () => {
    running = ['image.load(image/app/web)'];
    pauses.kept('a pass', 80);
    pauses.kept('reading manifests', 900);
    late(1_000);
    expect(pauses.view().longest.during).toEqual(['reading manifests']);
  });

  it('names running work without a known stretch, each once', () => {
    running = ['image.load(image/app/web)'];
    pauses.ended('prune()');
    pauses.ended('image.load(image/app/web)');
    late(1_000);
    expect(pauses.view().longest.during).toEqual(['prune()', 'image.load(image/app/web)']);
    late(2_000);
    expect(pauses.view().longest.during).toEqual(['image.load(image/app/web)']);
  });
});

it('measures a blocked event loop of this process', async () => {
  const real = new LoopPauses({ clock: systemClock, timers: systemTimers, running: () => [] });
  real.start();
  const end = performance.now() + 200;
  while (performance.now() < end);
  await until('the pause', () => real.view().longest.ms > 100);
  real.stop();
});
