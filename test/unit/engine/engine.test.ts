import { describe, expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { Job } from '../../../src/engine/job.ts';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

function engine(): { engine: Engine; log: string[]; time: ManualTime } {
  const log: string[] = [];
  const time = new ManualTime();
  return { engine: new Engine({ clock: time, timers: time, log: (line) => log.push(line) }), log, time };
}

describe('jobs', () => {
  test('a job runs its handler and is logged with its status', async () => {
    const { engine: e, log } = engine();
    e.register('echo', async (job) => {
      await job.stdout.write(`${job.args.join(' ')}\n`);
    });
    const job = e.job('echo', ['a', 'b']);
    const seen: string[] = [];
    job.stdout.add((text) => void seen.push(String(text)));
    await job.run();
    expect([job.status, seen, log]).toEqual([0, ['a b\n'], ['+job echo(a, b)', '-job echo(a, b) = OK (0)']]);
  });

  test('a status other than 0 rejects with the last line of stderr', async () => {
    const { engine: e, log } = engine();
    e.register('fail', (job) => {
      job.error('first');
      return job.error('the reason\n');
    });
    const job = e.job('fail');
    await expect(job.run()).rejects.toThrow(/^the reason$/);
    expect([job.status, log.at(-1)]).toEqual([1, '-job fail() = ERR (1)']);
  });

  test('the hint of a failure points at standard error only where that has a line', async () => {
    const { engine: e } = engine();
    e.register('silent', () => 7);
    e.register('said', (job) => job.error('the reason'));
    await expect(e.job('silent').run()).rejects.toMatchObject({ message: 'silent ended with status 7', hint: '' });
    await expect(e.job('said').run()).rejects.toMatchObject({ hint: expect.stringContaining('standard error') });
  });

  test('a thrown error keeps its type and appears on stderr', async () => {
    const { engine: e } = engine();
    const failure = new TsdError('TSD_PORT_IN_USE', 'port 80 is in use by nginx (pid 7)', { step: 'bind 0.0.0.0:80' });
    e.register('connect', async () => {
      throw failure;
    });
    const job = e.job('connect');
    await expect(job.run()).rejects.toBe(failure);
    expect(job.failure).toBe(failure);
    expect(job.stderr.lastLine).toBe('port 80 is in use by nginx (pid 7) (bind 0.0.0.0:80)');
  });

  test('an unknown name is status 127', async () => {
    const { engine: e } = engine();
    const job = e.job('nope');
    await expect(job.run()).rejects.toThrow('nope: command not found');
    expect(job.status).toBe(127);
  });

  test('the catchall accepts any name except the empty one', async () => {
    const { engine: e } = engine();
    e.registerCatchall(() => 0);
    e.register('own', () => 3);
    await e.job('anything').run();
    await expect(e.job('').run()).rejects.toThrow(': command not found');
    const own = e.job('own');
    await expect(own.run()).rejects.toThrow();
    expect(own.status).toBe(3);
  });

  test('a job runs once', async () => {
    const { engine: e } = engine();
    e.register('once', () => 0);
    const job = e.job('once');
    await job.run();
    await expect(job.run()).rejects.toThrow('once: job has already completed');
  });

  test('a name is registered once; `commands` lists all names sorted', async () => {
    const { engine: e } = engine();
    e.register('b', () => 0);
    e.register('a', () => 0);
    expect(() => e.register('a', () => 0)).toThrow("Can't overwrite handler for command a");
    const job = e.job('commands');
    let text = '';
    job.stdout.add((part) => {
      text += String(part);
    });
    await job.run();
    expect(text).toBe('a\nb\ncommands\n');
  });

  test('a failing reader of an output does not affect other readers', async () => {
    const { engine: e } = engine();
    const job = e.job('x');
    const seen: string[] = [];
    job.stdout.add(() => {
      throw new Error('gone');
    });
    job.stdout.add((text) => void seen.push(String(text)));
    await expect(job.stdout.write('hello')).rejects.toThrow('gone');
    expect(seen).toEqual(['hello']);
  });
});

describe('shutdown', () => {
  test('refuses new jobs, unless they override it', async () => {
    const { engine: e } = engine();
    e.register('job', () => 0);
    await e.shutdown();
    await expect(e.job('job').run()).rejects.toMatchObject({
      code: 'TSD_ENGINE_SHUTDOWN',
      message: 'job was not begun: the supervisor is shutting down',
    });
    const urgent = e.job('job');
    urgent.env.setBool('overrideShutdown', true);
    await urgent.run();
    expect(e.isShutDown).toBe(true);
  });

  test('waits for running jobs, then for its handlers, which run concurrently', async () => {
    const { engine: e } = engine();
    let finish = () => {};
    e.register('slow', () => new Promise((resolve) => (finish = () => resolve(0))));
    const events: string[] = [];
    e.onShutdown('a', async () => {
      events.push('a begins');
      await settled();
      events.push('a ends');
    });
    e.onShutdown('b', () => {
      events.push('b');
    });
    const running = e.job('slow').run();
    const shutdown = e.shutdown().then(() => events.push('down'));
    await settled();
    expect(events).toEqual([]);
    finish();
    await Promise.all([running, shutdown]);
    expect(events).toEqual(['b', 'a begins', 'a ends', 'down']);
  });

  test('waits five seconds for jobs, ten for handlers, and not for the API server', async () => {
    const { engine: e, time } = engine();
    const never = () => new Promise<undefined>(() => {});
    e.register('stuck', never);
    e.register({ name: 'serveapi', summary: 'answers', endless: true }, never);
    const events: string[] = [];
    e.onShutdown('stuck part', async () => {
      events.push('handler');
      await never();
    });
    void e.job('serveapi').run();
    void e.job('stuck').run();
    const down = e.shutdown();
    void down.then(() => events.push('down'));
    await time.advance(4_999);
    expect(events).toEqual([]);
    await time.advance(1);
    expect(events).toEqual(['handler']);
    await time.advance(10_000);
    expect(await down).toEqual({ late: ['stuck()'], hanging: ['stuck()', 'stuck part'], failed: [] });
    expect([events, time.pending]).toEqual([['handler', 'down'], 0]);
  });

  test('continues after a failing handler, and waits for the first call in the second', async () => {
    const { engine: e } = engine();
    let calls = 0;
    e.onShutdown('failing', () => {
      throw new Error('first');
    });
    e.onShutdown('counting', () => {
      calls++;
    });
    const [one, two] = await Promise.all([e.shutdown(), e.shutdown()]);
    expect([calls, one === two]).toEqual([1, true]);
    expect(one.failed).toMatchObject([{ name: 'failing', error: { message: expect.stringContaining('first') } }]);
  });

  test('calls off at once what says so, and the rest when its time is over', async () => {
    const { engine: e, time } = engine();
    const seen: string[] = [];
    const untilCancelled = (job: Job) =>
      new Promise<undefined>((_, reject) => {
        job.signal.addEventListener('abort', () => {
          seen.push(job.name);
          reject(job.signal.reason);
        });
      });
    e.register({ name: 'pull', summary: 'pulls', cancelledAtShutdown: true }, untilCancelled);
    e.register('commit', untilCancelled);
    const ended = Promise.allSettled([e.job('pull').run(), e.job('commit').run()]);
    const drained = e.drain();
    await settled();
    expect(seen).toEqual(['pull']);
    await time.advance(5_000);
    expect([seen, await drained]).toEqual([['pull', 'commit'], ['commit()']]);
    expect((await ended).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });

  test('a drained engine refuses jobs and keeps its parts open', async () => {
    const { engine: e } = engine();
    let closed = false;
    e.onShutdown('part', () => {
      closed = true;
    });
    e.register('job', () => 0);
    expect(await e.drain()).toEqual([]);
    await expect(e.job('job').run()).rejects.toMatchObject({ code: 'TSD_ENGINE_SHUTDOWN' });
    expect([closed, e.open]).toEqual([false, ['part']]);
    await e.shutdown();
    expect(closed).toBe(true);
  });
});
