import { describe, expect, test } from 'vitest';
import type { EventView } from '../../../src/api/views/explain-views.ts';
import type { CliContext } from '../../../src/cli/context.ts';
import { formatEvent } from '../../../src/cli/output/timeline.ts';
import { useTerminal } from '../../support/api/terminal.ts';
import { BLANK_ENTRY } from '../../support/timeline.ts';

const { served, run, screen } = useTerminal();

describe('why', () => {
  test('prints a chain from top to bottom', async () => {
    expect(await screen(['why', 'web'])).toMatchInlineSnapshot(`
      "container/blog/web is BackingOff: exited with 3, restart 12 after 4.0 s
        declared at /etc/tsdocker/manifests/blog.yaml:12:3

      How it came
        2026-01-02 03:00:00.000  edit     env.MODE "a" -> "b"
                                          because: edited blog.yaml, generation 7 (/etc/tsdocker/manifests/blog.yaml:12:3)
        2026-01-02 03:03:00.500  exit     exited with 3 (run 14), 12 times by now
                                          | connecting to db
                                          | no route

      Now
        backing-off: exited with 3, restart 12 after 4.0 s
        hint: \`tsdocker logs blog/web\` shows what it wrote.
      --- exit 0"
    `);
    expect(served().supervisor.asked.at(-1)).toEqual({ call: 'why', with: { kind: 'container', name: 'web' } });
  });

  test('JSON is the view', async () => {
    const { stdout } = await run(['why', 'container/blog/web', '-o', 'json']);
    expect(JSON.parse(stdout)).toMatchObject({ resource: 'container/blog/web', steps: [{}, { times: 12 }] });
  });

  test('of a missing resource is an error', async () => {
    expect(await screen(['why', 'nothing'])).toMatchInlineSnapshot(`
      "--- stderr
      error: no container is named nothing
      hint: \`tsdocker get\` lists what exists.
      --- exit 1"
    `);
  });
});

describe('history', () => {
  test('lists generations', async () => {
    expect(await screen(['history'])).toMatchInlineSnapshot(`
      "GENERATION  AGE  BY             CAUSE                   CHANGES
      7 *         4m   alice (owner)  edited blog.yaml        1 changed, 1 removed; 1 app held: shop
      6           1d   uid 1001       applied /srv/blog.yaml  -
      --- exit 0"
    `);
    expect(served().supervisor.asked.at(-1)).toEqual({ call: 'history', with: 20 });
  });

  test('--diff shows changed fields of one generation', async () => {
    expect(await screen(['history', '--diff', '7'])).toMatchInlineSnapshot(`
      "~ container/blog/web
          env.MODE: "a" -> "b"  (restart)
      - volume/blog/old
      --- exit 0"
    `);
    expect(served().supervisor.asked.at(-1)).toEqual({ call: 'historyDiff', with: 7 });
    expect(await run(['history', '--diff', 'x'])).toMatchObject({ exitCode: 64 });
  });
});

describe('rollback', () => {
  test('requires a generation and passes its options on', async () => {
    expect(await run(['rollback'])).toMatchObject({ exitCode: 64 });
    expect(await run(['rollback', '--to', '6', '--hold', '--wait=5s'])).toMatchObject({ exitCode: 0 });
    expect(served().supervisor.asked).toEqual([
      { call: 'rollback', with: { generation: 6, options: { hold: true, dryRun: false, waitMs: 5000 } } },
    ]);
  });

  test('--dry-run prints the plan', async () => {
    expect(await screen(['rollback', '--to', '6', '--dry-run'])).toMatchInlineSnapshot(`
      "+ start container/blog/web: declared in blog.yaml:12:3
      held  container/blog/job: waits for blog/db (dependency-not-ready)
      1 operation, 1 resource held.
      --- exit 0"
    `);
  });
});

describe('events', () => {
  test('are printed as lines', async () => {
    expect(await screen(['events'])).toMatchInlineSnapshot(`
      "2026-01-02 03:00:00.000  start    container/blog/web container.start (run 3): env.MODE changed in blog.yaml:12:3
      2026-01-02 03:00:01.000  exit     container/blog/web exited with 3 (run 3)
          | no route
      --- exit 0"
    `);
    expect(served().supervisor.asked.at(-1)).toEqual({ call: 'timeline', with: { follow: false, sinceMs: null } });
  });

  test('no part of a line repeats another', () => {
    const event = (rest: Partial<EventView>): EventView => ({
      id: 1,
      time: '2026-01-02T03:00:00.000Z',
      kind: 'op',
      resource: 'container/blog/web',
      ...BLANK_ENTRY,
      ...rest,
    });
    const streams = { stdout: { isTTY: false }, env: {} };
    const line = (rest: Partial<EventView>) =>
      formatEvent({ streams } as unknown as CliContext, event(rest)).slice('2026-01-02 03:00:00.000  probe    '.length);
    expect(line({ what: 'added', message: 'added', cause: 'added base.yaml' })).toBe(
      'container/blog/web added — added base.yaml',
    );
    expect(line({ kind: 'probe', ok: false, what: 'unhealthy', message: 'unhealthy: db down', run: 2 })).toBe(
      'container/blog/web unhealthy: db down (run 2)',
    );
    expect(line({ kind: 'probe', what: 'healthy', message: 'ready', run: 2 })).toBe(
      'container/blog/web healthy (run 2): ready',
    );
    expect(line({ kind: 'exit', what: 'oom-killed', message: 'exited with 137 (out of memory)', run: 2 })).toBe(
      'container/blog/web exited with 137 (out of memory) (run 2)',
    );
  });

  test('are one JSON object a line, from a given time', async () => {
    const { stdout } = await run(['events', '-f', '--since', '10m', '-o', 'json']);
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .map((line) => JSON.parse(line).id),
    ).toEqual([41, 42]);
    expect(served().supervisor.asked.at(-1)).toEqual({
      call: 'timeline',
      with: { follow: true, sinceMs: Date.parse('2026-01-02T03:04:05Z') - 600_000 },
    });
  });
});

describe('get -w', () => {
  test('into a pipe prints the list, then changed rows', async () => {
    expect(await screen(['get', 'containers', '-w'])).toMatchInlineSnapshot(`
      "NAME     APP   PHASE       READY  EXIT  RESTARTS  SINCE  ADDRESS    PORTS                   IMAGE  MESSAGE
      web      blog  Running     yes    -     2         4m     10.80.0.3  127.0.0.1:8080->80/tcp  nginx  -
      migrate  blog  BackingOff  no     137   11        10s    -          -                       nginx  exited with 137, next try in 4 s
      --- exit 0"
    `);
  });

  test('on a terminal redraws the list', async () => {
    const { stdout } = await run(['get', 'c', '-w', 'web'], { columns: 120, env: { NO_COLOR: '1' } });
    expect(stdout.split('\u001b[H\u001b[2J').map((screen) => screen.split('\n').length)).toEqual([1, 3, 3]);
  });

  test('as JSON prints one array a line', async () => {
    const { stdout } = await run(['get', 'c', '-w', '-o', 'json']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line) => JSON.parse(line).length)).toEqual([2, 1]);
  });
});
