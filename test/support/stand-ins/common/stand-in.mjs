// What the stand-ins of web programs share: a page that says that they are well, and one note that a user keeps in them, at
// /stand-in/note, in every place where the public program keeps data.
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A variable of the environment that the image needs. */
export function variable(name) {
  const value = process.env[name];
  if (value === undefined || value === '') {
    console.error(`${name} is not set`);
    process.exit(1);
  }
  return value;
}

/** A place where the note is kept, and whether it can be used. */
export const fileStore = (path) => ({
  write: async (note) => writeFileSync(path, note, { flush: true }),
  read: async () => readFileSync(path, 'utf8'),
  ping: async () => existsSync(path) && readFileSync(path),
});

const table = (name) => `CREATE TABLE IF NOT EXISTS ${name} (note text)`;

async function query(program, args, env, sql) {
  const running = run(program, args, { env: { ...process.env, ...env } });
  running.child.stdin.on('error', () => {});
  running.child.stdin.end(sql);
  return (await running).stdout.trimEnd();
}

export function postgresStore({ host, port = '5432', database, user, password }) {
  const env = {
    PGHOST: host,
    PGPORT: port,
    PGDATABASE: database,
    PGUSER: user,
    PGPASSWORD: password,
    PGCONNECT_TIMEOUT: '5',
  };
  const ask = (sql) =>
    query('psql', ['-qtAX', '-v', 'ON_ERROR_STOP=1', '-f', '-'], env, `SET client_min_messages = error; ${sql}`);
  return {
    write: (note) =>
      ask(`${table('notes')}; DELETE FROM notes; INSERT INTO notes VALUES ('${note.replaceAll("'", "''")}')`),
    read: () => ask('SELECT note FROM notes'),
    ping: () => ask('SELECT 1'),
  };
}

export function mysqlStore({ host, database, user, password }) {
  const args = ['--no-defaults', '-h', host, '-u', user, '--connect-timeout=5', '--skip-ssl', '-BN', database];
  const ask = (sql) => query('mariadb', args, { MYSQL_PWD: password }, sql);
  return {
    write: (note) =>
      ask(`${table('notes')}; DELETE FROM notes; INSERT INTO notes VALUES ('${note.replaceAll("'", "''")}')`),
    read: () => ask('SELECT note FROM notes'),
    ping: () => ask('SELECT 1'),
  };
}

/** A cache: what is in it may be gone. */
export function redis({ host, port = 6379 }) {
  const ask = (line) =>
    new Promise((resolve, reject) => {
      const socket = connect({ host, port: Number(port), timeout: 5_000 }, () => socket.write(`${line}\r\n`));
      socket.once('data', (answer) => {
        socket.end();
        const said = answer.toString();
        if (said.startsWith('-')) reject(new Error(said));
        else resolve(said);
      });
      socket.once('error', reject);
      socket.once('timeout', () => socket.destroy(new Error(`${host} does not answer`)));
    });
  return { write: async () => {}, read: async () => null, ping: () => ask('PING') };
}

async function answer({ method, url }, body, { health, stores, routes }) {
  const { pathname } = new URL(url, 'http://stand-in');
  if (pathname === health.path) {
    for (const store of stores) await store.ping();
    return [health.status ?? 200, health.body ?? 'ok'];
  }
  const route = routes[`${method} ${pathname}`];
  if (route) return route(await body(), url);
  if (pathname !== '/stand-in/note') return [404, 'not found'];
  if (method === 'PUT') {
    const note = await body();
    for (const store of stores) await store.write(note);
    return [200, 'written'];
  }
  const kept = (await Promise.all(stores.map((store) => store.read()))).filter((note) => note !== null);
  return [200, JSON.stringify(kept)];
}

/** Serves until SIGTERM, SIGINT or the signal by which the public image ends gracefully. */
export function serve({ port, health, stores, routes = {} }) {
  const server = createServer(async (request, response) => {
    const [status, body] = await answer(request, () => text(request), { health, stores, routes }).catch((error) => [
      500,
      String(error),
    ]);
    response.writeHead(status, { connection: 'close' }).end(body);
  });
  server.listen(Number(port));
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGWINCH']) process.on(signal, () => process.exit(0));
}
