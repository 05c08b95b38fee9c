import { expect, test } from 'vitest';
import { tsdocker } from '../../support/api/in-process.ts';
import { useTerminal } from '../../support/api/terminal.ts';

const { served, run, screen } = useTerminal();

test('load', async () => {
  expect(await screen(['load', '-i', 'app.tar'], { cwd: '/srv' })).toMatchInlineSnapshot(`
    "        image/app:1: layer 1 50% of 2KiB
    Loaded image: app:1
    --- exit 0"
  `);
  expect(served().supervisor.asked[0]).toEqual({ call: 'load', with: '/srv/app.tar' });
});

test('info', async () => {
  expect(await screen(['info'])).toMatchInlineSnapshot(`
    "Version:          0.1.0
    Generation:       7
    Containers:       2, 1 running
    Images:           1
    Root:             /var/lib/tsdocker
    Run directory:    /run/tsdocker
    Manifests:        /etc/tsdocker/manifests
    Socket:           /run/tsdocker/tsdocker.sock
    Instance:         5f00aa
    ID:               ABCD:EFGH
    Drivers:          graph overlay, network bridge, exec native
    Default bridge:   tsdocker0
    New networks:     IPv4 and IPv6
    Host:             Linux 6.12.0, 2 CPUs, 24GiB
    Control groups:   version 2
    Limits:           memory yes, swap no
    IPv4 forwarding:  on
    IPv6 forwarding:  off
    AppArmor:         off
    Labels:           rack=3
    --- stderr
    warning: swap limits are off
    1 manifest rejected: \`tsdocker get manifests\`
    --- exit 0"
  `);
  expect(JSON.parse((await run(['info', '-o', 'json'])).stdout)).toEqual(served().supervisor.info());
});

test('version shows both sides, or why one is missing', async () => {
  const sides = JSON.parse((await run(['version', '-o', 'json'])).stdout);
  expect(sides.server).toEqual({ ...sides.client, commit: 'c0ffee1', os: 'linux', arch: 'x64', kernel: '6.12.0' });
  expect((await run(['version'])).stdout).toMatch(/^Server: .*, commit c0ffee1\)$/m);
  const { exitCode, stdout } = await run(['version'], { host: 'unix:///tmp/none.sock' });
  expect(exitCode).toBe(0);
  expect(stdout).toContain('Server:  no supervisor answers on /tmp/none.sock\n');
});

test('doctor', async () => {
  expect(await screen(['doctor'])).toMatchInlineSnapshot(`
    "ok       kernel    6.12.0
    failed   nftables  libnftables.so.1 is missing
                       fix: apt-get install libnftables1
    warning  cgroups   version 1

    3 checks: 1 ok, 1 warning, 1 failed
    --- exit 1"
  `);
  served().supervisor.checks = served().supervisor.checks.slice(0, 1);
  expect((await run(['doctor', '-o', 'json'])).exitCode).toBe(0);
});

test('-H wins over TSDOCKER_HOST, before or after the command', async () => {
  const host = 'unix:///tmp/none.sock';
  expect((await tsdocker(['-H', served().host, 'info'], { host })).exitCode).toBe(0);
  expect((await tsdocker(['info', '-H', served().host], { host })).exitCode).toBe(0);
  expect((await tsdocker(['info', `--host=${served().host}`], { host })).exitCode).toBe(0);
});

test('colours appear only on a terminal without NO_COLOR', async () => {
  const sequence = '\u001b[';
  expect((await run(['get', 'c'])).stdout).not.toContain(sequence);
  expect((await run(['get', 'c'], { columns: 100 })).stdout).toContain(`${sequence}32mRunning`);
  expect((await run(['get', 'c'], { columns: 100, env: { NO_COLOR: '1' } })).stdout).not.toContain(sequence);
  expect((await run(['get', 'c'], { columns: 100, env: { TERM: 'dumb' } })).stdout).not.toContain(sequence);
});

test('without a supervisor every command says how to start one', async () => {
  const host = `unix://${served().directory}/none.sock`;
  for (const argv of [
    ['get'],
    ['plan'],
    ['diff'],
    ['approve'],
    ['describe', 'x'],
    ['stop', 'x', 'y'],
    ['logs', 'x'],
    ['info'],
    ['wait', 'x'],
  ]) {
    const { exitCode, stderr } = await tsdocker(argv, { host });
    expect([argv, exitCode]).toEqual([argv, 1]);
    expect(stderr).toBe(
      `error: no supervisor answers on ${served().directory}/none.sock\n` +
        'hint: Start one: `tsdocker daemon`, or `systemctl start tsdocker`.\n',
    );
  }
});
