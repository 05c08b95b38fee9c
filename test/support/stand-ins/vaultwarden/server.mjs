// A stand-in for Vaultwarden: ROCKET_PORT, /alive, and its database as a file in /data. Nothing else of it.
import { join } from 'node:path';
import { fileStore, serve, variable } from './stand-in.mjs';

const database = fileStore(join(process.env.DATA_FOLDER, 'db.sqlite3'));
serve({
  port: process.env.ROCKET_PORT,
  health: { path: '/alive', body: JSON.stringify(variable('DOMAIN')) },
  stores: [database],
});
