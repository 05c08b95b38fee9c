// A stand-in for Grafana: its health endpoint, its login and the storing of dashboards, and nothing else of it.
import { timingSafeEqual } from 'node:crypto';
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const {
  GF_PATHS_DATA,
  GF_SERVER_HTTP_PORT = '3000',
  GF_SECURITY_ADMIN_USER = 'admin',
  GF_SECURITY_ADMIN_PASSWORD = 'admin',
} = process.env;
const database = join(GF_PATHS_DATA, 'grafana.db');

function load() {
  try {
    return JSON.parse(readFileSync(database, 'utf8'));
  } catch (error) {
    if (error.code === 'ENOENT') return {};
    throw error;
  }
}

function save(dashboards) {
  writeFileSync(`${database}.new`, JSON.stringify(dashboards), { flush: true });
  renameSync(`${database}.new`, database);
}

function isAdmin({ authorization = '' }) {
  const wanted = Buffer.from(`${GF_SECURITY_ADMIN_USER}:${GF_SECURITY_ADMIN_PASSWORD}`);
  const given = Buffer.from(authorization.replace(/^Basic /, ''), 'base64');
  return given.length === wanted.length && timingSafeEqual(given, wanted);
}

async function answer(request) {
  const { method, url, headers } = request;
  if (url === '/api/health') return [200, { database: 'ok', version: 'stand-in' }];
  if (!isAdmin(headers)) return [401, { message: 'Unauthorized' }];
  const dashboards = load();
  if (method === 'POST' && url === '/api/dashboards/db') {
    const { dashboard } = JSON.parse(await text(request));
    save({ ...dashboards, [dashboard.uid]: dashboard });
    return [200, { status: 'success', uid: dashboard.uid }];
  }
  const uid = /^\/api\/dashboards\/uid\/([\w-]+)$/.exec(url)?.[1];
  return uid && dashboards[uid] ? [200, { dashboard: dashboards[uid] }] : [404, { message: 'Not found' }];
}

// A database that cannot be read or written is an error at once.
save(load());
const server = createServer(async (request, response) => {
  const [status, body] = await answer(request).catch((error) => [500, { message: String(error) }]);
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
});
server.listen(Number(GF_SERVER_HTTP_PORT));
process.on('SIGTERM', () => process.exit(0));
