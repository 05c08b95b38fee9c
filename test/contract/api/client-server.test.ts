import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../../src/api/client.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { type Served, serve } from '../../support/api/served.ts';
import { gate, until } from '../../support/wait.ts';

let served: Served;
beforeEach(async () => {
  served = await serve();
});
afterEach(() => served.end());

const MANIFEST = { file: '/srv/blog.yaml', baseDir: '/srv', text: 'containers: {}\n' };

async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of items) list.push(item);
  return list;
}

describe('every call of the facade passes arguments and results unchanged', () => {
  test('queries', async () => {
    const { client, supervisor } = served;
    expect(await client.info()).toEqual(supervisor.info());
    for (const list of ['containers', 'images', 'volumes', 'networks', 'manifests'] as const) {
      expect(await client.list(list)).toEqual(supervisor.list(list));
    }
    expect(await client.doctor()).toEqual(supervisor.checks);
    expect(await client.version()).toMatchObject({ api: 1, node: process.version });
    expect((await client.describe('container', 'blog/web')).view).toEqual(supervisor.list('containers')[0]);
    expect(supervisor.asked.at(-1)).toEqual({ call: 'describe', with: { kind: 'container', name: 'blog/web' } });
  });

  test('manifests', async () => {
    const { client, supervisor } = served;
    expect(await all(client.apply([MANIFEST], { dryRun: false, waitMs: 30_000 }))).toEqual(supervisor.events);
    expect(await client.plan([MANIFEST])).toEqual(supervisor.plans);
    expect(await client.diff([])).toEqual(supervisor.differences);
    const removal = {
      files: [MANIFEST],
      resources: [{ kind: 'volume', name: 'x' }],
      all: false,
      waitMs: null,
    } as const;
    expect(await all(client.remove(removal))).toEqual(supervisor.events);
    expect(await client.approve(['volume/a/b'])).toEqual({ names: ['volume/a/b'], postponed: null });
    expect(supervisor.asked).toEqual([
      { call: 'apply', with: { inputs: [MANIFEST], options: { dryRun: false, waitMs: 30_000 } } },
      { call: 'plan', with: [MANIFEST] },
      { call: 'diff', with: [] },
      { call: 'remove', with: removal },
      { call: 'approve', with: ['volume/a/b'] },
    ]);
    expect(supervisor.askers).toEqual([0, 0, 0].fill(process.getuid?.() ?? -1));
    const claimed = client.apply([MANIFEST], { dryRun: false, waitMs: null, askedBy: 7 });
    await expect(all(claimed)).rejects.toMatchObject({ code: 'TSD_BAD_REQUEST' });
  });

  test('containers and images', async () => {
    const { client, supervisor } = served;
    await client.stop('web', 1500, 60_000);
    await client.start('blog/web');
    await client.restart('web', null);
    await client.kill('web', 'SIGHUP');
    expect(await client.wait('migrate')).toBe(137);
    expect(await all(client.load('/tmp/app.tar'))).toHaveLength(3);
    const options = { follow: false, tail: 5, sinceMs: 12, untilMs: null, stdout: true, stderr: false };
    expect(await all(client.logs('web', options))).toEqual(supervisor.entries);
    expect(supervisor.asked).toEqual([
      { call: 'stop', with: { name: 'web', timeoutMs: 1500, forMs: 60_000 } },
      { call: 'start', with: { name: 'blog/web' } },
      { call: 'restart', with: { name: 'web', timeoutMs: null } },
      { call: 'kill', with: { name: 'web', signal: 'SIGHUP' } },
      { call: 'load', with: '/tmp/app.tar' },
      { call: 'logs', with: { name: 'web', options } },
    ]);
  });
});

describe('errors keep their code, class and hint', () => {
  const missing = {
    name: 'TsdError',
    code: 'TSD_NO_SUCH_RESOURCE',
    class: 'not-found',
    message: 'no container is named x',
  };

  test('from a call, and from a stream before its first item', async () => {
    await expect(served.client.start('x')).rejects.toMatchObject(missing);
    const options = { follow: true, tail: null, sinceMs: null, untilMs: null, stdout: true, stderr: true };
    await expect(all(served.client.logs('x', options))).rejects.toMatchObject(missing);
  });

  test('in the middle of a stream, after earlier items', async () => {
    const { client, supervisor } = served;
    supervisor.remove = async function* () {
      yield { type: 'ready', generation: 1 };
      throw new TsdError('TSD_DISK_FULL', 'no space', { errno: 28, step: 'write generation' });
    };
    const seen: unknown[] = [];
    const drain = async () => {
      for await (const item of client.remove({ files: [], resources: [], all: true, waitMs: null })) seen.push(item);
    };
    await expect(drain()).rejects.toMatchObject({ code: 'TSD_DISK_FULL', errno: 28, step: 'write generation' });
    expect(seen).toEqual([{ type: 'ready', generation: 1 }]);
  });

  test('a defect is also logged by the server', async () => {
    served.supervisor.info = () => {
      throw new TypeError('cannot read x');
    };
    await expect(served.client.info()).rejects.toMatchObject({ code: 'TSD_BUG', message: 'cannot read x' });
    expect(served.bugs).toHaveLength(1);
  });
});

describe('a side that disconnects', () => {
  const follow = { follow: true, tail: null, sinceMs: null, untilMs: null, stdout: true, stderr: true };

  test('a follower that leaves early ends the stream in the supervisor', async () => {
    const { client, supervisor } = served;
    let count = 0;
    for await (const _entry of client.logs('web', follow)) {
      count += 1;
      if (count === supervisor.entries.length) {
        await until('the follower to wait', () => supervisor.openFollowers === 1);
        break;
      }
    }
    await until('the follower to be let go', () => supervisor.openFollowers === 0);
  });

  test('a source that ignores the signal does not keep the connection open', async () => {
    const { client, supervisor } = served;
    supervisor.logs = async function* () {
      yield { log: 'one\n', stream: 'stdout', time: '' } as const;
      await new Promise(() => undefined);
    };
    for await (const _entry of client.logs('web', follow)) break;
    expect(await client.version()).toBeTruthy();
  });

  test('a server that closes in mid-stream is an error, not an end of the stream', async () => {
    const { client, supervisor } = served;
    const drained = all(client.logs('web', follow));
    const outcome = expect(drained).rejects.toMatchObject({
      code: 'TSD_ENGINE_SHUTDOWN',
      message: 'the supervisor is shutting down',
    });
    await until('the follower to wait', () => supervisor.openFollowers === 1);
    await served.end();
    await outcome;
    await until('the follower to be let go', () => supervisor.openFollowers === 0);
  });

  test('a server that refuses ends who waits, finishes work, and answers nothing else', async () => {
    const { client, supervisor } = served;
    const work = gate();
    const begun = gate();
    supervisor.hostShutdown = async () => {
      begun.open();
      await work.passed;
      return { stopped: 3, running: [], ending: [] };
    };
    const following = all(client.logs('web', follow));
    const ended = expect(following).rejects.toMatchObject({ code: 'TSD_ENGINE_SHUTDOWN' });
    await until('the follower to wait', () => supervisor.openFollowers === 1);
    const working = client.hostShutdown();
    await begun.passed;
    served.server.refuse();
    await ended;
    await expect(client.list('containers')).rejects.toMatchObject({ code: 'TSD_ENGINE_SHUTDOWN' });
    work.open();
    expect(await working).toEqual({ stopped: 3, running: [], ending: [] });
  });

  test('a slow reader holds back the stream', async () => {
    const { client, supervisor } = served;
    let made = 0;
    supervisor.logs = async function* () {
      for (; made < 2000; made += 1) yield { log: 'x'.repeat(16_384), stream: 'stdout', time: '' } as const;
    };
    let read = 0;
    for await (const _entry of client.logs('web', { ...follow, follow: false })) {
      read += 1;
      if (read === 1) {
        const before = await steady(() => made);
        expect(before).toBeLessThan(500);
      }
    }
    expect(read).toBe(2000);
  });
});

/** A number once it has stopped changing over many turns of the event loop. */
async function steady(value: () => number): Promise<number> {
  let last = -1;
  for (let same = 0; same < 200; ) {
    await new Promise((resolve) => setImmediate(resolve));
    same = value() === last ? same + 1 : 0;
    last = value();
  }
  return last;
}

describe('a client without a supervisor', () => {
  test('says how to start one', async () => {
    const client = new SupervisorClient(`unix://${served.directory}/none.sock`);
    await expect(client.info()).rejects.toMatchObject({
      code: 'TSD_NO_SUPERVISOR',
      message: `no supervisor answers on ${served.directory}/none.sock`,
      hint: expect.stringContaining('systemctl start tsdocker'),
    });
  });

  test('refuses invalid addresses', () => {
    expect(() => new SupervisorClient('tcp://127.0.0.1:1')).toThrow(/tcp is not in this version/);
    expect(() => new SupervisorClient('fd://')).toThrow(/for the daemon/);
    expect(() => new SupervisorClient('/run/x.sock')).toThrow('Invalid bind address format: /run/x.sock');
  });
});
