// Where the stand-in for Nextcloud keeps data: files in its volume, and a database; its cache must answer.
import { fileStore, postgresStore, redis, variable } from './stand-in.mjs';

export const database = postgresStore({
  host: variable('POSTGRES_HOST'),
  database: variable('POSTGRES_DB'),
  user: variable('POSTGRES_USER'),
  password: variable('POSTGRES_PASSWORD'),
});
export const cache = redis({ host: variable('REDIS_HOST') });
export const files = fileStore('/var/www/html/data/note');
/** The time of the last background job. */
export const jobs = fileStore('/var/www/html/data/cron');
