/** hosts, hostname and resolv.conf of a container. */
import { readFileSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import type { Desired } from '../../../model/desired.ts';
import type { ContainerTextFile } from '../../../state/containers/container-directory.ts';
import { buildHostname, buildHosts } from '../../../state/containers/hosts.ts';
import { buildResolvConf } from '../../../state/containers/resolv-conf.ts';
import { shortId } from '../../../state/ids.ts';
import { namesBeside } from '../../names/peer-index.ts';
import { namespaceOwner, usesHostNetwork } from '../../plan/references.ts';
import { isCutOff, linkTargets } from '../networks/endpoint.ts';
import { addressOf } from '../networks/unread-endpoint.ts';
import type { World } from '../world.ts';

function hostText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw error;
  }
}

/** Of the container whose network it shares, where it does: their one hosts file has that name. */
export function hostnameOf(world: World, desired: Desired<'container'>, containerId: string): string {
  const owner = namespaceOwner(desired, world.desired().resources) ?? desired;
  if (usesHostNetwork(owner.spec)) return hostName();
  const ownerId = owner === desired ? containerId : world.containers.byKey(owner.key)?.id;
  return owner.spec.hostname ?? shortId(ownerId ?? containerId);
}

/** Addresses of the linked containers as they are now, by alias. */
export function linkAddresses(world: World, desired: Desired<'container'>): Readonly<Record<string, string>> {
  return Object.fromEntries(
    linkTargets(desired).flatMap(({ alias, key }) => {
      const address = addressOf(world, key);
      return address === undefined ? [] : [[alias, address]];
    }),
  );
}

/** Where the own name leads without a network, as in Docker 1.4. */
const OWN_LOOPBACK = '127.0.1.1';

export function hostsText(
  world: World,
  desired: Desired<'container'>,
  containerId: string,
  address: string | null,
): string {
  const { key, spec } = desired;
  if (usesHostNetwork(spec)) return hostText('/etc/hosts');
  const hostname = hostnameOf(world, desired, containerId);
  const links = Object.entries(linkAddresses(world, desired)).map(([alias, linked]) => ({ alias, address: linked }));
  const beside = namesBeside({ ...spec, hostname, aliases: links.map(({ alias }) => alias) });
  const bridge = world.containers.get(containerId)?.network?.bridge ?? null;
  return buildHosts({
    address: address ?? (isCutOff(world, spec) ? OWN_LOOPBACK : null),
    hostname,
    domainname: spec.domainname,
    links,
    extraHosts: spec.extraHosts.map((host) => `${host.name}:${host.address}`),
    names: world.names.lines(bridge, key, beside),
  });
}

export function containerTexts(
  world: World,
  desired: Desired<'container'>,
  containerId: string,
): Readonly<Record<ContainerTextFile, string>> {
  const { spec } = desired;
  const resolvConf = hostText('/etc/resolv.conf');
  return {
    hostname: buildHostname(hostnameOf(world, desired, containerId), spec.domainname),
    hosts: hostsText(world, desired, containerId, null),
    'resolv.conf': usesHostNetwork(spec)
      ? resolvConf
      : buildResolvConf(
          { servers: spec.dns, search: spec.dnsSearch },
          { servers: world.settings.dns, search: world.settings.dnsSearch },
          resolvConf,
        ),
  };
}
