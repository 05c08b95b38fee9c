import { beforeEach, describe, expect, it } from 'vitest';
import { systemTurns } from '../../../src/engine/loop-turns.ts';
import { systemTimers } from '../../../src/engine/timers.ts';
import { systemClock } from '../../../src/ffi/boot-clock.ts';
import type { Instant } from '../../../src/model/clock.ts';
import { LATELY_MS, LoopPauses } from '../../../src/supervisor/loop-pauses.ts';
import { until } from '../../support/wait.ts';

let nowMs = 0;
let busyMs = 0;
let running: string[] = [];
let delays: number[] = [];
let dueMs = 0;
let fire = (): void => {};
let turned = (): void => {};
let pauses: LoopPauses;
const clock = { now: (): Instant => ({ wallMs: nowMs, bootMs: nowMs }) };

/** A turn of the loop takes so long. */
function turn(ms: number): void {
  nowMs += ms;
  busyMs += ms;
  if (nowMs >= dueMs) fire();
  turned();
}

/** The loop waits. */
function pass(ms: number): void {
  const end = nowMs + ms;
  while (dueMs <= end) {
    nowMs = dueMs;
    turn(0);
  }
  nowMs = end;
}

beforeEach(() => {
  nowMs = 1_000_000;
  busyMs = 0;
  running = [];
  delays = [];
  const timers = {
    after: (ms: number, task: () => void) => {
      delays.push(ms);
      dueMs = nowMs + ms;
      fire = task;
      return () => {};
    },
  };
  const turns = {
    busyMs: () => busyMs,
    each: (task: () => void) => {
      turned = task;
      return () => {};
    },
  };
  pauses = new LoopPauses({ clock, timers, turns, running: () => running });
  pauses.start();
});

it('an idle loop is woken no more than once in two seconds', () => {
  pass(60_000);
  expect(delays.length).toBeGreaterThan(10);
  expect(Math.min(...delays)).toBeGreaterThanOrEqual(2_000);
});

describe('the longest pause of the loop', () => {
  it('is nothing at first', () => {
    expect(pauses.view()).toEqual({ longest: { ms: 0, atMs: 0, during: [] }, lately: { ms: 0, atMs: 0, during: [] } });
  });

  it('lasts, and expires from the recent minutes', () => {
    turn(700);
    turn(200);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 700 } });
    pass(LATELY_MS - 100);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 200 } });
    pass(100);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 0 } });
  });

  it('counts short turns one by one', () => {
    for (let count = 0; count < 20; count++) turn(60);
    expect(pauses.view().longest.ms).toBe(60);
  });

  it('is known before the turn is over', () => {
    nowMs += 300;
    busyMs += 300;
    expect(pauses.view().lately.ms).toBe(300);
  });

  it('is also a time in which the process got no turn', () => {
    nowMs = dueMs + 400;
    turn(0);
    expect(pauses.view().longest.ms).toBe(400);
  });

  it('names the stretch that took most of the time', () => {
    running = ['image.load(image/app/web)'];
    pauses.kept('a pass', 80);
    pauses.kept('reading manifests', 900);
    turn(1_000);
    expect(pauses.view().longest.during).toEqual(['reading manifests']);
  });

  it('names running work without a known stretch, each once', () => {
    running = ['image.load(image/app/web)'];
    pauses.ended('prune()');
    pauses.ended('image.load(image/app/web)');
    turn(1_000);
    expect(pauses.view().longest.during).toEqual(['prune()', 'image.load(image/app/web)']);
    turn(2_000);
    expect(pauses.view().longest.during).toEqual(['image.load(image/app/web)']);
  });
});

it('measures a blocked event loop of this process', async () => {
  const real = new LoopPauses({
    clock: systemClock,
    timers: systemTimers,
    turns: systemTurns,
    running: () => [],
  });
  real.start();
  const end = performance.now() + 200;
  while (performance.now() < end);
  await until('the pause', () => real.view().longest.ms > 100);
  real.stop();
});
