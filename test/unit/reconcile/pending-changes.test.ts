/** Requests and events of a container while a change of it waits. */
import { describe, expect, test } from 'vitest';
import { declare } from '../../support/declare.ts';
import { hostWith, planOn, textOn } from '../../support/planning.ts';
import type { PureHost } from '../../support/pure-host.ts';

const WEB = 'container/blog/web';
const IMAGE = 'image/blog/app';

const app = (mode: string, image = './app.tar', update: object = {}) => ({
  blog: { images: { app: image }, containers: { web: { env: { MODE: mode }, restart: 'always', update } } },
});
const one = app('one');
const two = declare(app('two'), 2);
const startFirst = { order: 'start-first', timeout: '30s' };

function step(host: PureHost, desired = two): string {
  const text = textOn(host, desired);
  host.applyAll(planOn(host, desired).ops, desired);
  return text;
}

function stop(host: PureHost, desired = two): void {
  host.change(WEB, { stopOverride: true, stopHash: desired.resources.get(WEB)?.specHash ?? null });
}

describe('a stop after a pending change', () => {
  test('takes effect although the change cannot be applied, and lasts when it can', () => {
    const host = hostWith(one);
    host.obstacles.set(WEB, 'bind source /x does not exist');
    stop(host);
    expect(step(host)).toMatchInlineSnapshot(`
      "stop container/blog/web — stop requested
      disconnect container/blog/web — stop requested"
    `);
    host.obstacles.clear();
    expect(step(host)).toContain('stopped-by-user');
    expect(host.container(WEB).running).toBe(false);
    host.change(WEB, { stopOverride: false, restartRequested: true });
    expect(step(host)).toContain('start container/blog/web — env.MODE changed');
  });

  test('takes precedence over a possible change, and ends with the next one', () => {
    const host = hostWith(one);
    stop(host);
    expect(step(host)).not.toContain('start');
    expect(textOn(host, two)).toContain('stopped-by-user');
    expect(textOn(host, declare(app('three'), 3))).toContain('start container/blog/web — env.MODE changed');
  });

  test('ends when its declaration is reverted', () => {
    const host = hostWith(one);
    stop(host);
    const back = declare(one, 3);
    expect(step(host, back)).toBe('update container/blog/web in place — changed in blog.yaml:2:3');
    expect(host.container(WEB)).toMatchObject({ running: true, stopOverride: false });
  });

  test('stays when a failed update of the app reverts the declaration', () => {
    const host = hostWith(one);
    stop(host);
    step(host);
    const back = { ...declare(one, 3), heldBack: new Map([['blog', { reason: 'api failed', failed: true }]]) };
    expect(textOn(host, back)).toContain('stopped-by-user');
  });

  test('stops a start-first update with both of its containers', () => {
    const host = hostWith(app('one', './app.tar', startFirst));
    const next = declare(app('two', './app.tar', startFirst), 2);
    step(host, next);
    stop(host, next);
    expect(step(host, next)).toMatchInlineSnapshot(`
      "stop container/blog/web — stop requested
      disconnect container/blog/web — stop requested
      stop container/blog/web.next — its update is over
      disconnect container/blog/web.next — its update is over
      remove container/blog/web.next — its update is over"
    `);
    expect(step(host, next)).toContain('update given up');
    expect(textOn(host, next)).toContain('stopped-by-user');
  });

  test('does not cause a retry of a failed update', () => {
    const hold = { onFailure: 'hold', ...startFirst };
    const host = hostWith(app('one', './app.tar', hold));
    const next = declare(app('two', './app.tar', hold), 2);
    step(host, next);
    host.exit('container/blog/web.next', 1, 100);
    step(host, next);
    step(host, next);
    stop(host, next);
    step(host, next);
    step(host, next);
    host.change(WEB, { stopOverride: false, restartRequested: true });
    step(host, next);
    expect(host.container(WEB)).toMatchObject({
      running: true,
      specHash: declare(app('one', './app.tar', hold)).resources.get(WEB)?.specHash,
    });
    expect(textOn(host, next)).toContain('update failed: exited with 1');
  });
});

test('uses the timeout of the request in place of the manifest', () => {
  const host = hostWith(one);
  host.change(WEB, { stopOverride: true, stopTimeoutMs: 25_000 });
  expect(planOn(host, declare(one)).ops[0]).toMatchObject({ op: 'container.stop', timeoutMs: 25_000 });
});

describe('while a change cannot be applied, the container runs with its old specification', () => {
  test.each([
    ['ended', (host: PureHost) => host.exit(WEB, 1, 60_000), 'start container/blog/web — exited with 1, restart 1'],
    [
      'is to be restarted',
      (host: PureHost) => host.change(WEB, { restartRequested: true }),
      'stop container/blog/web — restart requested\nstart container/blog/web — restart requested',
    ],
  ])('and restarts where it %s', (_, happens, ops) => {
    const host = hostWith(one);
    const { specHash } = host.container(WEB);
    host.obstacles.set(WEB, 'bind source /x does not exist');
    happens(host);
    expect(step(host)).toBe(`${ops}\nhold container/blog/web — unavailable: bind source /x does not exist`);
    expect(host.container(WEB)).toMatchObject({ running: true, restartRequested: false, specHash });
  });

  test('beside the successor that it waits for', () => {
    const host = hostWith(app('one', './app.tar', startFirst));
    const next = declare(app('two', './app.tar', startFirst), 2);
    host.obstacles.set(WEB, 'bind source /x does not exist');
    host.change(WEB, { restartRequested: true });
    expect(step(host, next)).toContain('start container/blog/web — restart requested');
    expect(host.container(WEB)).toMatchObject({ running: true, restartRequested: false });
  });

  test('but stays down where it was stopped before', () => {
    const host = hostWith(one);
    host.obstacles.set(WEB, 'bind source /x does not exist');
    stop(host, declare(one));
    host.exit(WEB, 143);
    host.change(WEB, { sandbox: false });
    expect(textOn(host, two)).toBe('hold container/blog/web — unavailable: bind source /x does not exist');
  });

  test('also while its restart is not due yet', () => {
    const host = hostWith(one);
    host.obstacles.set(WEB, 'bind source /x does not exist');
    host.change(WEB, { restarts: { restarts: 5, consecutive: 5 } });
    host.exit(WEB, 1, 10);
    const [hold] = planOn(host, two).holds;
    expect(hold).toMatchObject({ reason: 'backing-off', untilBootMs: host.bootMs + 2_000 });
  });
});

describe('while an image for a change loads', () => {
  const next = declare(
    { blog: { images: { app: './other.tar' }, containers: { web: { privileged: true, restart: 'always' } } } },
    2,
  );
  const busy = new Set([IMAGE] as const);

  test('no op runs for the container, and the plan shows what follows', () => {
    const text = textOn(hostWith(one), next);
    expect(text.split('\n')).toEqual([
      expect.stringContaining(`load ${IMAGE}`),
      expect.stringContaining('recreated when'),
    ]);
    expect(textOn(hostWith(one), next, { busy })).toContain('recreated when image/blog/app is loaded');
  });

  test('the container keeps running, and a stop takes effect', () => {
    const host = hostWith(one);
    host.exit(WEB, 1, 60_000);
    const { ops } = planOn(host, next, { busy });
    expect(ops.map(({ id }) => id)).toEqual([`start ${WEB}`]);
    host.applyAll(ops, next);
    stop(host, next);
    expect(textOn(host, next, { busy })).toMatchInlineSnapshot(`
      "stop container/blog/web — stop requested
      disconnect container/blog/web — stop requested"
    `);
  });

  test('existing dependents are not busy either, missing ones wait in the plan', () => {
    const host = hostWith({
      blog: { images: { base: './base.tar' }, containers: { web: { image: 'base', restart: 'always' } } },
    });
    const wanted = declare(
      {
        blog: {
          images: { base: './base.tar', app: './app.tar' },
          containers: {
            web: { image: 'base', restart: 'always', env: { A: '1' }, dependsOn: ['db'] },
            db: { image: 'app' },
          },
        },
      },
      2,
    );
    const { ops, holds } = planOn(host, wanted);
    expect(ops.map(({ id }) => id)).not.toContain(`stop ${WEB}`);
    expect(ops.map(({ id }) => id)).toContain('create container/blog/db');
    expect(holds).toMatchObject([{ key: WEB, reason: 'busy' }]);
  });
});
