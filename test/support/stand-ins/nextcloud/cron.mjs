// A stand-in for /cron.sh of Nextcloud: a background job that asks the database and the cache.
import { cache, database, jobs } from './stores.mjs';

const job = async () => {
  try {
    await Promise.all([database.ping(), cache.ping()]);
    await jobs.write('ran');
  } catch (error) {
    console.error(String(error));
  }
  setTimeout(job, 1_000);
};
process.on('SIGTERM', () => process.exit(0));
await job();
