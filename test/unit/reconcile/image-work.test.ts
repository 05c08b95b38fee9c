import { expect, it } from 'vitest';
import { ImageWork } from '../../../src/reconcile/ops/image-work.ts';

function step(): { readonly done: Promise<void>; finish(): void } {
  let finish = (): void => {};
  const done = new Promise<void>((resolve) => {
    finish = resolve;
  });
  return { done, finish };
}

it('pruning waits for images in the making, and later ones wait for pruning', async () => {
  const work = new ImageWork();
  const log: string[] = [];
  const [first, prune] = [step(), step()];
  const doing = (name: string, until: Promise<void>) => async () => {
    log.push(`${name} begins`);
    await until;
    log.push(`${name} ends`);
  };
  const all = [
    work.making(doing('first', first.done)),
    work.making(doing('beside', Promise.resolve())),
    new Promise((resolve) => setImmediate(resolve)).then(() => work.pruning(doing('prune', prune.done))),
  ];
  await expect.poll(() => log).toContain('beside ends');
  all.push(new Promise((resolve) => setImmediate(resolve)).then(() => work.making(doing('later', Promise.resolve()))));
  first.finish();
  await expect.poll(() => log).toContain('prune begins');
  expect(log).not.toContain('later begins');
  prune.finish();
  await Promise.all(all);
  expect(log.indexOf('first ends')).toBeLessThan(log.indexOf('prune begins'));
  expect(log.indexOf('prune ends')).toBeLessThan(log.indexOf('later begins'));
});

it('a failure holds nobody up', async () => {
  const work = new ImageWork();
  await expect(work.making(() => Promise.reject(new Error('a')))).rejects.toThrow('a');
  await expect(work.pruning(() => Promise.reject(new Error('b')))).rejects.toThrow('b');
  expect(await work.making(async () => 'made')).toBe('made');
});
