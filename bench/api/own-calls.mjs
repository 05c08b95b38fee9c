/** The same work through `/tsdocker/v1`, on a connection that stays open as those of Docker's clients do. */
import { SupervisorClient } from '../../dist/bench/client.js';
import { Connection } from './connection.mjs';

const BASE = '/tsdocker/v1';
const path = (name, verb) => `${BASE}/containers/${encodeURIComponent(name)}/${verb}`;

export class OwnCalls {
  #connection;
  #client;

  constructor(address) {
    this.#connection = new Connection(address);
    this.#client = new SupervisorClient(address);
  }

  inspect(name) {
    return this.#connection.ask('GET', `${BASE}/resources/container/${encodeURIComponent(name)}`);
  }

  list() {
    return this.#connection.ask('GET', `${BASE}/containers`);
  }

  start(name) {
    return this.#connection.ask('POST', path(name, 'start'), { settleMs: 0 });
  }

  stop(name) {
    return this.#connection.ask('POST', path(name, 'stop'), { timeoutMs: 0 });
  }

  logs(name) {
    return this.#connection.ask('GET', path(name, 'logs'));
  }

  /** A session of its own connection, as each is. */
  async exec(name) {
    const session = await this.#client.exec(name, {
      argv: ['/bin/busybox', 'true'],
      env: [],
      cwd: null,
      user: '',
      tty: false,
      stdin: false,
    });
    session.stdout.resume();
    session.stderr.resume();
    const code = await session.exited;
    if (code !== 0) throw new Error(`exec ended with ${code}`);
  }

  close() {
    this.#connection.close();
  }
}
