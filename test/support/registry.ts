/** A real docker-registry on loopback with its own storage, and what tests put into it. */
import { type ChildProcess, execFile, execFileSync, spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:https';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { type ImageFixture, ociLayout, writeFiles } from './images.ts';
import { endServer, freePort } from './servers.ts';
import { until } from './wait.ts';

export const REGISTRY_INSTALLED = spawnSync('docker-registry', ['--version']).error === undefined;
export const SKOPEO_INSTALLED = spawnSync('skopeo', ['--version']).error === undefined;

const run = promisify(execFile);

/** A CA and a certificate of it for 127.0.0.1 and localhost; with `client`, one for a client. */
export function makeCertificates(directory: string): { ca: string; cert: string; key: string } {
  mkdirSync(directory, { recursive: true });
  const at = (name: string) => join(directory, name);
  const openssl = (...args: string[]) => execFileSync('openssl', args, { stdio: 'pipe' });
  openssl('req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '2',
    '-subj', '/CN=test CA', '-keyout', at('ca.key'), '-out', at('ca.crt')); // biome-ignore format: one call
  openssl('req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes',
    '-subj', '/CN=registry', '-keyout', at('server.key'), '-out', at('server.csr')); // biome-ignore format: one call
  writeFileSync(at('san'), 'subjectAltName=IP:127.0.0.1,DNS:localhost,IP:127.0.0.2\n');
  openssl('x509', '-req', '-in', at('server.csr'), '-CA', at('ca.crt'), '-CAkey', at('ca.key'), '-CAcreateserial',
    '-days', '2', '-extfile', at('san'), '-out', at('server.crt')); // biome-ignore format: one call
  return { ca: at('ca.crt'), cert: at('server.crt'), key: at('server.key') };
}

export interface RegistryConfig {
  readonly tls?: { readonly cert: string; readonly key: string; readonly clientCa?: string };
  readonly basic?: { readonly username: string; readonly password: string };
  readonly token?: {
    readonly realm: string;
    readonly service: string;
    readonly issuer: string;
    readonly rootcertbundle: string;
  };
  /** Also serves manifests in the signed form of the first protocol. */
  readonly schema1?: boolean;
  /** Of this host; 127.0.0.1. */
  readonly address?: string;
  /** Directory of another's storage, which stays. */
  readonly storage?: string;
  /** What its command line begins with, in another network. */
  readonly launcher?: readonly string[];
}

export class RegistryServer {
  readonly directory = mkdtempSync('/tmp/tsd-test-registry-');
  /** `127.0.0.1:port`. */
  host = '';
  #child: ChildProcess | null = null;

  async start({
    tls,
    basic,
    token,
    schema1,
    address = '127.0.0.1',
    storage,
    launcher = [],
  }: RegistryConfig = {}): Promise<this> {
    this.host = `${address}:${await freePort()}`;
    const auth = (basic && this.#htpasswd(basic)) ?? (token && { token });
    const config = {
      version: '0.1',
      log: { level: 'warn' },
      storage: { filesystem: { rootdirectory: storage ?? join(this.directory, 'data') }, delete: { enabled: true } },
      http: {
        addr: this.host,
        secret: 'test',
        ...(tls && {
          tls: {
            certificate: tls.cert,
            key: tls.key,
            ...(tls.clientCa !== undefined && { clientcas: [tls.clientCa] }),
          },
        }),
      },
      ...(auth && { auth }),
      ...(schema1 && { compatibility: { schema1: { enabled: true } } }),
    };
    const file = join(this.directory, 'config.yml');
    // YAML has JSON in it.
    writeFileSync(file, JSON.stringify(config));
    const log = openSync(join(this.directory, 'log'), 'a');
    const [program = '', ...args] = [...launcher, 'docker-registry', 'serve', file];
    this.#child = spawn(program, args, { stdio: ['ignore', log, log] });
    closeSync(log);
    await until('the registry answering', () => this.#answers(tls !== undefined, launcher));
    return this;
  }

  get log(): string {
    return readFileSync(join(this.directory, 'log'), 'utf8');
  }

  async stop(): Promise<void> {
    await endServer(this.#child);
    this.#child = null;
    rmSync(this.directory, { recursive: true, force: true });
  }

  /** Sends an image as skopeo does. @param args further ones: `--dest-creds=u:p`. */
  async fill(name: string, image: ImageFixture, ...args: readonly string[]): Promise<void> {
    const layout = mkdtempSync(join(this.directory, 'layout-'));
    writeFiles(layout, ociLayout({ ...image, names: ['it'] }));
    await skopeo('copy', '--dest-tls-verify=false', ...args, `oci:${layout}:it`, `docker://${this.host}/${name}`);
  }

  #htpasswd({ username, password }: NonNullable<RegistryConfig['basic']>) {
    const path = join(this.directory, 'htpasswd');
    writeFileSync(path, execFileSync('htpasswd', ['-Bbn', '-C', '4', username, password]));
    return { htpasswd: { realm: 'test', path } };
  }

  async #answers(tls: boolean, launcher: readonly string[]): Promise<boolean> {
    const [program, ...args] = launcher;
    if (program !== undefined)
      return spawnSync(program, [...args, 'wget', '-qO-', `http://${this.host}/v2/`]).status === 0;
    if (!tls) return (await fetch(`http://${this.host}/v2/`)).status > 0;
    const [hostname, port] = this.host.split(':');
    return new Promise((resolve, reject) => {
      const call = request({ hostname, port, path: '/v2/', rejectUnauthorized: false, agent: false }, (response) => {
        response.resume();
        resolve(true);
      });
      // One that wants a client certificate answers by refusing us.
      call.once('error', (error: NodeJS.ErrnoException) =>
        /TLS|SSL/.test(error.code ?? '') ? resolve(true) : reject(error),
      );
      call.end();
    });
  }
}

export async function skopeo(...args: readonly string[]): Promise<string> {
  const { stdout } = await run('skopeo', ['--insecure-policy', ...args]);
  return stdout;
}

export const digestOf = (bytes: string | Buffer): string =>
  `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
