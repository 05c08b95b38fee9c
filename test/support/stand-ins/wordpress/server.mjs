// A stand-in for WordPress: WORDPRESS_DB_*, /wp-login.php, files in /var/www/html and a database. Nothing else of it.
import { fileStore, mysqlStore, serve, variable } from './stand-in.mjs';

const database = mysqlStore({
  host: variable('WORDPRESS_DB_HOST'),
  database: variable('WORDPRESS_DB_NAME'),
  user: variable('WORDPRESS_DB_USER'),
  password: variable('WORDPRESS_DB_PASSWORD'),
});
const stores = [database, fileStore('/var/www/html/wp-content/uploads/note')];
serve({ port: 80, health: { path: '/wp-login.php', body: '<title>Log In</title>' }, stores });
