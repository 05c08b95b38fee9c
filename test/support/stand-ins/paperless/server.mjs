// A stand-in for Paperless-ngx: its variables, port 8000, documents of ./consume that go to the media and are listed in the
// database. Nothing else of it.
import { copyFileSync, readdirSync, rmSync, watch } from 'node:fs';
import { join } from 'node:path';
import { fileStore, postgresStore, redis, serve, variable } from './stand-in.mjs';

const ROOT = '/usr/src/paperless';
const ORIGINALS = join(ROOT, 'media/documents/originals');
const broker = new URL(variable('PAPERLESS_REDIS'));
variable('PAPERLESS_SECRET_KEY');
const database = postgresStore({
  host: variable('PAPERLESS_DBHOST'),
  database: variable('PAPERLESS_DBNAME'),
  user: variable('PAPERLESS_DBUSER'),
  password: variable('PAPERLESS_DBPASS'),
});

function consume() {
  for (const name of readdirSync(join(ROOT, 'consume'))) {
    copyFileSync(join(ROOT, 'consume', name), join(ORIGINALS, name));
    rmSync(join(ROOT, 'consume', name));
  }
}

watch(join(ROOT, 'consume'), consume);
consume();
serve({
  port: 8000,
  health: { path: '/', body: '<title>Paperless-ngx</title>' },
  stores: [database, fileStore(join(ROOT, 'data/note')), redis({ host: broker.hostname, port: broker.port || 6379 })],
  routes: { 'GET /stand-in/documents': async () => [200, JSON.stringify(readdirSync(ORIGINALS))] },
});
