import { describe, expect, test } from 'vitest';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen } = useTerminal();

describe('logs', () => {
  test('bytes are passed to their streams unchanged', async () => {
    const { stdout, stderr } = await run(['logs', 'web']);
    expect(stdout).toBe('listening on 80\n\u001b[32mgreen\u001b[0m\n');
    expect(stderr).toBe('a long line, continued\n');
  });

  test('timestamps appear only at the start of a line', async () => {
    expect(await screen(['logs', '-t', 'web'])).toMatchInlineSnapshot(`
      "2026-01-02T03:04:05.000000001Z listening on 80
      2026-01-02T03:04:05.000000004Z [32mgreen[0m
      --- stderr
      2026-01-02T03:04:05.000000002Z a long line, continued
      --- exit 0"
    `);
  });

  test.each([
    [['--tail', '5'], { tail: 5 }],
    [['-n', 'all'], { tail: null }],
    [['--since', '10m'], { sinceMs: 1_767_323_045_000 - 600_000 }],
    [['--since', '2026-01-02T00:00:00Z'], { sinceMs: Date.UTC(2026, 0, 2) }],
    [['--since', '1767323045.5'], { sinceMs: 1_767_323_045_500 }],
  ])('%j', async (flags, options) => {
    expect((await run(['logs', ...flags, 'web'])).exitCode).toBe(0);
    expect(served().supervisor.asked[0]?.with).toEqual({
      name: 'web',
      options: { follow: false, tail: null, sinceMs: null, untilMs: null, stdout: true, stderr: true, ...options },
    });
  });

  test('invalid forms are refused', async () => {
    expect(await screen(['logs', '--since', 'yesterday', 'web'])).toMatchInlineSnapshot(`
      "--- stderr
      error: option '--since <time>' argument 'yesterday' is invalid. write for example 10m, 2026-01-02T15:04:05Z or Unix seconds.
      hint: \`tsdocker logs --help\` shows its arguments.
      --- exit 64"
    `);
    expect(await screen(['logs', '--tail=-1', 'web'])).toMatchInlineSnapshot(`
      "--- stderr
      error: option '-n, --tail <entries>' argument '-1' is invalid. write a number of entries, or all.
      hint: \`tsdocker logs --help\` shows its arguments.
      --- exit 64"
    `);
    expect(await screen(['logs', 'nope'])).toMatchInlineSnapshot(`
      "--- stderr
      error: no container is named nope
      hint: \`tsdocker get\` lists what exists.
      --- exit 1"
    `);
  });
});

describe('single containers', () => {
  test('successful names are printed, failed ones explained', async () => {
    expect(await screen(['stop', '-t', '1500ms', 'web', 'nope'])).toMatchInlineSnapshot(`
      "web
      --- stderr
      error: no container is named nope
      hint: \`tsdocker get\` lists what exists.
      --- exit 1"
    `);
    expect(served().supervisor.asked[0]).toEqual({ call: 'stop', with: { name: 'web', timeoutMs: 1500, forMs: null } });
    expect(await screen(['start', 'web'])).toMatchInlineSnapshot(`
      "web ready
      --- exit 0"
    `);
    expect(await screen(['start', '--settle', '0', '--wait', '5m', 'migrate'])).toMatchInlineSnapshot(`
      "migrate completed
      --- exit 0"
    `);
    expect(served().supervisor.asked.at(-1)?.with).toEqual({ name: 'migrate', settleMs: 0, waitMs: 300_000 });
    expect(await screen(['restart', 'web'])).toMatchInlineSnapshot(`
      "web ready
      --- exit 0"
    `);
    expect(await screen(['wait', 'migrate', 'web'])).toMatchInlineSnapshot(`
      "137
      0
      --- exit 0"
    `);
  });

  test.each([
    [[], 'SIGKILL'],
    [['-s', 'hup'], 'SIGHUP'],
    [['-s', 'SIGUSR1'], 'SIGUSR1'],
    [['-s', '15'], 'SIGTERM'],
  ])('kill %j', async (flags, signal) => {
    await run(['kill', ...flags, 'web']);
    expect(served().supervisor.asked[0]).toEqual({ call: 'kill', with: { name: 'web', signal } });
  });

  test('an invalid signal is refused', async () => {
    expect(await screen(['kill', '-s', 'BOO', 'web'])).toMatchInlineSnapshot(`
      "--- stderr
      error: option '-s, --signal <signal>' argument 'BOO' is invalid. there is no such signal.
      hint: \`tsdocker kill --help\` shows its arguments.
      --- exit 64"
    `);
  });
});

describe('exec', () => {
  test('outputs and exit code are those of the command', async () => {
    expect(await screen(['exec', 'web', 'exit', '42'])).toMatchInlineSnapshot(`
      "--- stderr
      leaving with 42
      --- exit 42"
    `);
    expect(await run(['exec', '-i', 'web', 'cat'], { input: 'round trip' })).toEqual({
      exitCode: 0,
      stdout: 'round trip',
      stderr: '',
    });
  });

  test('options before the container are ours, those after it belong to the command', async () => {
    const argv = [
      'exec',
      '-e',
      'A=1',
      '-e',
      'HOME',
      '-e',
      'UNSET',
      '-w',
      '/srv',
      '-u',
      '5:6',
      'blog/web',
      '--',
      'exit',
      '-i',
      '--tty',
    ];
    await run(argv, { env: { HOME: '/h' } });
    expect(served().supervisor.asked[0]?.with).toEqual({
      name: 'blog/web',
      request: {
        argv: ['exit', '-i', '--tty'],
        env: ['A=1', 'HOME=/h'],
        cwd: '/srv',
        user: '5:6',
        tty: false,
        stdin: false,
      },
    });
  });

  test('our failures are distinguished from those of the command', async () => {
    expect(await screen(['exec', 'web', 'missing'])).toMatchInlineSnapshot(`
      "--- stderr
      error: missing: not found in the container (execve missing)
      hint: Check command and entrypoint against the image.
      --- exit 127"
    `);
    expect(await screen(['exec', 'nope', 'ls'])).toMatchInlineSnapshot(`
      "--- stderr
      error: no container is named nope
      hint: \`tsdocker get\` lists what exists.
      --- exit 125"
    `);
    expect(await screen(['exec', '-it', 'web', 'sh'])).toMatchInlineSnapshot(`
      "--- stderr
      error: the input device is not a TTY
      hint: Leave out -t when input is a pipe or a file.
      --- exit 125"
    `);
  });
});
