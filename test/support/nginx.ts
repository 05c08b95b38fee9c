/** A real nginx on loopback that serves a directory and writes down what it was asked. */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { endServer, freePort } from './servers.ts';
import { until } from './wait.ts';

export const NGINX_INSTALLED = spawnSync('nginx', ['-v']).error === undefined;

export class NginxServer {
  readonly directory = mkdtempSync('/tmp/tsd-test-nginx-');
  readonly files = join(this.directory, 'files');
  /** `http://127.0.0.1:port`. */
  url = '';
  #child: ChildProcess | null = null;

  /**
   * @param locations further directives of the server.
   * @param tls paths of a certificate and its key.
   */
  async start(locations = '', tls: { readonly cert: string; readonly key: string } | null = null): Promise<this> {
    const port = await freePort();
    this.url = `${tls ? 'https' : 'http'}://127.0.0.1:${port}`;
    mkdirSync(this.files);
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
      (name) => `${name}_temp_path ${join(this.directory, name)};`,
    );
    const secure = tls ? `ssl_certificate ${tls.cert}; ssl_certificate_key ${tls.key};` : '';
    writeFileSync(
      join(this.directory, 'nginx.conf'),
      `daemon off; master_process off; user root; pid ${join(this.directory, 'pid')}; error_log stderr;
events {}
http {
  log_format asked '$status $request_uri';
  access_log ${join(this.directory, 'asked')} asked;
  ${temporary.join(' ')}
  server {
    listen 127.0.0.1:${port}${tls ? ' ssl' : ''}; ${secure}
    root ${this.files};
    ${locations}
  }
}
`,
    );
    const log = openSync(join(this.directory, 'log'), 'a');
    this.#child = spawn('nginx', ['-c', join(this.directory, 'nginx.conf'), '-e', 'stderr'], {
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    if (tls === null) await until('nginx answering', async () => (await fetch(`${this.url}/`)).status > 0);
    else await until('nginx listening', async () => readFileSync(join(this.directory, 'pid'), 'utf8') !== '');
    this.asked();
    return this;
  }

  /** `status path` of each request since the last call. */
  asked(): string[] {
    const path = join(this.directory, 'asked');
    const lines = readFileSync(path, 'utf8').split('\n').slice(0, -1);
    writeFileSync(path, '');
    return lines;
  }

  async stop(): Promise<void> {
    await endServer(this.#child);
    this.#child = null;
    rmSync(this.directory, { recursive: true, force: true });
  }
}
