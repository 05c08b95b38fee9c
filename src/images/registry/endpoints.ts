/** Where a registry is reached, and whom to trust there. */
import { lookup } from 'node:dns/promises';
import { readdirSync, readFileSync } from 'node:fs';
import { BlockList, isIP } from 'node:net';
import { join } from 'node:path';
import { rootCertificates } from 'node:tls';
import { type Gate, readJudged } from '../../ffi/files/gate.ts';
import { TsdError } from '../../model/errors/errors.ts';
import { DOCKER_HUB } from '../../model/image-reference.ts';
import type { TlsSettings } from './http.ts';

export interface EndpointSettings {
  /** Base URLs asked before Docker Hub, in order. */
  readonly mirrors: readonly string[];
  /** host, host:port or CIDR: any certificate is taken there, and plain HTTP where there is no TLS. */
  readonly insecure: readonly string[];
  /** Directories with a folder for each host: *.crt are CAs, *.cert and *.key of the same name a client certificate. */
  readonly certificates: readonly string[];
  /** Judges certificates; left out, whoever wrote them is trusted. */
  readonly gate?: Gate;
}

export interface Endpoint {
  readonly base: URL;
  /** A stand-in, whose failure is no failure of the pull. */
  readonly mirror: boolean;
}

const HUB_HOST = 'registry-1.docker.io';
/** As in Docker, what runs on the own machine needs no certificate. */
export const INSECURE_BY_DEFAULT: readonly string[] = ['127.0.0.0/8', '::1/128', 'localhost'];

/** The endpoints of a registry in the order in which they are asked. */
export async function endpointsOf(
  registry: string,
  { mirrors, insecure }: EndpointSettings,
  forPull: boolean,
): Promise<readonly Endpoint[]> {
  const host = registry === DOCKER_HUB ? HUB_HOST : registry;
  const own: Endpoint[] = [{ base: new URL(`https://${host}`), mirror: false }];
  if (await isInsecure(host, insecure)) own.push({ base: new URL(`http://${host}`), mirror: false });
  if (registry !== DOCKER_HUB || !forPull) return own;
  return [...mirrors.map((base) => ({ base: new URL(base), mirror: true })), ...own];
}

/** @throws TSD_REGISTRY_DENIED when a certificate file cannot be read. */
export async function tlsSettings(
  host: string,
  { insecure, certificates, gate }: EndpointSettings,
): Promise<TlsSettings> {
  const ca: string[] = [];
  let client: TlsSettings['client'] = null;
  for (const directory of certificates.map((base) => join(base, host))) {
    for (const name of listed(directory)) {
      if (name.endsWith('.crt')) ca.push(read(join(directory, name), gate));
      if (!name.endsWith('.cert')) continue;
      const key = join(directory, name.replace(/cert$/, 'key'));
      client ??= { cert: read(join(directory, name), gate), key: read(key, gate) };
    }
  }
  return {
    ca: ca.length === 0 ? null : [...rootCertificates, ...ca],
    client,
    verify: !(await isInsecure(host, insecure)),
  };
}

function listed(directory: string): string[] {
  try {
    return readdirSync(directory).sort();
  } catch {
    return [];
  }
}

function read(path: string, gate: Gate | undefined): string {
  try {
    return gate === undefined ? readFileSync(path, 'utf8') : readJudged(path, gate);
  } catch (cause) {
    if (cause instanceof TsdError) throw cause;
    throw new TsdError('TSD_REGISTRY_DENIED', `cannot read ${path}: ${(cause as Error).message}`, {
      class: 'precondition',
      step: 'read certificates',
      hint: 'A client certificate needs NAME.cert and NAME.key.',
      cause,
    });
  }
}

async function isInsecure(host: string, insecure: readonly string[]): Promise<boolean> {
  const name = hostName(host);
  if (insecure.some((entry) => entry === host || entry === name)) return true;
  const list = new BlockList();
  for (const entry of insecure) {
    const [address = '', prefix] = entry.split('/');
    if (prefix !== undefined) list.addSubnet(address, Number(prefix), isIP(address) === 6 ? 'ipv6' : 'ipv4');
  }
  const matches = (address: string) => list.check(address, isIP(address) === 6 ? 'ipv6' : 'ipv4');
  if (isIP(name) !== 0) return matches(name);
  if (insecure.every((entry) => !entry.includes('/'))) return false;
  // A name that cannot be looked up will fail where it is connected to, with the reason.
  const found = await lookup(name, { all: true }).catch(() => []);
  return found.some(({ address }) => matches(address));
}

/** `host:port` and `[v6]:port` without port and brackets. */
function hostName(host: string): string {
  return host.replace(/:\d+$/, '').replace(/^\[(.*)\]$/, '$1');
}
