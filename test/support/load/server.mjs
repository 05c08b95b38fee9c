/**
 * A web server that says its name and the client's address; `/slow` takes half a second. `node server.mjs NAME PORT`.
 */
import { createServer } from 'node:http';

const [, , name, port] = process.argv;
const server = createServer((request, response) => {
  const answer = () => response.end(`${name} ${request.socket.remoteAddress?.replace('::ffff:', '')}`);
  if (request.url === '/slow') setTimeout(answer, 500);
  else answer();
});
server.keepAliveTimeout = 0;
server.listen({ port: Number(port), host: '::', backlog: 4096 }, () => process.stdout.write('listening\n'));
