import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { Engine } from '../../../src/engine/engine.ts';
import type { Job } from '../../../src/engine/job.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

function engine(): { engine: Engine; log: string[]; time: ManualTime } {
  const log: string[] = [];
  const time = new ManualTime();
  return { engine: new Engine({ clock: time, timers: time, log: (line) => log.push(line) }), log, time };
}

const PIECE = Buffer.alloc(64 * 1024, 7);

async function* pieces(count: number, seen: { given: number; returned: boolean }): AsyncGenerator<Uint8Array> {
  try {
    for (; seen.given < count; seen.given++) yield PIECE;
  } finally {
    seen.returned = true;
  }
}

async function copy(job: Job): Promise<undefined> {
  for await (const chunk of job.stdin) await job.stdout.write(chunk);
}

describe('input and output', () => {
  test('what a job copies is taken from its source only as fast as its reader takes it', async () => {
    const { engine: e } = engine();
    e.register('copy', copy);
    const seen = { given: 0, returned: false };
    const job = e.job('copy', [], { stdin: pieces(1000, seen) });
    let read = 0;
    let furthest = 0;
    job.stdout.add(async (chunk) => {
      furthest = Math.max(furthest, seen.given * PIECE.length - read);
      await settled();
      read += chunk.length;
    });
    await job.run();
    expect(read).toBe(1000 * PIECE.length);
    expect(furthest, 'bytes in memory').toBeLessThan(4 * PIECE.length);
  });

  test('input larger than memory passes through', async () => {
    const { engine: e } = engine();
    e.register('copy', copy);
    // The same piece a million times: 64 GiB are handed over, none of them kept.
    const seen = { given: 0, returned: false };
    const job = e.job('copy', [], { stdin: pieces(1_000_000, seen) });
    let read = 0;
    job.stdout.add((chunk) => {
      read += chunk.length;
    });
    const before = process.memoryUsage().rss;
    await job.run();
    expect(read).toBe(1_000_000 * PIECE.length);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * 1024 ** 2);
  });

  test('a reader that stops holds back the writer, not the engine, and a cancel frees it', async () => {
    const { engine: e } = engine();
    e.register('copy', copy);
    e.register('other', () => 0);
    const seen = { given: 0, returned: false };
    const job = e.job('copy', [], { stdin: pieces(1000, seen) });
    job.stdout.add(() => new Promise(() => {}));
    const running = job.run();
    const failed = expect(running).rejects.toMatchObject({ code: 'TSD_CALLED_OFF' });
    await settled();
    await e.job('other').run();
    const given = seen.given;
    await settled();
    expect(seen.given).toBe(given);
    job.cancel();
    await failed;
    expect([job.status, seen.returned, e.running()]).toEqual([1, true, []]);
  });

  test('a writer that does not wait for its reader gets an error instead of memory', async () => {
    const { engine: e } = engine();
    const failures: unknown[] = [];
    e.register('flood', async (job) => {
      const writes = Array.from({ length: 100 }, () => job.stdout.write(PIECE));
      for (const result of await Promise.allSettled(writes)) if (result.status === 'rejected') failures.push(result);
    });
    const job = e.job('flood');
    let read = 0;
    job.stdout.add(async (chunk) => {
      await settled();
      read += chunk.length;
    });
    await job.run();
    expect([read / PIECE.length, failures.length]).toEqual([17, 83]);
  });

  test('chunks keep their order where the writer does not wait', async () => {
    const { engine: e } = engine();
    e.register('count', (job) => {
      for (let n = 0; n < 50; n++) void job.stdout.write(`${n} `);
    });
    const job = e.job('count');
    let text = '';
    job.stdout.add(async (chunk) => {
      if (text.length % 3 === 0) await settled();
      text += String(chunk);
    });
    await job.run();
    expect(text).toBe(Array.from({ length: 50 }, (_, n) => `${n} `).join(''));
  });

  test('a write after the end is an error for who waits, a line of the log, and nothing else', async () => {
    const { engine: e, log } = engine();
    const late: Promise<unknown>[] = [];
    let again: () => void = () => {};
    e.register('late', (job) => {
      again = () => {
        void job.stdout.write('too late');
        late.push(job.stdout.write('too late'));
      };
    });
    const unhandled: unknown[] = [];
    const note = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', note);
    await e.job('late', ['a']).run();
    again();
    await expect(late[0]).rejects.toThrow('late: the job has ended');
    await settled();
    process.off('unhandledRejection', note);
    expect([unhandled, log.filter((line) => line === 'job late(a) writes after its end').length]).toEqual([[], 2]);
  });

  test('stdin has one source; one that a job does not read is let go', async () => {
    const { engine: e } = engine();
    e.register('deaf', () => 0);
    const seen = { given: 0, returned: false };
    const ended = new EventTarget();
    async function* source(): AsyncGenerator<Uint8Array> {
      try {
        yield PIECE;
      } finally {
        seen.returned = true;
        ended.dispatchEvent(new Event('end'));
      }
    }
    const begun = source();
    await begun.next();
    const job = e.job('deaf', [], { stdin: begun });
    expect(() => job.stdin.attach(source())).toThrow('Maximum number of sources reached: 1');
    const end = once(ended, 'end');
    await job.run();
    await end;
    expect(seen.returned).toBe(true);
  });

  test('text of more than the limit is refused', async () => {
    const { engine: e } = engine();
    e.register('read', async (job) => (await job.stdin.text(100_000)).length);
    const job = e.job('read', [], { stdin: pieces(1000, { given: 0, returned: false }) });
    await expect(job.run()).rejects.toThrow('the input is longer than 100000 bytes');
  });

  test('the last line of stderr is bounded, whatever a job writes there', async () => {
    const { engine: e } = engine();
    e.register('noise', async (job) => {
      for (let n = 0; n < 100; n++) await job.stderr.write('x'.repeat(100_000));
      return 3;
    });
    const job = e.job('noise');
    await expect(job.run()).rejects.toThrow(/^x{4096}$/);
    expect(job.status).toBe(3);
  });
});

describe('cancellation', () => {
  test('a handler that obeys the signal ends as cancelled', async () => {
    const { engine: e } = engine();
    const client = new AbortController();
    e.register('wait', async (job) => {
      await once(job.signal, 'abort');
      job.signal.throwIfAborted();
    });
    const job = e.job('wait', [], { signal: client.signal });
    const running = job.run();
    const outcome = expect(running).rejects.toMatchObject({
      code: 'TSD_CALLED_OFF',
      message: 'wait: who asked for it is gone',
    });
    await settled();
    client.abort();
    await outcome;
    expect([job.status, job.isCancelled, e.running()]).toEqual([1, true, []]);
  });

  test('a handler that hangs stays listed, cancelled, until it ends', async () => {
    const { engine: e, time } = engine();
    let finish = (): void => {};
    e.register('hang', () => new Promise<undefined>((resolve) => (finish = () => resolve(undefined))));
    const job = e.job('hang', ['x']);
    const running = job.run();
    await settled();
    await time.advance(2_000);
    job.cancel();
    await settled();
    expect([e.running(), e.jobs()[0]?.isCancelled, job.ms(time.now())]).toEqual([['hang(x)'], true, 2_000]);
    finish();
    await running;
    await time.advance(2_000);
    expect([job.status, e.running(), job.ms(time.now())]).toEqual([0, [], 2_000]);
  });

  test('a job of a client that is gone does not begin', async () => {
    const { engine: e } = engine();
    let ran = false;
    e.register('work', () => {
      ran = true;
    });
    await expect(e.job('work', [], { signal: AbortSignal.abort() }).run()).rejects.toMatchObject({
      code: 'TSD_CALLED_OFF',
    });
    expect(ran).toBe(false);
  });

  test('stdin that gives nothing does not keep a job that is cancelled', async () => {
    const { engine: e } = engine();
    e.register('read', async (job) => (await job.stdin.text()).length);
    const silent: AsyncIterable<Uint8Array> = { [Symbol.asyncIterator]: () => ({ next: () => new Promise(() => {}) }) };
    const job = e.job('read', [], { stdin: silent });
    const outcome = expect(job.run()).rejects.toMatchObject({ code: 'TSD_CALLED_OFF' });
    await settled();
    job.cancel();
    await outcome;
  });
});

describe('many jobs and bad handlers', () => {
  test('a thousand at once: some work, some throw, some are cancelled, each with its own outcome', async () => {
    const { engine: e } = engine();
    e.register('mixed', async (job) => {
      const n = Number(job.args[0]);
      await settled();
      if (n % 3 === 0) throw new Error(`no ${n}`);
      if (n % 3 === 1) await once(job.signal, 'abort');
      job.signal.throwIfAborted();
      await job.stdout.write(String(n));
    });
    let written = 0;
    const jobs = Array.from({ length: 1000 }, (_, n) => {
      const job = e.job('mixed', [String(n)]);
      job.stdout.add(() => {
        written++;
      });
      return job;
    });
    const outcomes = Promise.allSettled(jobs.map((job) => job.run()));
    expect(e.jobs()).toHaveLength(1000);
    await settled();
    await settled();
    for (const job of jobs) if (Number(job.args[0]) % 3 === 1) job.cancel();
    const failed = (await outcomes).filter(({ status }) => status === 'rejected').length;
    expect([failed, written, jobs.filter(({ status }) => status === 0).length, e.jobs()]).toEqual([667, 333, 333, []]);
  });

  test.each([
    ['a string', 'boom'],
    ['nothing', undefined],
    ['null', null],
  ])('a handler that throws %s is an error like another', async (_what, thrown) => {
    const { engine: e } = engine();
    e.register('bad', () => {
      throw thrown;
    });
    const job = e.job('bad');
    await expect(job.run()).rejects.toMatchObject({ code: 'TSD_BUG' });
    expect(job.status).toBe(1);
  });

  test('what a list shows of a job has no secret', () => {
    const { engine: e } = engine();
    e.register(
      {
        name: 'login',
        summary: 'logs in',
        args: 'REGISTRY [WORD…]',
        shownArgs: 1,
        env: { user: { text: 'who' }, password: { text: 'proof', secret: true } },
      },
      () => 0,
    );
    const env = { user: 'me', password: 'hunter2', other: 'hunter3' };
    const job = e.job('login', ['registry.example', '--token=hunter4'], { env });
    expect([String(job), job.shownEnv]).toEqual(['login(registry.example, …)', ['user=me', 'password=…', 'other=…']]);
  });
});
