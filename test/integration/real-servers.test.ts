/** nginx in front of a redis-backed node app, all from this host's packages: what a user would really run. */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';
import { until } from '../support/wait.ts';

let supervisor: TestSupervisor;

beforeEach(async () => {
  supervisor = await new TestSupervisor().start();
});

afterEach(async () => {
  await supervisor.destroy();
});

const NGINX_CONF = `daemon off;
error_log /dev/stderr;
pid /tmp/nginx.pid;
events {}
http {
  access_log /dev/stdout;
  client_body_temp_path /tmp/body; proxy_temp_path /tmp/proxy; fastcgi_temp_path /tmp/fastcgi;
  uwsgi_temp_path /tmp/uwsgi; scgi_temp_path /tmp/scgi;
  server { listen 80; location / { proxy_pass http://counter:3000; } }
}
`;

const COUNTER = `import { connect } from 'node:net';
import { createServer } from 'node:http';
const redis = (command) => new Promise((done, failed) => {
  const socket = connect(6379, process.env.REDIS_PORT_6379_TCP_ADDR, () => socket.write(command + '\\r\\n'));
  socket.once('data', (data) => { socket.end(); done(data.toString().trim().split('\\r\\n').at(-1).replace(':', '')); });
  socket.once('error', failed);
});
createServer(async (request, response) => {
  try { response.end(await redis(request.method === 'POST' ? 'INCR hits' : 'GET hits') + '\\n'); }
  catch (error) { response.statusCode = 502; response.end(String(error)); }
}).listen(3000);
process.on('SIGTERM', () => process.exit(0));
`;

const manifest = (port: number, label: string) => `images:
  nginx: { host: { binaries: [nginx], paths: [/usr/share/nginx, /var/lib/nginx, /var/log/nginx] } }
  redis: { host: [redis-server] }
  node: { host: [node] }
volumes: { data: {} }
networks: { back: {} }
containers:
  redis:
    image: redis
    command: [redis-server, --dir, /data, --appendonly, "yes", --appendfsync, always, --protected-mode, "no", --save, ""]
    volumes: ["data:/data"]
    network: back
    expose: [6379]
    restart: always
    labels: { generation: "${label}" }
    env: { GENERATION: "${label}" }
  counter:
    image: node
    command: [node, /app/counter.mjs]
    volumes: ["./app:/app:ro"]
    network: back
    links: [redis]
    expose: [3000]
    restart: always
  nginx:
    image: nginx
    command: [nginx, -c, /conf/nginx.conf, -e, /dev/stderr]
    volumes: ["./conf:/conf:ro", { type: tmpfs, target: /tmp, size: 16MiB }]
    network: back
    links: [counter]
    ports: ["127.0.0.1:${port}:80"]
    restart: always
`;

test('data survives recreation, kill -9 of the payload, and kill -9 of the supervisor', async () => {
  const port = await freePort();
  supervisor.file('manifests/conf/nginx.conf', NGINX_CONF);
  supervisor.file('manifests/app/counter.mjs', COUNTER);
  supervisor.drop('shop.yaml', manifest(port, 'one'));
  for (const name of ['redis', 'counter', 'nginx']) await supervisor.waitFor(name, 'ready', ({ ready }) => ready);

  const request = async (method: string) => {
    const response = await fetch(`http://127.0.0.1:${port}/`, { method });
    if (!response.ok) throw new Error(`HTTP ${response.status}`);
    return Number(await response.text());
  };
  await until('the first answer', async () => (await request('POST')) > 0, 20_000);
  const hits = async () => await until('the count', () => request('GET'));
  const start = await hits();

  const redis = await supervisor.container('redis');
  process.kill(redis?.pid ?? 0, 'SIGKILL');
  await supervisor.waitFor('redis', 'restarted', ({ ready, pid }) => ready && pid !== redis?.pid);
  expect(await hits()).toBe(start);

  const killed = await supervisor.container('redis');
  supervisor.drop('shop.yaml', manifest(port, 'two'));
  await supervisor.waitFor('redis', 'changed', ({ ready, pid }) => ready && pid !== killed?.pid);
  expect(await hits()).toBe(start);

  const before = (await supervisor.containers()).map(({ name, pid }) => [name, pid]);
  await supervisor.crash();
  expect(await hits()).toBe(start);
  await supervisor.start();
  expect((await supervisor.containers()).map(({ name, pid }) => [name, pid])).toEqual(before);
  expect(await until('one more', () => request('POST'))).toBe(start + 1);
});
