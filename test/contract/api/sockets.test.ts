import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SupervisorClient } from '../../../src/api/client.ts';
import { type ApiServer, serveApi } from '../../../src/api/server.ts';
import { PlainSupervisor } from '../../support/api/plain-supervisor.ts';
import { until } from '../../support/wait.ts';

let directory: string;
let servers: ApiServer[];
let children: ChildProcess[];
beforeEach(() => {
  directory = mkdtempSync('/tmp/tsd-test-sockets-');
  servers = [];
  children = [];
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  await Promise.all(servers.map((server) => server.close()));
  rmSync(directory, { recursive: true, force: true });
});

async function serveOn(path: string, group: string | null = null): Promise<void> {
  const options = { api: () => new PlainSupervisor(), hosts: [`unix://${path}`], group, onBug: () => undefined };
  servers.push(await serveApi(options));
}

test('the socket admits owner and group only and is removed with the server', async () => {
  const path = join(directory, 'deep/er/api.sock');
  await serveOn(path, 'daemon');
  const { mode, gid } = statSync(path);
  expect(mode & 0o777).toBe(0o660);
  expect(gid).toBe(Number(readFileSync('/etc/group', 'utf8').match(/^daemon:[^:]*:(\d+)/m)?.[1]));
  await servers.pop()?.close();
  expect(existsSync(path)).toBe(false);
});

test('a missing group is an error, unless it is the default one', async () => {
  await expect(serveOn(join(directory, 'a.sock'), 'no-such-group')).rejects.toMatchObject({
    code: 'TSD_FLAG',
    message: 'there is no group no-such-group to give the socket to',
  });
  await serveOn(join(directory, 'b.sock'), 'tsdocker');
});

describe('an existing path', () => {
  test('a socket without a listener is replaced', async () => {
    const path = join(directory, 'stale.sock');
    const script = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
    spawnSync(process.execPath, ['-e', script]);
    expect(statSync(path).isSocket()).toBe(true);
    await serveOn(path);
    expect(await new SupervisorClient(`unix://${path}`).version()).toBeTruthy();
  });

  test('a socket with a listener is refused', async () => {
    const path = join(directory, 'live.sock');
    await serveOn(path);
    await expect(serveOn(path)).rejects.toMatchObject({
      code: 'TSD_LOCKED',
      message: `another process already listens on ${path}`,
    });
    expect(await new SupervisorClient(`unix://${path}`).version()).toBeTruthy();
  });

  test('a regular file is refused, and the other sockets are closed', async () => {
    const path = join(directory, 'file');
    writeFileSync(path, 'mine');
    const first = join(directory, 'first.sock');
    const hosts = [`unix://${first}`, `unix://${path}`];
    const started = serveApi({ api: () => new PlainSupervisor(), hosts, group: null, onBug: () => undefined });
    await expect(started).rejects.toMatchObject({
      code: 'TSD_FLAG',
      message: `${path} exists and is not a socket; it is left as it is`,
    });
    expect(readFileSync(path, 'utf8')).toBe('mine');
    expect(existsSync(first)).toBe(false);
  });

  test('a path that is too long for the kernel is refused', async () => {
    await expect(serveOn(join(directory, 'x'.repeat(100)))).rejects.toMatchObject({
      code: 'TSD_FLAG',
      message: expect.stringMatching(/^the socket path is \d+ bytes long, the kernel takes 107: /),
      hint: 'Choose a shorter path with -H or --run-dir.',
    });
  });

  test('fd:// without systemd is refused', async () => {
    const started = serveApi({
      api: () => new PlainSupervisor(),
      hosts: ['fd://'],
      group: null,
      onBug: () => undefined,
    });
    await expect(started).rejects.toMatchObject({ code: 'TSD_FLAG', message: 'no socket was handed over for fd://' });
  });
});

test('a user without permission gets a hint about sudo', async () => {
  const path = join(directory, 'api.sock');
  await serveOn(path);
  chmodSync(directory, 0o755);
  const probe = `require('net').connect(${JSON.stringify(path)}).on('error', (e) => console.log(e.code))`;
  const { stdout } = spawnSync(process.execPath, ['-e', probe], { uid: 65_534, gid: 65_534, encoding: 'utf8' });
  expect(stdout).toBe('EACCES\n');
  process.setegid?.(65_534);
  process.seteuid?.(65_534);
  try {
    await expect(new SupervisorClient(`unix://${path}`).info()).rejects.toMatchObject({
      code: 'TSD_SOCKET_DENIED',
      class: 'denied',
      hint: 'Use sudo, or join the group that owns the socket.',
    });
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
});

/** A listening socket as fd 3 and the variables of sd_listen_fds(3), as systemd leaves them to a service. */
const ACTIVATE = `
  use Socket;
  $^F = 255;
  socket(my $socket, PF_UNIX, SOCK_STREAM, 0) or die $!;
  bind($socket, pack_sockaddr_un(shift)) or die $!;
  listen($socket, 5) or die $!;
  @ENV{qw(LISTEN_PID LISTEN_FDS LISTEN_FDNAMES)} = ($$, 1, 'api');
  exec @ARGV;`;

test('sockets from systemd are used and not inherited by children', async () => {
  const path = join(directory, 'activated.sock');
  const script = join(import.meta.dirname, 'activated-server.mjs');
  const loader = join(import.meta.dirname, '../../support/run-typescript.mjs');
  const child = spawn('perl', ['-e', ACTIVATE, path, process.execPath, '--import', loader, script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  let flags = '';
  child.stdout?.on('data', (chunk: Buffer) => {
    flags += chunk.toString();
  });
  const client = new SupervisorClient(`unix://${path}`);
  expect(await until('the server', async () => (await client.version()).version)).toBeTruthy();
  expect(await until('the flags', () => flags.match(/flags:\s*0(2\d{6})/)?.[1]), 'O_CLOEXEC').toBeTruthy();
});
