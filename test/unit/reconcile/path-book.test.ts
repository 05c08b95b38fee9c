import { beforeEach, describe, expect, test } from 'vitest';
import { PathBook } from '../../../src/reconcile/path-book.ts';
import { ManualTime, settled } from '../../support/manual-time.ts';

const DEAD = { id: '40', type: 'nfs4', place: '/mnt' };

interface Question {
  readonly path: string;
  answer(errno: number): Promise<void>;
  fail(error: Error): Promise<void>;
}

let time: ManualTime;
let remote: typeof DEAD;
let asked: Question[];
let news: string[];
let book: PathBook;

beforeEach(() => {
  time = new ManualTime();
  remote = DEAD;
  asked = [];
  news = [];
  book = new PathBook({
    clock: time,
    timers: time,
    remoteOn: (path) => (path.startsWith('/mnt/') ? remote : null),
    reach: (path) =>
      new Promise((resolve, reject) => {
        asked.push({
          path,
          answer: (errno) => {
            resolve(errno);
            return settled();
          },
          fail: (error) => {
            reject(error);
            return settled();
          },
        });
      }),
    onNews: (path) => news.push(path),
  });
});

const question = (index: number): Question => asked[index] as Question;

describe('many files of a filesystem that answers', () => {
  const files = Array.from({ length: 11 }, (_, index) => `/mnt/${index}`);

  test('are all checked, a few at a time', async () => {
    const waiting = book.settle(files);
    for (let index = 0; index < files.length; index++) {
      expect(asked.length).toBeLessThanOrEqual(index + 4);
      await question(index).answer(0);
      await time.advance(1);
    }
    await waiting;
    expect(files.map((file) => book.trouble(file))).toEqual(files.map(() => null));
  });

  test('are not reported as hanging while they are queued', async () => {
    for (const file of files) expect(book.trouble(file)).toBe('is being looked at (filesystem nfs4 at /mnt)');
    await time.advance(1000);
    expect(book.trouble('/mnt/9')).toContain('does not answer');
  });
});

describe('a file on a filesystem that may not answer', () => {
  test('is checked once, and its message follows the elapsed time', async () => {
    expect(book.trouble('/mnt/a')).toBe('is being looked at (filesystem nfs4 at /mnt)');
    expect(book.trouble('/mnt/a')).toBe('is being looked at (filesystem nfs4 at /mnt)');
    await time.advance(999);
    expect(news).toEqual([]);
    await time.advance(1);
    expect(news).toEqual(['/mnt/a']);
    expect(book.trouble('/mnt/a')).toContain(
      'does not answer (filesystem nfs4 at /mnt); bring back what serves it, or give it up by `umount -f /mnt`',
    );
    await time.advance(3_600_000);
    expect(asked).toHaveLength(1);
    await question(0).answer(0);
    expect(news).toEqual(['/mnt/a', '/mnt/a']);
    expect(book.trouble('/mnt/a')).toBeNull();
    expect(book.isFree('/mnt/a')).toBe(true);
    expect(time.pending).toBe(0);
  });

  test('is checked again when the result is old, and an equal result is not reported twice', async () => {
    book.trouble('/mnt/a');
    await question(0).answer(2);
    expect(news).toEqual(['/mnt/a']);
    expect(book.trouble('/mnt/a')).toBe('does not exist');
    await time.advance(1000);
    book.trouble('/mnt/a');
    await question(1).answer(2);
    expect(news).toEqual(['/mnt/a', '/mnt/a']);
    book.trouble('/mnt/a');
    expect(asked).toHaveLength(2);
  });

  test('reports the error of the check, or that no process could start', async () => {
    await Promise.all([
      book.settle(['/mnt/a', '/mnt/b']),
      question(0).answer(5),
      question(1).fail(new Error('EAGAIN')),
    ]);
    expect(book.trouble('/mnt/a')).toBe('cannot be looked at: EIO');
    expect(book.trouble('/mnt/b')).toMatch(/^cannot be looked at: .*EAGAIN/);
  });

  test('is released by any result, but not by a failed check', async () => {
    expect([book.isFree('/mnt/a'), book.isFree('/mnt/b')]).toEqual([false, false]);
    await question(0).fail(new Error('the process that looked was killed'));
    await question(1).answer(5);
    expect([book.isFree('/mnt/a'), book.isFree('/mnt/b')]).toEqual([false, true]);
    await time.advance(1000);
    expect(book.isFree('/mnt/a')).toBe(false);
    await question(2).answer(0);
    expect(book.isFree('/mnt/a')).toBe(true);
  });

  test('delays at most a second, and not again while it does not answer', async () => {
    const waited = book.settle(['/mnt/a']);
    await time.advance(1000);
    expect(await waited).toBe(true);
    expect(await book.settle(['/mnt/a'])).toBe(false);
    expect(book.isFree('/mnt/a')).toBe(false);
  });

  test('delays an observe once, for the time the caller allows', async () => {
    expect(book.answers(100)).toBeNull();
    book.trouble('/mnt/a');
    const waiting = book.answers(100);
    await time.advance(100);
    await waiting;
    book.trouble('/mnt/a');
    expect(book.answers(100)).toBeNull();
  });

  test('keeps few processes: its other files are checked when it answers', async () => {
    const paths = ['a', 'b', 'c', 'd', 'e'].map((name) => `/mnt/${name}`);
    for (const path of paths) book.trouble(path);
    expect(asked.map(({ path }) => path)).toEqual(paths.slice(0, 4));
    await time.advance(1000);
    expect(new Set(news)).toEqual(new Set(paths));
    expect(book.trouble('/mnt/e')).toContain('does not answer');
    news = [];
    await question(1).answer(0);
    expect(news).toEqual(['/mnt/b', '/mnt/e']);
    book.trouble('/mnt/e');
    expect(asked.at(-1)?.path).toBe('/mnt/e');
  });

  test('is new when its filesystem is mounted again', async () => {
    book.trouble('/mnt/a');
    await time.advance(5000);
    remote = { ...DEAD, id: '41' };
    expect(book.trouble('/mnt/a')).toContain('is being looked at');
    await question(1).answer(0);
    expect(book.trouble('/mnt/a')).toBeNull();
    await question(0).answer(2);
    expect(book.trouble('/mnt/a')).toBeNull();
  });
});

test('local files are neither checked nor kept', async () => {
  expect(book.trouble('/srv/a')).toBeUndefined();
  expect(book.isFree('/srv/a')).toBe(true);
  expect(await book.settle(['/srv/a'])).toBe(false);
  expect(asked).toEqual([]);
});
