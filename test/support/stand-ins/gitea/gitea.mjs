// A stand-in for Gitea: its configuration from the environment, its health endpoint, and repositories whose descriptions
// are in its database and whose files lie below /data/git. Nothing else of it.
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { promisify } from 'node:util';

const run = promisify(execFile);
const REPOSITORIES = '/data/git/repositories';

/** Sections of app.ini from GITEA__section__KEY, and GITEA__section__KEY__FILE. */
function settings() {
  const sections = {};
  for (const [name, value] of Object.entries(process.env)) {
    const [, section, key, file] = /^GITEA__(\w+?)__([A-Z_]+?)(__FILE)?$/.exec(name) ?? [];
    if (section === undefined) continue;
    sections[section] = { ...sections[section], [key]: file ? readFileSync(value, 'utf8').trimEnd() : value };
  }
  return sections;
}

const ini = settings();
const lines = Object.entries(ini).flatMap(([section, keys]) => [
  `[${section}]`,
  ...Object.entries(keys).map(([key, value]) => `${key} = ${value}`),
]);
writeFileSync(join(process.env.GITEA_CUSTOM, 'conf', 'app.ini'), `${lines.join('\n')}\n`, { mode: 0o600 });
const { HOST, NAME, USER, PASSWD } = ini.database;
const [host, port = '5432'] = HOST.split(':');

async function query(sql, variables = {}) {
  const set = Object.entries(variables).flatMap(([name, value]) => ['-v', `${name}=${value}`]);
  const env = {
    ...process.env,
    PGHOST: host,
    PGPORT: port,
    PGDATABASE: NAME,
    PGUSER: USER,
    PGPASSWORD: PASSWD,
    PGCONNECT_TIMEOUT: '5',
  };
  const running = run('psql', ['-qtAX', '-v', 'ON_ERROR_STOP=1', ...set, '-f', '-'], { env });
  running.child.stdin.end(sql);
  return (await running).stdout.trimEnd();
}

async function answer(request) {
  const { method, url } = request;
  if (url === '/api/healthz') {
    await query('SELECT 1');
    return [200, { status: 'pass' }];
  }
  const name = /^\/api\/v1\/repos\/stand-in\/([\w-]+)$/.exec(url)?.[1];
  if (name === undefined) return [404, { message: 'Not found' }];
  if (method === 'PUT') {
    const description = await text(request);
    mkdirSync(join(REPOSITORIES, name), { recursive: true });
    writeFileSync(join(REPOSITORIES, name, 'description'), description, { flush: true });
    await query("INSERT INTO repository VALUES (:'name', :'description')", { name, description });
    return [201, { name }];
  }
  const description = await query("SELECT description FROM repository WHERE name = :'name'", { name });
  return [200, { name, description, file: readFileSync(join(REPOSITORIES, name, 'description'), 'utf8') }];
}

await query(
  'SET client_min_messages = warning; CREATE TABLE IF NOT EXISTS repository (name text PRIMARY KEY, description text)',
);
const server = createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { message: String(error) }]);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(ini.server?.HTTP_PORT ?? 3000));
process.on('SIGTERM', () => process.exit(0));
