/**
 * Keeps V8's bytecode of the program beside it, for bin/tsdocker. Functions are compiled when they first run, so the commands
 * that people and scripts use most run here once, against a socket that answers like a supervisor.
 *
 *   node scripts/code-cache.mjs DIRECTORY    that holds bin/ and dist/
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { Readable, Writable } from 'node:stream';

const home = resolve(process.argv[2] ?? '.');
const { mark, load } = createRequire(import.meta.url)(join(home, 'bin/tsdocker'));
const { main, script } = load();

const CONTAINER = {
  kind: 'container',
  app: 'app',
  name: 'web',
  engineName: 'app-web',
  id: 'f'.repeat(64),
  phase: 'Running',
  ready: true,
  message: '',
  conditions: [{ type: 'Ready', status: true, reason: 'Running', message: '' }],
  source: { file: '/a.yaml', line: 1, column: 1 },
  image: 'app:1',
  pid: 1,
  address: '10.0.0.2',
  ports: ['127.0.0.1:80->80/tcp'],
  startedAt: '2026-01-01T00:00:00Z',
  finishedAt: null,
  exitCode: null,
  restarts: 0,
};
const ENTRY = { stream: 'stdout', time: '2026-01-01T00:00:00.5Z', log: 'hello\n' };
const ANSWERS = {
  '/version': { version: '0.0.0', api: 1, node: process.version },
  '/containers': [CONTAINER],
  '/manifests': [],
};
const frame = (type, payload) => Buffer.concat([Buffer.from([type, 0, 0, 0, 0, 0, 0, payload.length]), payload]);

function answer(request, response) {
  for (const [name, value] of Object.entries({ 'tsdocker-version': '0.0.0', 'tsdocker-api': '1' })) {
    response.setHeader(name, value);
  }
  const [path] = request.url.replace('/tsdocker/v1', '').split('?');
  if (path.endsWith('/logs')) {
    response.write(`${JSON.stringify(ENTRY)}\n`);
    response.end(`${JSON.stringify(ENTRY)}\n`);
  } else if (ANSWERS[path]) {
    const body = Buffer.from(JSON.stringify(ANSWERS[path]));
    response.setHeader('content-length', body.length);
    response.end(body);
  } else {
    response.statusCode = 404;
    response.end(JSON.stringify({ code: 'TSD_NO_SUCH_RESOURCE', class: 'not-found', message: 'none', hint: 'none' }));
  }
}

function upgrade(_request, socket) {
  socket.write('HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: tsdocker-stream\r\n\r\n');
  socket.write(frame(17, Buffer.from('{"pid":1,"tty":false,"stdin":false}')));
  socket.write(frame(1, Buffer.from('hello\n')));
  socket.end(frame(18, Buffer.alloc(4)));
}

function run(host, argv, terminal) {
  const sink = () => Object.assign(new Writable({ write: (_chunk, _encoding, done) => done() }), terminal);
  const streams = { stdin: Readable.from([]), stdout: sink(), stderr: sink(), env: { TSDOCKER_HOST: host }, cwd: '/' };
  return main(argv, { ...streams, now: Date.now });
}

const directory = mkdtempSync(join(tmpdir(), 'tsdocker-build-'));
const socket = join(directory, 'socket');
const server = createServer(answer).on('upgrade', upgrade);
try {
  await new Promise((listening) => server.listen(socket, listening));
  const commands = [
    '--help',
    'get --help',
    'version',
    'get containers',
    'get',
    'logs web',
    'logs app/',
    'logs -n 5 -t web',
  ];
  for (const line of [...commands, 'exec web true', 'get containers -o wide', 'why nothing', 'gte', 'get --watsh']) {
    for (const terminal of [{}, { isTTY: true, columns: 80, rows: 24 }]) {
      await run(`unix://${socket}`, line.split(' '), terminal);
    }
  }
} finally {
  await new Promise((closed) => server.close(closed));
  rmSync(directory, { recursive: true });
}
writeFileSync(join(home, 'dist/cli/index.js.cache'), Buffer.concat([mark, script.createCachedData()]));
process.exitCode = 0;
