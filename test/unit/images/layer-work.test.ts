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

describe('a layer that two ask for', () => {
  it('is made once, and both get its progress and its result', async () => {
    const work = new LayerWork<ImageProgress>();
    const [first, second] = [new Maker(), new Maker()];
    const results = [work.once(ID, first.make, first.listen), work.once(ID, second.make, second.listen)];
    first.report(progressOf(1));
    first.succeed(7);
    expect(await Promise.all(results)).toEqual([7, 7]);
    expect([first.calls, second.calls]).toEqual([1, 0]);
    expect([first.heard, second.heard]).toEqual([[progressOf(1)], [progressOf(1)]]);
  });

  it('is made by one of the others when the first one fails, and the failure is of that one alone', async () => {
    const work = new LayerWork<ImageProgress>();
    const makers = [new Maker(), new Maker(), new Maker()] as const;
    const results = makers.map((maker) => work.once(ID, maker.make, maker.listen));
    const refused = expect(results[0]).rejects.toThrow('called off');
    makers[0].fail(new Error('called off'));
    await refused;
    expect(makers.map(({ calls }) => calls)).toEqual([1, 1, 0]);
    makers[1].report(progressOf(2));
    makers[1].succeed(3);
    expect(await Promise.all(results.slice(1))).toEqual([3, 3]);
    expect(makers.map(({ heard }) => heard.length)).toEqual([0, 1, 1]);
    expect(makers[2].calls).toBe(0);
  });

  it('is not waited for by one who is called off, and goes on for the others', async () => {
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

  it('is made again after a failure, which is not kept', async () => {
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
