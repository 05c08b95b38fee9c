// A stand-in for Uptime Kuma: port 3001, a page, and its database as a file in /app/data. Nothing else of it.
import { fileStore, serve } from './stand-in.mjs';

serve({
  port: 3001,
  health: { path: '/', body: '<title>Uptime Kuma</title>' },
  stores: [fileStore('/app/data/kuma.db')],
});
