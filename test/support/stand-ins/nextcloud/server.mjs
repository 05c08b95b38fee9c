// A stand-in for Nextcloud: its variables, /status.php, files in /var/www/html and a database. Nothing else of it.
import { serve } from './stand-in.mjs';
import { cache, database, files, jobs } from './stores.mjs';

serve({
  port: 80,
  health: { path: '/status.php', body: JSON.stringify({ installed: true, maintenance: false }) },
  stores: [database, files, cache],
  routes: { 'GET /stand-in/cron': async () => [200, await jobs.read()] },
});
