/** One connection to a socket that stays open, as a client has it that asks again and again. */
import { Agent, request } from 'node:http';

export class Connection {
  #socketPath;
  #agent = new Agent({ keepAlive: true, maxSockets: 1 });

  /** @param address `unix:///…` */
  constructor(address) {
    this.#socketPath = address.replace('unix://', '');
  }

  /** The body of an answer of 2xx or 3xx, read to its end. */
  ask(method, path, body) {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    return new Promise((resolve, reject) => {
      const call = request({ socketPath: this.#socketPath, agent: this.#agent, method, path, headers }, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const text = Buffer.concat(chunks).toString();
          if (answer.statusCode < 400) resolve(text);
          else reject(new Error(`${method} ${path}: ${answer.statusCode} ${text}`));
        });
      });
      call.on('error', reject);
      call.end(body && JSON.stringify(body));
    });
  }

  close() {
    this.#agent.destroy();
  }
}
