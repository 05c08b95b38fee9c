import { describe, expect, test } from 'vitest';
import { TsdError } from '../../../src/model/errors/errors.ts';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen, manifest } = useTerminal();

describe('plan and diff', () => {
  test('with operations', async () => {
    expect(await screen(['plan'])).toMatchInlineSnapshot(`
      "+ start container/blog/web: declared in blog.yaml:12:3
      held  container/blog/job: waits for blog/db (dependency-not-ready)
      1 operation, 1 resource held.
      --- exit 2"
    `);
    expect(await screen(['diff'])).toMatchInlineSnapshot(`
      "~ container/blog/web
          env.MODE: "a" -> "b"  (restart)
      - volume/blog/old
      --- stderr
      1 manifest rejected: \`tsdocker get manifests\`
      --- exit 2"
    `);
  });

  test('JSON has the ops with id, op, resource, cause and dependsOn', async () => {
    const { stdout, exitCode } = await run(['plan', '-o', 'json']);
    expect(exitCode).toBe(2);
    expect(JSON.parse(stdout)).toEqual(served().supervisor.plans);
  });

  test('an empty plan', async () => {
    served().supervisor.plans = { ...served().supervisor.plans, ops: [], holds: [], text: '' };
    served().supervisor.differences = [];
    expect(await screen(['plan'])).toMatchInlineSnapshot(`
      "Nothing to do.
      --- exit 0"
    `);
    expect(await screen(['diff'])).toMatchInlineSnapshot(`
      "No differences.
      --- stderr
      1 manifest rejected: \`tsdocker get manifests\`
      --- exit 0"
    `);
  });

  test('held resources are not settled', async () => {
    const hold = {
      resource: 'container/blog/web',
      reason: 'unavailable',
      message: 'no /data',
      hint: '`mkdir -p /data`',
    };
    served().supervisor.plans = { ...served().supervisor.plans, ops: [], holds: [hold], text: '' };
    expect(await screen(['plan'])).toMatchInlineSnapshot(`
      "held  container/blog/web: no /data (unavailable)
            hint: \`mkdir -p /data\`
      No operations, 1 resource held.
      --- exit 2"
    `);
    const atRest = [
      { ...hold, reason: 'finished' },
      { ...hold, reason: 'stopped-by-user', message: 'stopped until `tsdocker start`' },
    ];
    served().supervisor.plans = { ...served().supervisor.plans, holds: atRest };
    expect(await screen(['plan'])).toMatchInlineSnapshot(`
      "stopped  container/blog/web: stopped until \`tsdocker start\`
      Nothing to do.
      --- exit 0"
    `);
  });

  test('resources that wait for a person are pending', async () => {
    const [active, rejected] = served().supervisor.list('manifests');
    if (!active || !rejected) throw new Error('no manifests');
    const message = '/m was emptied; its 3 manifests stay until `tsdocker approve`';
    const none = { ...served().supervisor.plans, ops: [], text: '' };
    served().supervisor.plans = {
      ...none,
      holds: [
        { resource: 'container/blog/job', reason: 'finished', message: 'exited with 0', hint: '' },
        { resource: 'container/blog/web', reason: 'failed', message: 'no such program', hint: 'Name another one.' },
        { resource: 'volume/blog/data', reason: 'needs-approval', message: 'x', hint: '' },
      ],
      approvals: [
        {
          name: '/m',
          kind: 'directory',
          message,
          changes: [
            { resource: 'container/blog/web', change: 'removed' },
            { resource: 'volume/blog/data', change: 'removed' },
          ],
        },
        ...served().supervisor.pending,
      ],
      manifests: [
        { ...active, state: 'Held', held: message },
        { ...active, state: 'Held', held: 'it waits to be taken over: no space' },
        { ...rejected, issues: rejected.issues.slice(0, 1) },
      ],
    };
    expect(await screen(['plan'])).toMatchInlineSnapshot(`
      "held  container/blog/web: no such program (failed)
            hint: Name another one.
      needs approval  /m: /m was emptied; its 3 manifests stay until \`tsdocker approve\`; after \`tsdocker approve /m\`:
          - container/blog/web
          - volume/blog/data
      needs approval  volume/blog/data: no longer declared and onRemove is delete; after \`tsdocker approve volume/blog/data\`:
          - volume/blog/data and its data
      held  /etc/tsdocker/manifests/blog.yaml: it waits to be taken over: no space
      rejected  /etc/tsdocker/manifests/shop.yaml:4:5: unknown key "imgae"; did you mean "image"?
      No operations, 1 resource held, 2 approvals pending, 1 manifest rejected, 2 manifests held.
      --- exit 2"
    `);
    served().supervisor.plans = { ...none, holds: [], manifests: [rejected] };
    expect((await run(['plan'])).exitCode).toBe(2);
  });

  test('manifests with errors', async () => {
    const [, rejected] = served().supervisor.list('manifests');
    served().supervisor.plans = { ...served().supervisor.plans, ops: [], issues: rejected?.issues.slice(0, 1) ?? [] };
    expect(await screen(['plan', '-f', manifest('a.yaml')])).toMatchInlineSnapshot(`
      "--- stderr
      error: /etc/tsdocker/manifests/shop.yaml:4:5: unknown key "imgae"; did you mean "image"?
      hint: See docs/manifest.md.
      --- exit 1"
    `);
  });
});

describe('apply', () => {
  test('sends text with its absolute path, also of a directory and of standard input', async () => {
    const file = manifest('blog.yaml');
    manifest('.hidden.yaml');
    manifest('notes.txt');
    await run(['apply', '-f', file, '-f', '.'], { cwd: served().directory });
    await run(['apply', '-f', '-', '--base-dir', 'sub'], { cwd: '/srv', input: 'app: x\n' });
    const sent = { file, baseDir: served().directory, text: 'containers: {}\n' };
    expect(served().supervisor.asked.map((entry) => entry.with)).toEqual([
      { inputs: [sent, sent], options: { dryRun: false, waitMs: null } },
      { inputs: [{ file: '-', baseDir: '/srv/sub', text: 'app: x\n' }], options: { dryRun: false, waitMs: null } },
    ]);
  });

  test('plain lines into a pipe', async () => {
    expect(await screen(['apply', '-f', manifest('a.yaml'), '--wait'])).toMatchInlineSnapshot(`
      "accepted: generation 8, 1 operation
      done    start container/blog/web (12 ms)
      ready: generation 8
      --- exit 0"
    `);
    expect(served().supervisor.asked[0]?.with).toMatchObject({ options: { waitMs: 30_000 } });
  });

  test('a live region on a terminal', async () => {
    const { stdout } = await run(['apply', '-f', manifest('a.yaml'), '--wait=1m'], { columns: 80 });
    expect(JSON.stringify(stdout).replaceAll('\\u001b', 'ESC').split('\\n')).toMatchInlineSnapshot(`
      [
        ""\\rESC[Jaccepted: generation 8, 1 operation",
        "\\rESC[JESC[2mstartedESC[22m start container/blog/web",
        "ESC[1A\\rESC[JESC[32mdone   ESC[39m start container/blog/web (12 ms)",
        "\\rESC[Jready: generation 8",
        "\\rESC[J"",
      ]
    `);
    expect(served().supervisor.asked[0]?.with).toMatchObject({ options: { waitMs: 60_000 } });
  });

  test('--dry-run prints the plan', async () => {
    expect(await screen(['apply', '-f', manifest('a.yaml'), '--dry-run'])).toMatchInlineSnapshot(`
      "+ start container/blog/web: declared in blog.yaml:12:3
      held  container/blog/job: waits for blog/db (dependency-not-ready)
      1 operation, 1 resource held.
      --- exit 0"
    `);
    expect(served().supervisor.asked[0]?.with).toMatchObject({ options: { dryRun: true } });
  });

  test('rejected manifests, failed operations and an unready result are errors', async () => {
    const [, rejected] = served().supervisor.list('manifests');
    const file = manifest('a.yaml');
    served().supervisor.events = [{ type: 'rejected', issues: rejected?.issues ?? [] }];
    expect(await screen(['apply', '-f', file])).toMatchInlineSnapshot(`
      "--- stderr
      error: /etc/tsdocker/manifests/shop.yaml:4:5: unknown key "imgae"; did you mean "image"?
      error: /etc/tsdocker/manifests/shop.yaml:4:5: unknown key "imgae"; did you mean "image"?
      hint: See docs/manifest.md.
      --- exit 1"
    `);
    const error = new TsdError('TSD_PORT_IN_USE', 'port 80 is used by nginx (pid 7)', {
      source: { file: 'a.yaml', line: 3, column: 5 },
    }).toJSON();
    served().supervisor.events = [
      { type: 'op', id: 'connect container/a/b', resource: 'container/a/b', status: 'failed', ms: 3, error },
      { type: 'op', id: 'start container/a/b', resource: 'container/a/b', status: 'skipped', ms: 0 },
      { type: 'waiting', resource: 'container/a/b', message: 'tries again in 4 s' },
      { type: 'op', id: 'connect container/a/b', resource: 'container/a/b', status: 'failed', ms: 4, error },
      { type: 'op', id: 'start container/a/b', resource: 'container/a/b', status: 'skipped', ms: 0 },
      { type: 'waiting', resource: 'container/a/b', message: 'tries again in 4 s' },
    ];
    expect(await screen(['apply', '-f', file, '--wait'])).toMatchInlineSnapshot(`
      "failed  connect container/a/b (3 ms): port 80 is used by nginx (pid 7)
      skipped start container/a/b
      waiting container/a/b: tries again in 4 s
      --- stderr
      error: a.yaml:3:5: port 80 is used by nginx (pid 7)
      hint: Stop the process named or publish another port.
      --- exit 1"
    `);
    served().supervisor.events = [];
    expect(await screen(['apply', '-f', file, '--wait'])).toMatchInlineSnapshot(`
      "--- stderr
      error: the supervisor stopped before everything was ready
      hint: \`tsdocker get\` and \`tsdocker describe\` show what it waits for.
      --- exit 1"
    `);
  });

  test('unreadable and missing files are errors', async () => {
    expect(await screen(['apply', '-f', 'nope.yaml'])).toMatchInlineSnapshot(`
      "--- stderr
      error: /nope.yaml: no such file or directory
      hint: Check the path after -f.
      --- exit 1"
    `);
    expect(await screen(['apply', '-f', served().directory])).toMatchInlineSnapshot(`
      "--- stderr
      error: DIR: no manifests in this directory
      hint: Check the path after -f. Manifests are *.yaml, *.yml and Quadlet units; hidden files are ignored.
      --- exit 1"
    `);
    expect(await screen(['apply'])).toMatchInlineSnapshot(`
      "--- stderr
      error: no manifest was named
      hint: Name one with -f FILE, a directory, or -f -.
      --- exit 1"
    `);
  });
});

test('delete', async () => {
  expect(await screen(['delete', 'container/blog/web', 'v/data', 'web', '--wait=5s'])).toMatchInlineSnapshot(`
    "accepted: generation 8, 1 operation
    done    start container/blog/web (12 ms)
    removed: generation 8
    --- exit 0"
  `);
  expect(served().supervisor.asked.at(-1)?.with).toEqual({
    files: [],
    resources: [
      { kind: 'container', name: 'blog/web' },
      { kind: 'volume', name: 'data' },
      { kind: 'container', name: 'web' },
    ],
    all: false,
    waitMs: 5000,
  });
  expect((await run(['delete', '--all'])).exitCode).toBe(0);
  expect(served().supervisor.asked.at(-1)?.with).toMatchObject({ all: true, waitMs: null });
  expect(await screen(['delete'])).toMatchInlineSnapshot(`
    "--- stderr
    error: nothing to delete was named
    hint: Name KIND/NAME, -f FILE or --all.
    --- exit 1"
  `);
});

describe('approve of all that is pending', () => {
  const directory = {
    name: '/m',
    kind: 'directory',
    message: '/m was emptied',
    changes: [{ resource: 'container/blog/web', change: 'removed' }],
  } as const;
  const asked = () => served().supervisor.asked.filter(({ call }) => call === 'approve');

  test('does not remove a whole directory without a question', async () => {
    served().supervisor.pending = [...served().supervisor.pending, directory];
    expect(await screen(['approve'])).toMatchInlineSnapshot(`
      "needs approval  volume/blog/data: no longer declared and onRemove is delete; after \`tsdocker approve volume/blog/data\`:
          - volume/blog/data and its data
      needs approval  /m: /m was emptied; after \`tsdocker approve /m\`:
          - container/blog/web
      --- stderr
      error: this removes 1 container, and there is no terminal for the question; nothing was approved
      hint: Run \`tsdocker approve --yes\`, or name the directory: \`tsdocker approve /m\`.
      --- exit 1"
    `);
    expect(asked()).toEqual([]);
    expect((await run(['approve', '--yes'])).exitCode).toBe(0);
    expect(asked()).toEqual([{ call: 'approve', with: ['volume/blog/data', '/m'] }]);
  });

  test('asks nothing where nothing waits, or no container is removed', async () => {
    served().supervisor.pending = [];
    expect(await screen(['approve'])).toMatchInlineSnapshot(`
      "Nothing was waiting for approval.
      --- exit 0"
    `);
    served().supervisor.pending = [{ ...directory, changes: [] }];
    expect((await run(['approve'])).exitCode).toBe(0);
    expect(asked()).toEqual([{ call: 'approve', with: ['/m'] }]);
  });
});

test('approve', async () => {
  expect(await screen(['approve'])).toMatchInlineSnapshot(`
    "needs approval  volume/blog/data: no longer declared and onRemove is delete; after \`tsdocker approve volume/blog/data\`:
        - volume/blog/data and its data
    approved volume/blog/data
    --- exit 0"
  `);
  expect(await screen(['approve', 'volume/a/b'])).toMatchInlineSnapshot(`
    "approved volume/a/b
    --- exit 0"
  `);
});

test('validate shows every problem with its line, without a supervisor', async () => {
  const good = manifest('good.yaml', 'containers:\n  a: { image: a }\nimages:\n  a: { rootfs: ./r }\n');
  expect(await screen(['validate', '-f', good], { host: 'unix:///none.sock' })).toMatchInlineSnapshot(`
    "1 manifest: valid
    --- exit 0"
  `);
  const bad = manifest('bad.yaml', 'containers:\n  web:\n    imgae: nginx\n');
  expect(await screen(['validate', '-f', bad, '-f', good])).toMatchInlineSnapshot(`
    "--- stderr
    DIR/bad.yaml:3:5: container web has no image
      3 |     imgae: nginx
        |     ^
    DIR/bad.yaml:3:5: unknown field "imgae" in container web; did you mean image?
      3 |     imgae: nginx
        |     ^
    --- exit 1"
  `);
});

test('validate assumes names of apps outside its files exist', async () => {
  const web = manifest(
    'web.yaml',
    'containers:\n  web: { image: "x:1", links: [db/server], dependsOn: [db/server] }\n  side: { image: "x:1", links: [web] }\n',
  );
  const user = manifest('user.yaml', 'containers: { a: { image: "x:1", links: [web/web] } }\n');
  expect(await screen(['validate', '-f', web, '-f', user], { host: 'unix:///none.sock' })).toMatchInlineSnapshot(`
    "2 manifests: valid
    --- stderr
    note: DIR/web.yaml:2:32: not checked: it names another app, which is not among these files
    note: DIR/web.yaml:2:56: not checked: it names another app, which is not among these files
    --- exit 0"
  `);
  const db = manifest('db.yaml', 'containers: { sever: { image: "x:1" } }\n');
  expect(await screen(['validate', '-f', web, '-f', db], { host: 'unix:///none.sock' })).toMatchInlineSnapshot(`
    "--- stderr
    DIR/web.yaml:2:32: there is no container "db/server"; did you mean db/sever?
      2 |   web: { image: "x:1", links: [db/server], dependsOn: [db/server] }
        |                                ^
    DIR/web.yaml:2:56: there is no container "db/server"; did you mean db/sever?
      2 |   web: { image: "x:1", links: [db/server], dependsOn: [db/server] }
        |                                                        ^
    --- exit 1"
  `);
});

test('validate and apply as JSON', async () => {
  const bad = manifest('bad.yaml', 'containers:\n  web: { image: "x:1", links: [db/server] }\n  bad: { imgae: x }\n');
  const checked = await run(['validate', '-f', bad, '-o', 'json'], { host: 'unix:///none.sock' });
  expect({ ...checked, stdout: JSON.parse(checked.stdout) }).toMatchObject({
    exitCode: 1,
    stderr: '',
    stdout: {
      valid: false,
      problems: [
        { message: 'container bad has no image' },
        { message: expect.stringContaining('imgae'), file: bad, line: 3 },
      ],
      warnings: [],
      notChecked: [{ line: 2, column: 32 }],
    },
  });
  const compose = manifest('compose.yaml', 'services: { a: { image: x, bogus: 1 } }\n');
  const warned = await run(['validate', '-f', compose, '-o', 'json'], { host: 'unix:///none.sock' });
  expect({ ...warned, stdout: JSON.parse(warned.stdout) }).toMatchObject({
    exitCode: 0,
    stderr: '',
    stdout: { valid: true, problems: [], warnings: [{ message: expect.stringContaining('bogus') }] },
  });
  const applied = await run(['apply', '-f', manifest('a.yaml'), '-o', 'json', '--wait']);
  const events = applied.stdout
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect([applied.exitCode, events]).toEqual([0, served().supervisor.events]);
  expect(served().supervisor.asked[0]?.with).toMatchObject({ options: { dryRun: false, waitMs: 30_000 } });
  const planned = await run(['apply', '-f', manifest('a.yaml'), '-o', 'json', '--dry-run']);
  expect(JSON.parse(planned.stdout.split('\n')[0] ?? '')).toMatchObject({ type: 'accepted' });
});

test('apply lists containers that do not run, and never calls them ready', async () => {
  const file = manifest('a.yaml');
  const atRest = [
    { resource: 'container/blog/job', state: 'completed' as const, message: 'exited with 0' },
    { resource: 'container/blog/web', state: 'stopped' as const, message: 'stopped until `tsdocker start`' },
  ];
  const last = async (running: number, count: number) => {
    served().supervisor.events = [{ type: 'ready', generation: 8, running, atRest: atRest.slice(0, count) }];
    return (await run(['apply', '-f', file, '--timeout', '2m', '--settle', '3s'])).stdout;
  };
  expect(await last(1, 2)).toMatchInlineSnapshot(`
    "completed container/blog/job: exited with 0
    stopped   container/blog/web: stopped until \`tsdocker start\`
    ready: generation 8
    "
  `);
  expect(await last(0, 1)).toMatchInlineSnapshot(`
    "completed container/blog/job: exited with 0
    completed: generation 8
    "
  `);
  expect(await last(0, 0)).toMatchInlineSnapshot(`
    "ready: generation 8
    "
  `);
  const options = { dryRun: false, waitMs: 120_000, settleMs: 3_000 };
  expect(served().supervisor.asked.at(-1)?.with).toMatchObject({ options });
});

test('the last lines of an ended container appear below the error', async () => {
  const log = ['no database', 'giving up\u001b[2J'];
  const error = {
    code: 'TSD_CONTAINER_ENDED',
    class: 'precondition',
    message: 'container/a/web: exited with 3',
  } as const;
  served().supervisor.events = [{ type: 'failed', error: { ...error, hint: 'Look.', log } }];
  expect(await screen(['apply', '-f', manifest('a.yaml'), '--wait'])).toMatchInlineSnapshot(`
    "--- stderr
    error: container/a/web: exited with 3
        | no database
        | giving up
    hint: Look.
    --- exit 1"
  `);
});
