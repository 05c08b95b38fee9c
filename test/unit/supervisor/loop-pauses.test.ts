import { beforeEach, describe, expect, it } from 'vitest';
import type { Instant } from '../../../src/model/clock.ts';
import { LATELY_MS, LoopPauses } from '../../../src/supervisor/loop-pauses.ts';
import { until } from '../../support/wait.ts';

let nowMs = 0;
let measured = 0;
let running: string[] = [];
let pauses: LoopPauses;

/** What the loop did in a second. */
function second(pauseMs: number): void {
  measured = pauseMs;
  nowMs += 1_000;
  pauses.view();
}

beforeEach(() => {
  nowMs = 1_000_000;
  measured = 0;
  running = [];
  pauses = new LoopPauses({
    clock: { now: (): Instant => ({ wallMs: nowMs, bootMs: nowMs }) },
    timers: { after: () => () => {} },
    running: () => running,
    measure: () => {
      const ms = measured;
      measured = 0;
      return ms;
    },
  });
});

describe('the longest pause of the loop', () => {
  it('is nothing at first', () => {
    expect(pauses.view()).toEqual({ longest: { ms: 0, atMs: 0, during: [] }, lately: { ms: 0, atMs: 0, during: [] } });
  });

  it('stays, and is forgotten as one of the last minutes', () => {
    second(700);
    second(200);
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 700 } });
    nowMs += LATELY_MS - 1_000;
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 200 } });
    nowMs += 1_001;
    expect(pauses.view()).toMatchObject({ longest: { ms: 700 }, lately: { ms: 0 } });
  });

  it('names the stretch that took most of it', () => {
    running = ['image.load(image/app/web)'];
    pauses.kept('a pass', 80);
    pauses.kept('reading manifests', 900);
    second(1_000);
    expect(pauses.view().longest.during).toEqual(['reading manifests']);
  });

  it('names what was under way where no stretch is known, each once', () => {
    running = ['image.load(image/app/web)'];
    pauses.ended('prune()');
    pauses.ended('image.load(image/app/web)');
    second(1_000);
    expect(pauses.view().longest.during).toEqual(['prune()', 'image.load(image/app/web)']);
    second(2_000);
    expect(pauses.view().longest.during).toEqual(['image.load(image/app/web)']);
  });
});

it('sees how long the loop of this process stands still', async () => {
  const real = new LoopPauses({
    clock: { now: () => ({ wallMs: 1, bootMs: 1 }) },
    timers: { after: () => () => {} },
    running: () => [],
  });
  await until('a pause', () => {
    const end = performance.now() + 150;
    while (performance.now() < end);
    return real.view().longest.ms > 100;
  });
});
