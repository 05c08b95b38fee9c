import { describe, expect, it } from 'vitest';
import type { ImageProgress } from '../../../src/images/image.ts';
import { LayerWork } from '../../../src/images/layer-work.ts';

const ID = 'a'.repeat(64);
const progressOf = (bytes: number): ImageProgress => ({ type: 'layer-progress', chainId: ID, bytes, total: null });

/** One who makes a layer for as long as the test wants. */
class Maker {
  readonly heard: ImageProgress[] = [];
  readonly listen = (event: ImageProgress): void => void this.heard.push(event);
  calls = 0;
  report: (event: ImageProgress) => void = () => {};
  succeed: (bytes: number | null) => void = () => {};
  fail: (error: Error) => void = () => {};
  readonly make = (report: (event: ImageProgress) => void): Promise<number | null> => {
    this.calls += 1;
    this.report = report;
    return new Promise((resolve, reject) => {
      this.succeed = resolve;
      this.fail = reject;
    });
  };
}

describe('a layer with two callers', () => {
  it('is created once, and both get progress and result', async () => {
    const work = new LayerWork<ImageProgress>();
    const [first, second] = [new Maker(), new Maker()];
    const results = [work.once(ID, first.make, first.listen), work.once(ID, second.make, second.listen)];
    first.report(progressOf(1));
    first.succeed(7);
    expect(await Promise.all(results)).toEqual([7, 7]);
    expect([first.calls, second.calls]).toEqual([1, 0]);
    expect([first.heard, second.heard]).toEqual([[progressOf(1)], [progressOf(1)]]);
  });

  it('is created by the other when the first one fails, which alone gets the error', async () => {
    const work = new LayerWork<ImageProgress>();
    const makers = [new Maker(), new Maker(), new Maker()] as const;
    const results = makers.map((maker) => work.once(ID, maker.make, maker.listen));
    const refused = expect(results[0]).rejects.toThrow('cancelled');
    makers[0].fail(new Error('cancelled'));
    await refused;
    expect(makers.map(({ calls }) => calls)).toEqual([1, 1, 0]);
    makers[1].report(progressOf(2));
    makers[1].succeed(3);
    expect(await Promise.all(results.slice(1))).toEqual([3, 3]);
    expect(makers.map(({ heard }) => heard.length)).toEqual([0, 1, 1]);
    expect(makers[2].calls).toBe(0);
  });

  it('is left by a cancelled caller and continues for the others', async () => {
    const work = new LayerWork<ImageProgress>();
    const [first, second] = [new Maker(), new Maker()];
    const abort = new AbortController();
    const result = work.once(ID, first.make, first.listen);
    const left = expect(work.once(ID, second.make, second.listen, abort.signal)).rejects.toThrow('enough');
    abort.abort(new Error('enough'));
    await left;
    first.report(progressOf(1));
    first.succeed(1);
    expect(await result).toBe(1);
    expect([second.calls, second.heard]).toEqual([0, []]);
  });

  it('is created again after a failure', async () => {
    const work = new LayerWork<ImageProgress>();
    const [first, second] = [new Maker(), new Maker()];
    const failing = work.once(ID, first.make, first.listen);
    first.fail(new Error('no'));
    await expect(failing).rejects.toThrow('no');
    const result = work.once(ID, second.make, second.listen);
    second.succeed(null);
    expect(await result).toBeNull();
  });
});
