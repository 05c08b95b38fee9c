/** POST /networks/create as our own specification of a network. Pure. */
import { z } from 'zod';
import { type NetworkSpec, networkSchema } from '../../model/kinds/network.ts';
import { DockerError } from '../wire/docker-error.ts';
import { refuse } from './context.ts';
import { decode, flag, listOf, struct, text, textMap } from './go-json.ts';
import { addressesOf } from './ipam.ts';
import { optionsOf } from './network-options.ts';

const networkBody = struct({
  Name: text(),
  Driver: text(),
  Scope: text(),
  Internal: flag(),
  Ingress: flag(),
  ConfigOnly: flag(),
  ConfigFrom: struct({ Network: text() }).optional(),
  EnableIPv4: z.boolean().default(true),
  EnableIPv6: flag(),
  IPAM: struct({
    Driver: text(),
    Config: listOf(struct({ Subnet: text(), IPRange: text(), Gateway: text(), AuxiliaryAddresses: textMap() })),
  }).prefault({}),
  Options: textMap(),
  Labels: textMap(),
});
type NetworkBody = z.output<typeof networkBody>;

export interface TranslatedNetwork {
  readonly name: string;
  /** As a manifest would write it. */
  readonly written: Readonly<Record<string, unknown>>;
  readonly spec: NetworkSpec;
}

const PREDEFINED = ['bridge', 'host', 'none', 'default'];
const DRIVERS = ['bridge', 'macvlan', 'ipvlan'];
/** As resources here have them. */
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,254}$/;

const NO_SWARM =
  'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';

function forbid(message: string): never {
  throw new DockerError(403, message);
}

function checkName(name: string): void {
  if (name.trim() === '') refuse(`invalid name: ${name}`);
  if (PREDEFINED.includes(name)) forbid(`operation is not permitted on predefined ${name} network `);
  if (!NAME.test(name)) refuse(`invalid name: ${name}: only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
}

function driverOf({ Driver, Scope, Ingress, ConfigOnly, ConfigFrom, IPAM }: NetworkBody): string {
  const driver = ['', 'default'].includes(Driver) ? 'bridge' : Driver;
  if (driver === 'overlay') forbid(NO_SWARM);
  if (Scope === 'swarm') forbid('cannot create a swarm scoped network when swarm is not active');
  if (Ingress) forbid('Ingress network can only be global scope network');
  if (driver === 'host' || driver === 'null') forbid(`only one instance of "${driver}" network is allowed`);
  const plugin = [driver, IPAM.Driver].find((name) => ![...DRIVERS, '', 'default'].includes(name));
  if (plugin !== undefined) throw new DockerError(404, `plugin "${plugin}" not found`);
  if (ConfigOnly || (ConfigFrom?.Network ?? '') !== '')
    throw new DockerError(501, 'networks that only hold a configuration for others are not supported');
  return driver;
}

/**
 * @param body as it was sent, any JSON
 * @throws DockerError with Docker's words
 */
export function specOfNetwork(body: unknown): TranslatedNetwork {
  if (body === undefined) refuse('invalid JSON: got EOF while reading request body');
  const read = decode(networkBody, body ?? {});
  checkName(read.Name);
  const driver = driverOf(read);
  const written = {
    driver,
    // Docker's networks have the families that are asked for, whatever the host has.
    ipv6: read.EnableIPv6,
    ...(!read.EnableIPv4 && { ipv4: false }),
    ...(read.Internal && { internal: true }),
    ...(Object.keys(read.Labels).length > 0 && { labels: read.Labels }),
    ...addressesOf(read.IPAM.Config, read.EnableIPv6),
    ...optionsOf(driver, read.Options),
  };
  const result = networkSchema.safeParse(written);
  if (result.success) return { name: read.Name, written, spec: result.data };
  const lines = result.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`);
  return refuse(`invalid network config:\n${lines.join('\n')}`);
}
