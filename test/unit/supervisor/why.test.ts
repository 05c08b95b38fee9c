import { describe, expect, test } from 'vitest';
import type { TimelineDraft, TimelineEntry } from '../../../src/model/status/timeline.ts';
import { whyChain } from '../../../src/supervisor/views/why.ts';
import { BLANK_ENTRY } from '../../support/timeline.ts';

const source = { file: 'blog.yaml', line: 12, column: 3 };
const BASE: TimelineDraft = {
  atMs: 0,
  kind: 'op',
  key: 'container/blog/web',
  ...BLANK_ENTRY,
};

/** Entries a second apart from 03:00:00 on. */
function timeline(...drafts: readonly Partial<TimelineDraft>[]): TimelineEntry[] {
  const start = Date.parse('2026-01-02T03:00:00Z');
  return drafts.map((draft, index) => ({ ...BASE, atMs: start + index * 1000, ...draft, id: index + 1 }));
}

/** The chain as text, one line a step. */
function chain(entries: readonly TimelineEntry[]): string {
  return whyChain(entries)
    .map(({ at, kind, ok, text, cause, log, times }) => {
      const count = times > 1 ? ` [${times} times]` : '';
      const lines = log.map((line) => `\n    | ${line}`).join('');
      return `${at.slice(11, 19)} ${kind}${ok ? '' : '!'} ${text}${count}${cause === '' ? '' : ` <- ${cause}`}${lines}`;
    })
    .join('\n');
}

const edit = (message: string, generation = 7): Partial<TimelineDraft> => ({
  kind: 'edit',
  what: 'changed',
  cause: 'edited blog.yaml',
  message,
  generation,
  source,
});
const op = (what: string, cause: string, rest: Partial<TimelineDraft> = {}): Partial<TimelineDraft> => ({
  what,
  cause,
  ...rest,
});
const start = (run: number, cause: string): Partial<TimelineDraft> => ({
  kind: 'start',
  what: 'container.start',
  run,
  cause,
});
const exit = (run: number, code: number, log: readonly string[] = []): Partial<TimelineDraft> => ({
  kind: 'exit',
  what: 'exited',
  ok: code === 0,
  run,
  message: `exited with ${code}`,
  log,
});
const hold = (what: string, message: string): Partial<TimelineDraft> => ({ kind: 'hold', what, message });

describe('the chain', () => {
  test('goes from the edit over ops and the end to the present hold', () => {
    const entries = timeline(
      edit('env.MODE "a" -> "b"'),
      op('container.stop', 'env.MODE changed in blog.yaml:12:3'),
      start(2, 'env.MODE changed in blog.yaml:12:3'),
      exit(2, 3, ['connecting', 'no route']),
      hold('backing-off', 'exited with 3, restart 1 after 500 ms'),
    );
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit env.MODE "a" -> "b" <- edited blog.yaml
      03:00:02 start stopped, started (run 2) <- env.MODE changed in blog.yaml:12:3
      03:00:03 exit! exited with 3 (run 2)
          | connecting
          | no route
      03:00:04 hold backing-off: exited with 3, restart 1 after 500 ms"
    `);
  });

  test('begins with the latest edit', () => {
    const entries = timeline(edit('added', 1), start(1, 'declared'), edit('ports [] -> ["80"]', 2), start(2, 'ports'));
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:02 edit ports [] -> ["80"] <- edited blog.yaml
      03:00:03 start started (run 2) <- ports"
    `);
  });

  test('begins with the oldest kept entry when the edit is gone', () => {
    expect(chain(timeline(exit(8, 1), start(9, 'exited with 1, restart 8')))).toMatchInlineSnapshot(`
      "03:00:00 exit! exited with 1 (run 8)
      03:00:01 start started (run 9) <- exited with 1, restart 8"
    `);
  });

  test('shows a crash loop once, with its latest lines and the count', () => {
    const rounds = [1, 2, 3, 4].flatMap((run) => [
      exit(run, 3, [`try ${run}`]),
      hold('backing-off', `exited with 3, restart ${run} after ${run}.0 s`),
      start(run + 1, `exited with 3, restart ${run}`),
    ]);
    const entries = timeline(edit('added'), start(1, 'declared in blog.yaml:12:3'), ...rounds, exit(5, 3, ['try 5']));
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit added <- edited blog.yaml
      03:00:01 start started (run 1) <- declared in blog.yaml:12:3
      03:00:11 exit! exited with 3 (run 4) [4 times]
          | try 4
      03:00:12 hold backing-off: exited with 3, restart 4 after 4.0 s [4 times]
      03:00:13 start started (run 5) [4 times] <- exited with 3, restart 4
      03:00:14 exit! exited with 3 (run 5)
          | try 5"
    `);
  });

  test('does not merge another exit code', () => {
    const entries = timeline(
      exit(1, 3),
      start(2, 'exited with 3, restart 1'),
      exit(2, 4),
      start(3, 'exited with 4, restart 2'),
    );
    expect(chain(entries)).not.toContain('times');
  });

  test('shows a failed op alone, with its error', () => {
    const entries = timeline(
      edit('added'),
      op('container.create', 'declared in blog.yaml:12:3'),
      op('container.connect', 'declared in blog.yaml:12:3', { ok: false, message: 'port 80 is taken — free it' }),
      hold('failed', 'port 80 is taken'),
    );
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit added <- edited blog.yaml
      03:00:01 op created <- declared in blog.yaml:12:3
      03:00:02 op! not connected: port 80 is taken — free it <- declared in blog.yaml:12:3
      03:00:03 hold failed: port 80 is taken"
    `);
  });

  test('includes requests, drift and restarts of the supervisor', () => {
    const entries = timeline(
      edit('added'),
      { kind: 'adopt', what: 'adopted', message: 'pid 77 still runs', cause: 'the supervisor started again', run: 1 },
      { kind: 'drift', what: 'container.connect', cause: 'veth missing' },
      { kind: 'override', what: 'stop', message: 'asked to stop', cause: 'requested' },
      hold('stopped-by-user', 'stopped until `tsdocker start`'),
    );
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit added <- edited blog.yaml
      03:00:01 adopt pid 77 still runs (run 1) <- the supervisor started again
      03:00:02 drift connected <- veth missing
      03:00:03 override asked to stop <- requested
      03:00:04 hold stopped-by-user: stopped until \`tsdocker start\`"
    `);
  });

  test('shows a failed update from its edit to its rollback', () => {
    const reason = 'not ready within 4.0 s: health check failed 4 times: exit 1: db down';
    const back = 'rolled back to generation 7: command';
    const entries = timeline(
      edit('command ["a"] -> ["b"]', 8),
      start(2, 'command changed in blog.yaml:12:3'),
      hold('updating', 'it was changed and has to prove itself'),
      {
        ...edit('back to generation 7', 9),
        what: 'rolled-back',
        cause: 'update of blog/web failed, blog is back at generation 7',
        source: null,
      },
      op('container.fail-update', `update failed: ${reason}`, { ok: false }),
      op('container.stop', back),
      start(3, back),
      op('container.settle-update', 'update given up'),
    );
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit command ["a"] -> ["b"] <- edited blog.yaml
      03:00:01 start started (run 2) <- command changed in blog.yaml:12:3
      03:00:02 hold updating: it was changed and has to prove itself
      03:00:04 op! update failed: not ready within 4.0 s: health check failed 4 times: exit 1: db down
      03:00:03 edit rolled back to generation 7 <- update of blog/web failed, blog is back at generation 7
      03:00:06 start stopped, started (run 3) <- rolled back to generation 7: command
      03:00:07 op its update is over <- update given up"
    `);
  });

  test('shows the successor of an update with its container', () => {
    const NEXT = { key: 'container/blog/web.next' } as const;
    const entries = timeline(
      edit('command ["a"] -> ["b"]', 8),
      op('container.create', 'command changed in blog.yaml:12:3', NEXT),
      { ...start(1, 'command changed in blog.yaml:12:3'), ...NEXT },
      { ...exit(1, 3, ['no database']), ...NEXT },
      op('container.fail-update', 'update failed: exited with 3 after 0.1 s', { ok: false }),
      op('container.remove', 'its update is over', NEXT),
      op('container.remove', 'its successor took over', { key: 'container/blog/web.old' }),
    );
    expect(chain(entries)).toMatchInlineSnapshot(`
      "03:00:00 edit command ["a"] -> ["b"] <- edited blog.yaml
      03:00:02 start successor: created, started (run 1) <- command changed in blog.yaml:12:3
      03:00:03 exit! successor: exited with 3 (run 1)
          | no database
      03:00:04 op! update failed: exited with 3 after 0.1 s
      03:00:05 op successor: removed <- its update is over
      03:00:06 op predecessor: removed <- its successor took over"
    `);
  });

  test('shows the error of a failed op of an update', () => {
    const full = { ok: false, message: 'no space left' };
    const entries = timeline(
      op('container.fail-update', 'update failed: exited with 3', full),
      op('container.cutover', 'its successor is ready', full),
      op('container.settle-update', 'update done', full),
    );
    expect(whyChain(entries).map(({ text }) => text)).toEqual([
      'its failed update cannot be taken back: no space left',
      'name and ports not moved: no space left',
      'the end of its update cannot be recorded: no space left',
    ]);
  });

  test('shows an op without a recorded end with the ops of the next supervisor', () => {
    const message = 'begun; the supervisor ended meanwhile';
    const entries = timeline(
      op('container.cutover', 'its successor is ready', { message }),
      op('container.settle-update', 'update done'),
    );
    expect(whyChain(entries).map(({ text, cause }) => [text, cause])).toEqual([
      ['name and ports moved (begun; the supervisor ended meanwhile)', 'its successor is ready'],
      ['its update is over', 'update done'],
    ]);
  });

  test('is empty without entries', () => {
    expect(whyChain([])).toEqual([]);
  });
});
