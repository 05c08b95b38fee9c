// A stand-in for MinIO: `server DIRECTORY`, the console's address, its health endpoint, and objects of one bucket to who logged
// in at the console with MINIO_ROOT_USER and MINIO_ROOT_PASSWORD. Requests are not signed as in S3. Nothing else of it.
import { randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';

const [command, directory, , consoleAddress = ':0'] = process.argv.slice(2);
const { MINIO_ROOT_USER: user, MINIO_ROOT_PASSWORD: password } = process.env;
if (command !== 'server' || !user || !password || password.length < 8) {
  console.error('usage: minio server DIRECTORY, with MINIO_ROOT_USER and MINIO_ROOT_PASSWORD');
  process.exit(1);
}
const bucket = join(directory, 'notes');
mkdirSync(bucket, { recursive: true });
const token = randomBytes(16).toString('hex');

async function answer(request) {
  const { method, url, headers } = request;
  if (/^\/minio\/health\/(ready|live)$/.test(url)) return [200, ''];
  const name = /^\/notes\/([\w-]+)$/.exec(url)?.[1];
  if (name === undefined) return [404, 'NoSuchBucket'];
  if (headers.cookie !== `token=${token}`) return [403, 'AccessDenied'];
  if (method === 'GET') return [200, readFileSync(join(bucket, name))];
  writeFileSync(join(bucket, name), await text(request), { flush: true });
  return [200, ''];
}

async function login(request) {
  if (request.url !== '/api/v1/login') return [200, '<title>MinIO Console</title>'];
  const { accessKey, secretKey } = JSON.parse(await text(request));
  const allowed = accessKey === user && secretKey === password;
  return allowed ? [204, '', { 'set-cookie': `token=${token}` }] : [401, 'invalid login'];
}

for (const [port, handle] of [
  [9000, answer],
  [Number(consoleAddress.split(':').pop()), login],
]) {
  createServer(async (request, response) => {
    const [status, body, headers] = await handle(request).catch((error) => [500, String(error)]);
    response.writeHead(status, { connection: 'close', ...headers }).end(body);
  }).listen(port);
}
process.on('SIGTERM', () => process.exit(0));
