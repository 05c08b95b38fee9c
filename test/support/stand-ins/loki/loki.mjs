// A stand-in for Loki: -config.file, /ready, pushed lines in the directory of its chunks, and queries of a whole stream.
// Nothing else of it.
import { appendFileSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { serve } from './stand-in.mjs';

const [, file] = /^-config\.file=(.+)$/.exec(process.argv[2] ?? '') ?? [];
const { server, common } = parse(readFileSync(file, 'utf8'));
const chunks = join(common.storage.filesystem.chunks_directory, 'stand-in');
mkdirSync(common.storage.filesystem.chunks_directory, { recursive: true });

async function push(body) {
  for (const { stream, values } of JSON.parse(body).streams) {
    for (const value of values) appendFileSync(chunks, `${JSON.stringify({ stream, value })}\n`, { flush: true });
  }
  return [204, ''];
}

async function range(_body, url) {
  const [, name, wanted] = /^\{(\w+)="([^"]*)"\}$/.exec(new URL(url, 'http://loki').searchParams.get('query')) ?? [];
  const lines = existsSync(chunks) ? readFileSync(chunks, 'utf8').split('\n').filter(Boolean) : [];
  const values = lines.map((line) => JSON.parse(line)).filter(({ stream }) => stream[name] === wanted);
  const result = values.length === 0 ? [] : [{ stream: values[0].stream, values: values.map(({ value }) => value) }];
  return [200, JSON.stringify({ status: 'success', data: { resultType: 'streams', result } })];
}

serve({
  port: server.http_listen_port,
  health: { path: '/ready', body: 'ready\n' },
  stores: [],
  routes: { 'POST /loki/api/v1/push': push, 'GET /loki/api/v1/query_range': range },
});
