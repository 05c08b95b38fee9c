import type { Kind } from '../model/resource.ts';
import { closest } from '../model/text/suggest.ts';
import type { ManifestIssue } from './issue.ts';

type Scope = Kind | 'document' | 'nested';

/** Fields that the design has and this version does not. */
const LATER: { readonly [S in Scope]: readonly string[] } = {
  document: ['secrets', 'defaults', 'policies'],
  nested: [],
  image: ['build', 'verify'],
  volume: ['driver', 'size', 'backup'],
  network: ['policy'],
  container: [
    'build',
    'update',
    'onChange',
    'policy',
    'sharedVolumes',
    'drift',
    'logging',
    'replicas',
    'schedule',
    'userns',
  ],
};

/** Names of the same thing in compose files and `docker run`, by our name. */
const FOREIGN: { readonly [S in Scope]: Readonly<Record<string, string>> } = {
  document: { services: 'containers', container: 'containers', name: 'app', version: '', configs: '' },
  nested: {},
  image: { tar: 'archive', file: 'archive', oci: 'layout', dir: 'rootfs' },
  volume: { external: 'adopt' },
  network: {
    ipam: 'subnet',
    name: 'bridgeName',
    enable_icc: 'icc',
    enable_ipv4: 'ipv4',
    enable_ipv6: 'ipv6',
    ip_range: 'ipRange',
    aux_addresses: 'reserved',
    driver_opts: 'parent, mode, gatewayMode or mtu',
    gateway_mode: 'gatewayMode',
  },
  container: {
    environment: 'env',
    cmd: 'command',
    working_dir: 'workingDir',
    workdir: 'workingDir',
    container_name: 'containerName',
    depends_on: 'dependsOn',
    env_file: 'envFile',
    extra_hosts: 'extraHosts',
    add_hosts: 'extraHosts',
    network_mode: 'network',
    networks: 'network',
    net: 'network',
    dns_search: 'dnsSearch',
    cap_add: 'capabilities.add',
    cap_drop: 'capabilities.drop',
    mem_limit: 'resources.memory',
    memory: 'resources.memory',
    memswap_limit: 'resources.memorySwap',
    cpus: 'resources.cpus',
    cpu_shares: 'resources.cpuShares',
    cpuset: 'resources.cpuset',
    pids_limit: 'resources.pids',
    ulimits: 'resources.ulimits',
    deploy: 'resources',
    tmpfs: 'volumes, with type: tmpfs',
    mounts: 'volumes',
    volumes_from: 'volumesFrom',
    read_only: 'readOnly',
    security_opt: 'noNewPrivileges, or seccomp',
    stdin_open: 'stdin',
    stop_signal: 'stopSignal',
    stop_grace_period: 'stopTimeout',
    publish: 'ports',
    healthcheck: 'health',
  },
};

/** The issue for a key that the schema does not know. @param known keys that can appear there. */
export function unknownKey(
  key: string,
  scope: Scope,
  known: readonly string[],
  where: string,
  position: ManifestIssue['position'],
): ManifestIssue {
  const foreign = Object.hasOwn(FOREIGN[scope], key) ? FOREIGN[scope][key] : undefined;
  if (LATER[scope].includes(key) || LATER[scope].includes(foreign ?? '')) {
    return { code: 'TSD_NOT_IN_THIS_VERSION', message: `"${key}" is not in this version`, position };
  }
  const meant = foreign || closest(key, known);
  const unknown = `unknown field ${JSON.stringify(key.slice(0, 80))} in ${where}`;
  return {
    code: 'TSD_MANIFEST_SCHEMA',
    message: meant ? `${unknown}; did you mean ${meant}?` : unknown,
    position,
    ...(!meant && known.length > 0 && { hint: `Known here: ${known.join(', ')}.` }),
  };
}
