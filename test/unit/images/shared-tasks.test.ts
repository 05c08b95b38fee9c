import { describe, expect, it } from 'vitest';
import { SharedTasks } from '../../../src/images/registry/shared-tasks.ts';

/** Work that ends when the test says so. */
function controlled() {
  const started: AbortSignal[] = [];
  const release: ((value: string) => void)[] = [];
  const fail: ((error: Error) => void)[] = [];
  const start = (signal: AbortSignal): Promise<string> =>
    new Promise((resolve, reject) => {
      started.push(signal);
      release.push(resolve);
      fail.push(reject);
    });
  return { started, release, fail, start };
}

const ignore = (): void => {};

describe('shared work', () => {
  it('continues for the others when one is cancelled', async () => {
    const tasks = new SharedTasks<string, never>('pull');
    const { started, release, start } = controlled();
    const abort = new AbortController();
    const left = expect(tasks.join('a', start, ignore, abort.signal)).rejects.toThrow('it was cancelled');
    const stays = tasks.join('a', start, ignore, new AbortController().signal);
    abort.abort();
    await left;
    expect(started[0]?.aborted).toBe(false);
    release[0]?.('done');
    expect(await stays).toBe('done');
    expect(started).toHaveLength(1);
  });

  it('starts again for a new caller while an abandoned task still ends', async () => {
    const tasks = new SharedTasks<string, never>('pull');
    const { started, release, fail, start } = controlled();
    const abort = new AbortController();
    const left = expect(tasks.join('a', start, ignore, abort.signal)).rejects.toThrow('it was cancelled');
    abort.abort();
    await expect.poll(() => started[0]?.aborted).toBe(true);
    const next = tasks.join('a', start, ignore, new AbortController().signal);
    fail[0]?.(new Error('left by everybody'));
    await left;
    await expect.poll(() => started.length).toBe(2);
    release[1]?.('done');
    expect(await next).toBe('done');
  });

  it('does not keep a failure', async () => {
    const tasks = new SharedTasks<string, never>('pull');
    const { signal } = new AbortController();
    await expect(tasks.join('a', () => Promise.reject(new Error('no')), ignore, signal)).rejects.toThrow('no');
    expect(await tasks.join('a', () => Promise.resolve('yes'), ignore, signal)).toBe('yes');
  });
});
