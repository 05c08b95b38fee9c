/** Logs sent on to real receivers: rsyslog over TCP, UDP and a unix socket, and a journal in a namespace of its own. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { syscall, trySyscall } from '../../src/ffi/call/native.ts';
import { addressOfPath } from '../../src/ffi/sockets/notify-address.ts';
import { BUSYBOX_IMAGE, IDLE, shell } from '../support/manifests.ts';
import { endServer, freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;
const receivers: ChildProcess[] = [];

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
  for (const receiver of receivers.splice(0)) await endServer(receiver);
});

function run(program: string, ...args: string[]): ChildProcess {
  const child = spawn(program, args, { stdio: 'ignore' });
  receivers.push(child);
  return child;
}

const file = (name: string): string => join(supervisor.base, name);
const text = (name: string): string => (existsSync(file(name)) ? readFileSync(file(name), 'utf8') : '');

/** An rsyslogd of ours alone, with what it takes in one file. */
function rsyslog(inputs: string): ChildProcess {
  const config = `module(load="imtcp") module(load="imudp") module(load="imuxsock" SysSock.Use="off")
global(workDirectory="${supervisor.base}" maxMessageSize="64k")
template(name="t" type="string" string="%syslogfacility-text%.%syslogseverity-text% %app-name% %structured-data% %msg%\\n")
${inputs}
action(type="omfile" file="${file('received')}" template="t")
`;
  writeFileSync(file('rsyslog.conf'), config);
  return run('rsyslogd', '-n', '-i', file('rsyslog.pid'), '-f', file('rsyslog.conf'));
}

const manifest = (script: string, log: string) =>
  `${BUSYBOX_IMAGE}containers:\n  web: { image: busybox, command: ${shell(script)}, log: ${log} }\n`;
const ticks = `i=0; trap "exit 0" TERM; while :; do echo "tick $i"; i=$((i+1)); sleep 0.02 & wait; done`;
const ticksOf = (lines: string): number[] => [...lines.matchAll(/tick (\d+)$/gm)].map(([, number]) => Number(number));

test('rsyslog gets every line once, despite its own downtime and kill -9 of the supervisor', async () => {
  const port = await freePort();
  const inputs = `input(type="imtcp" port="${port}" address="127.0.0.1")`;
  supervisor.drop(
    'app.yaml',
    manifest(ticks, `{ driver: syslog, address: "tcp://127.0.0.1:${port}", facility: local3 }`),
  );
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await until('the absence is told', () => supervisor.log.includes('its log is not forwarded'));
  const delayed = async () => (await supervisor.container('web'))?.conditions.find(({ type }) => type === 'LogDelayed');
  expect(await delayed()).toMatchObject({
    status: true,
    reason: 'ReceiverDown',
    message: expect.stringContaining(`no log can be sent to tcp://127.0.0.1:${port}`),
  });
  expect(await supervisor.ok('describe', 'web')).toMatch(/LogDelayed +yes +\S+Z +ReceiverDown/);
  rsyslog(inputs);
  await until('lines arrive', () => ticksOf(text('received')).length > 20);
  await until('the condition is gone', async () => (await delayed()) === undefined);
  await supervisor.crash();
  const before = ticksOf(text('received')).length;
  await supervisor.start();
  await until('lines arrive again', () => ticksOf(text('received')).length > before + 20);
  await supervisor.ok('stop', 'web');
  const written = ticksOf(await supervisor.ok('logs', 'web'));
  await until('all is there', () => ticksOf(text('received')).includes(written.at(-1) ?? -1));
  const received = ticksOf(text('received'));
  expect([...new Set(received)]).toEqual(written);
  // The entry that was under way when the supervisor was killed may come twice.
  expect(received.length - written.length).toBeLessThanOrEqual(1);
  expect(text('received')).toContain('local3.info app-web [container@32473 id="');
});

test('a slow receiver does not delay the end of the supervisor and gets the rest later', async () => {
  const path = file('behind');
  const AF_UNIX = 1; // include/linux/socket.h
  const SOCK_DGRAM = 2; // include/linux/net.h
  const fd = syscall('socket', 'socket', AF_UNIX, SOCK_DGRAM, 0);
  const address = addressOfPath(path);
  syscall('bind', 'bind', fd, address, address.length);
  const lines = 'i=0; while [ $i -lt 2000 ]; do echo "tick $i"; i=$((i+1)); done; exec sleep 3600';
  supervisor.drop('app.yaml', manifest(lines, `{ driver: syslog, address: "unix://${path}" }`));
  await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
  await until('all of the log', async () => ticksOf(await supervisor.ok('logs', 'web')).length === 2000);
  await supervisor.stop();
  trySyscall('close', fd);
  rmSync(path);
  rsyslog(`input(type="imuxsock" Socket="${path}")`);
  await until('the receiver', () => existsSync(path));
  await supervisor.start();
  await until('the last line', () => ticksOf(text('received')).includes(1999));
});

test('rsyslog accepts datagrams of both kinds', async () => {
  const port = await freePort();
  const socket = file('log.sock');
  rsyslog(`input(type="imudp" port="${port}" address="127.0.0.1")\ninput(type="imuxsock" socket="${socket}")`);
  await until('the socket', () => existsSync(socket));
  const local = `0100007F:${port.toString(16).toUpperCase().padStart(4, '0')}`;
  await until('the port', () => readFileSync('/proc/net/udp', 'utf8').includes(local));
  const script = shell(`echo to standard output; echo to standard error >&2; ${IDLE}`);
  supervisor.drop(
    'app.yaml',
    `${BUSYBOX_IMAGE}containers:\n` +
      `  net: { image: busybox, command: ${script}, log: { driver: syslog, address: "udp://127.0.0.1:${port}" } }\n` +
      `  local: { image: busybox, command: ${script}, log: { driver: syslog, address: "unix://${socket}", tag: mine } }\n`,
  );
  await until('all four', () => text('received').trim().split('\n').length === 4);
  const lines = text('received')
    .replace(/\[container[^\]]*\]/g, '[data]')
    .replace(/ +/g, ' ')
    .trim()
    .split('\n')
    .sort();
  expect(lines).toEqual([
    'daemon.err app-net [data] to standard error',
    'daemon.err mine - to standard error',
    'daemon.info app-net [data] to standard output',
    'daemon.info mine - to standard output',
  ]);
});

test('the journal has every line once, with fields and bytes', async () => {
  const namespace = `tsdt${process.pid}`;
  const socket = `/run/systemd/journal.${namespace}/socket`;
  run('/usr/lib/systemd/systemd-journald', namespace);
  try {
    await until('the journal', () => existsSync(socket));
    const script = `printf 'bad \\377 byte\\n'; echo wrong >&2; ${ticks}`;
    supervisor.drop('app.yaml', manifest(script, `{ driver: journald, address: "unix://${socket}" }`));
    const { id } = await supervisor.waitFor('web', 'ready', ({ ready }) => ready);
    type Message = Readonly<Record<string, unknown>>;
    const journal = (): Message[] =>
      execFileSync('journalctl', [`--namespace=${namespace}`, '-o', 'json', `CONTAINER_ID_FULL=${id}`], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
        maxBuffer: 64 << 20,
      })
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Message);
    const messages = () => journal().map(({ MESSAGE }) => String(MESSAGE));
    await until('lines arrive', () => messages().length > 20);
    await supervisor.crash();
    await supervisor.start();
    await supervisor.ok('stop', 'web');
    const written = (await supervisor.ok('logs', 'web')).trimEnd().split('\n');
    await until('all is there', () => messages().includes(written.at(-1) ?? ''));
    const received = messages().filter((message) => message !== 'wrong');
    expect([...new Set(received)]).toEqual(written);
    expect(received.length - written.length).toBeLessThanOrEqual(1);
    expect(journal().find(({ MESSAGE }) => MESSAGE === 'wrong')).toMatchObject({
      PRIORITY: '3',
      SYSLOG_IDENTIFIER: 'app-web',
      CONTAINER_NAME: 'app-web',
      CONTAINER_ID: id.slice(0, 12),
    });
  } finally {
    for (const receiver of receivers.splice(0)) await endServer(receiver);
    rmSync(`/run/systemd/journal.${namespace}`, { recursive: true, force: true });
    const machine = readFileSync('/etc/machine-id', 'utf8').trim();
    for (const base of ['/run/log/journal', '/var/log/journal'])
      rmSync(join(base, `${machine}.${namespace}`), { recursive: true, force: true });
  }
});
