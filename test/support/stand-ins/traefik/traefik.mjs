// A stand-in for Traefik: entry points, the ping, and routes by Host in the files of a directory, read for each request.
// Nothing else of it.
import { readdirSync, readFileSync } from 'node:fs';
import { request as ask, createServer } from 'node:http';
import { join } from 'node:path';
import { parse } from 'yaml';

const flags = Object.fromEntries(
  process.argv.slice(2).map((argument) => {
    const [name, ...rest] = argument.replace(/^--/, '').toLowerCase().split('=');
    return [name, rest.length === 0 ? 'true' : argument.slice(argument.indexOf('=') + 1)];
  }),
);
const directory = flags['providers.file.directory'];
const ping = flags.ping === 'true' ? (flags['ping.entrypoint'] ?? 'traefik') : null;

/** Routes and services of all files. */
function routes() {
  const files = readdirSync(directory).filter((name) => /\.ya?ml$/.test(name));
  const documents = files.map((name) => parse(readFileSync(join(directory, name), 'utf8')).http ?? {});
  const of = (member) => Object.assign({}, ...documents.map((document) => document[member] ?? {}));
  return { routers: Object.values(of('routers')), services: of('services') };
}

function serverOf(entryPoint, host) {
  const { routers, services } = routes();
  const router = routers.find(
    ({ rule, entryPoints }) => rule === `Host(\`${host}\`)` && (entryPoints ?? [entryPoint]).includes(entryPoint),
  );
  return router && services[router.service].loadBalancer.servers[0].url;
}

function forward(request, response, url) {
  const { method, url: path, headers } = request;
  const upstream = ask(new URL(path, url), { method, headers }, (answer) => {
    response.writeHead(answer.statusCode, answer.headers);
    answer.pipe(response);
  });
  upstream.on('error', () => response.writeHead(502).end('Bad Gateway'));
  request.pipe(upstream);
}

for (const [name, address] of Object.entries(flags)) {
  const [, entryPoint] = /^entrypoints\.(\w+)\.address$/.exec(name) ?? [];
  if (entryPoint === undefined) continue;
  createServer((request, response) => {
    if (entryPoint === ping && request.url === '/ping') return response.end('OK');
    const url = serverOf(entryPoint, (request.headers.host ?? '').split(':')[0]);
    return url === undefined ? response.writeHead(404).end('404 page not found') : forward(request, response, url);
  }).listen(Number(address.split(':').pop()));
}
process.on('SIGTERM', () => process.exit(0));
