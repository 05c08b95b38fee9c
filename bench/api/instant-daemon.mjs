/** A daemon that does nothing and answers at once: what a command takes against it is the client's own share. */
import { createServer } from 'node:http';
import { join } from 'node:path';

const ID = '0'.repeat(64);
const HEADERS = { 'api-version': '1.45', ostype: 'linux', server: 'Docker/26.1.5 (linux)' };

function answer(request, response) {
  request.resume();
  request.on('end', () => {
    if (request.url.endsWith('/_ping')) response.writeHead(200, { ...HEADERS, 'content-type': 'text/plain' }).end();
    else if (request.url.endsWith('/start')) response.writeHead(204, HEADERS).end();
    else {
      response.writeHead(request.url.includes('/create') ? 201 : 200, {
        ...HEADERS,
        'content-type': 'application/json',
      });
      // A wait has its head at once and ends with the container, which is never.
      if (request.url.includes('/wait')) response.flushHeaders();
      else response.end(JSON.stringify({ Id: ID, Warnings: [] }));
    }
  });
}

export class InstantDaemon {
  #socket;
  #server = createServer(answer);

  constructor(directory) {
    this.#socket = join(directory, 'instant.sock');
  }

  async start() {
    await new Promise((resolve) => this.#server.listen(this.#socket, resolve));
    return this;
  }

  get address() {
    return `unix://${this.#socket}`;
  }

  stop() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}
