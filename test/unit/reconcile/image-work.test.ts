import { setImmediate as nextTurn } from 'node:timers/promises';
import { beforeEach, describe, expect, it } from 'vitest';
import { ImageWork } from '../../../src/reconcile/ops/images/image-work.ts';
import { gate } from '../../support/wait.ts';

describe('work on images', () => {
  let work: ImageWork;
  let log: string[];
  beforeEach(() => {
    work = new ImageWork();
    log = [];
  });

  const doing = (name: string, until: Promise<void>) => async (): Promise<void> => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
  };
  const at = (name: string): number => log.indexOf(name);

  it('pruning waits for running loads and delays new ones only while it runs', async () => {
    const [first, second, prune] = [gate(), gate(), gate()];
    const all = [work.making(doing('first', first.passed)), work.pruning(doing('prune', prune.passed))];
    await nextTurn();
    all.push(work.making(doing('second', second.passed)));
    await nextTurn();
    expect(log).toEqual(['first begins', 'second begins']);
    first.open();
    await nextTurn();
    expect(log).not.toContain('prune begins');
    second.open();
    await nextTurn();
    expect(log).toContain('prune begins');
    all.push(work.making(doing('later', Promise.resolve())), work.pruning(doing('again', Promise.resolve())));
    await nextTurn();
    expect(log.at(-1)).toBe('prune begins');
    prune.open();
    await Promise.all(all);
    expect(at('prune ends')).toBeLessThan(Math.min(at('later begins'), at('again begins')));
  });

  it('a prune stops waiting when its signal aborts', async () => {
    const first = gate();
    const making = work.making(doing('first', first.passed));
    const asked = new AbortController();
    const pruning = work.pruning(doing('prune', Promise.resolve()), asked.signal);
    asked.abort(new Error('enough'));
    await expect(pruning).rejects.toThrow('enough');
    first.open();
    await making;
    expect(log).toEqual(['first begins', 'first ends']);
  });

  it('pruning at once does not run concurrently with others', async () => {
    const [first, prune] = [gate(), gate()];
    const making = work.making(doing('first', first.passed));
    expect(await work.pruningIfIdle(doing('no', Promise.resolve()))).toBe(false);
    first.open();
    await making;
    const pruning = work.pruningIfIdle(doing('prune', prune.passed));
    expect(await work.pruningIfIdle(doing('no', Promise.resolve()))).toBe(false);
    prune.open();
    expect(await pruning).toBe(true);
    expect(log).not.toContain('no begins');
  });

  it('a failure does not delay other work', async () => {
    await expect(work.making(() => Promise.reject(new Error('a')))).rejects.toThrow('a');
    await expect(work.pruning(() => Promise.reject(new Error('b')))).rejects.toThrow('b');
    expect(await work.making(async () => 'made')).toBe('made');
  });
});
