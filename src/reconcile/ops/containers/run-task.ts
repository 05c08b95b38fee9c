/** The task of a run: environment, network, links and files of a container, as they are when it starts. */
import type { ExecDriver, RecordedNetwork, TaskSpec } from '../../../drivers/contract/exec.ts';
import type { GraphDriver } from '../../../drivers/contract/graph.ts';
import type { Networks } from '../../../drivers/contract/network.ts';
import type { LimitName } from '../../../ffi/host/sysinfo.ts';
import type { Desired } from '../../../model/desired.ts';
import { TsdError } from '../../../model/errors/errors.ts';
import { consoleSizeOf } from '../../../model/imperative/asked.ts';
import type { ContainerSpec } from '../../../model/kinds/container.ts';
import { linkedAddress } from '../../../model/linked-address.ts';
import { networkMode } from '../../../model/network-mode.ts';
import type { ContainerRecord } from '../../../state/containers/container-record.ts';
import type { ContainerStore } from '../../../state/containers/containers.ts';
import { addressesOf } from '../../../state/containers/endpoints.ts';
import { keptLimits } from '../../kernel-limits.ts';
import { usesHostNetwork } from '../../plan/references.ts';
import { exposedPorts, storedEnv } from '../../task/docker-config.ts';
import type { LinkedContainer } from '../../task/link-env.ts';
import { buildTaskSpec, type ResolvedVolume } from '../../task/task-spec.ts';
import type { Declared } from '../declared.ts';
import { type ContainerImage, type ImageStores, imageById } from '../images/image-of.ts';
import { isCutOff, joinedNetworks } from '../networks/container-networks.ts';
import { linkTargets } from '../networks/links.ts';
import type { KnownNetworks } from '../networks/network-config.ts';
import { namespaceToStartIn } from '../networks/shared-network.ts';
import { hostnameOf } from './container-texts.ts';
import { sharedNamespaces } from './shared-namespaces.ts';

/** What the files of a container are read by. */
export type ConfiguredContainer = Pick<Desired<'container'>, 'app' | 'spec' | 'files' | 'contentHashes'>;

/** What a container is configured by beside its manifest: files, or the copies that stand for them. */
export interface Configuration {
  /** The container's own variables with files read, or their copies. @throws TsdError TSD_MANIFEST_READ, TSD_CONTENT_MISSING. */
  environmentOf(desired: ConfiguredContainer): ReadonlyMap<string, string>;
  /** The filter that it asks for; undefined for the default. @throws TsdError as environmentOf. */
  seccompOf(desired: ConfiguredContainer): TaskSpec['seccomp'];
}

export interface TaskPorts extends Declared {
  readonly containers: Pick<ContainerStore, 'byKey' | 'textPath' | 'logPath'>;
  readonly imageStores: Pick<ImageStores, 'images'>;
  readonly networks: KnownNetworks;
  readonly network: Pick<Networks, 'sandbox' | 'driver'>;
  readonly exec: Pick<ExecDriver, 'running'>;
  readonly graph: Pick<GraphDriver, 'rootMount'>;
  readonly configuration: Configuration;
  /** Limits that containers are started without. */
  readonly settings: { readonly discardedLimits: ReadonlySet<LimitName> };
}

function linkedContainers(
  { desired: declared, containers, imageStores, networks }: TaskPorts,
  desired: Desired<'container'>,
): LinkedContainer[] {
  return linkTargets(desired).flatMap(({ key, alias }) => {
    const record = containers.byKey(key);
    const linked = declared().resources.get(key) as Desired<'container'> | undefined;
    const address = record ? linkedAddress(addressesOf(record), desired.references.networks) : null;
    // A completed one-shot has released its address, and no dependent connects to it.
    if (record?.state.status === 'exited' && record.state.exitCode === 0 && address === null) return [];
    if (isCutOff(networks, desired.spec)) throw noNetworkToLinkOver(desired);
    if (!record || !linked || address === null) {
      throw new TsdError(
        'TSD_CONTAINER_NOT_RUNNING',
        `Cannot link to a non running container: /${key} AS /${desired.engineName}/${alias}`,
        // It was there when the start was planned, and comes back by its own policy.
        { class: 'unavailable', key: desired.key },
      );
    }
    const image = imageById(imageStores, record.imageId, linked);
    const ports = exposedPorts(linked.spec, image.ports);
    return [{ alias, parentName: desired.engineName, address, ports, env: [...(record.config.Env ?? [])] }];
  });
}

function noNetworkToLinkOver({ key, positions, source }: Desired<'container'>): TsdError {
  return new TsdError(
    'TSD_NETWORK',
    'it cannot link to another container: the default network is switched off (-b none)',
    {
      class: 'precondition',
      key,
      source: positions.links ?? source,
      hint: 'Declare a network and put both containers on it, or start the supervisor without -b none.',
    },
  );
}

/** The driver of a mode without a network has the mode's name. */
function hasSandbox({ network }: Pick<TaskPorts, 'network'>, spec: ContainerSpec): boolean {
  const { type } = networkMode(spec.network);
  return type !== 'host' && type !== 'none' ? true : network.driver(type).capabilities.sandbox;
}

/** The network namespace to enter: its own, the one of the container it shares with, or null for the host's. */
function netnsOf(ports: TaskPorts, desired: Desired<'container'>): number | null {
  const owner = namespaceToStartIn(ports, desired);
  if (owner !== null && !hasSandbox(ports, owner.spec)) return null;
  const sandbox = owner === null ? null : ports.network.sandbox(owner.record.id);
  if (sandbox) return sandbox.netnsFd;
  throw new TsdError('TSD_NETWORK', `there is no network namespace to start ${desired.key} in`, { key: desired.key });
}

/** In the form of a run's record. */
function recordedNetwork(
  ports: TaskPorts,
  desired: Desired<'container'>,
  { id, network }: ContainerRecord,
): RecordedNetwork {
  const owner = namespaceToStartIn(ports, desired);
  if (owner !== null && usesHostNetwork(owner.spec)) return { type: 'host' };
  if (owner !== null && owner.record.id !== id) {
    const running = ports.exec.running(owner.record.id);
    return running ? { type: 'shared', nsPath: `/proc/${running.pid}/ns/net` } : { type: 'none' };
  }
  const config = joinedNetworks(ports.networks, desired).find(
    (joined) => joined.config.interfaceName === network?.bridge,
  )?.config;
  const connections = config && ports.network.driver(config.driver).connections;
  if (network === null || !config || !connections) return { type: 'none' };
  const { host, container } = connections.interfaces(id, config.key);
  const { bridge, mac, address, prefixLength, gateway } = network;
  const { mtu } = config;
  return {
    type: 'connected',
    networkInterface: bridge,
    hostInterface: host,
    containerInterface: container,
    address: address === null ? '' : `${address}/${prefixLength}`,
    ...{ mac: mac ?? '', gateway: gateway ?? '', mtu },
  };
}

/** Variables of files are not stored: their files stand for them. */
function storedEnvironment({ configuration }: TaskPorts, desired: Desired<'container'>): string[] {
  const { spec } = desired;
  const files = `tsd-secret:${spec.envFile.join(',')}`;
  const ofFiles = [...configuration.environmentOf(desired).keys()].filter((name) => !(name in spec.env));
  return [...ofFiles.map((name) => `${name}=${files}`), ...storedEnv(spec)];
}

/** The three text files of this container, or of the one whose network it shares. */
function textFiles(ports: TaskPorts, desired: Desired<'container'>, containerId: string) {
  const owner = namespaceToStartIn(ports, desired)?.record.id ?? containerId;
  return {
    hosts: ports.containers.textPath(owner, 'hosts'),
    resolvConf: ports.containers.textPath(owner, 'resolv.conf'),
    hostname: ports.containers.textPath(containerId, 'hostname'),
  };
}

/** What the exec driver runs of a container whose run is recorded as begun. */
export function taskOf(
  ports: TaskPorts,
  desired: Desired<'container'>,
  record: ContainerRecord,
  image: ContainerImage,
  volumes: readonly ResolvedVolume[],
): TaskSpec {
  const { id } = record;
  const { resources, ...spec } = desired.spec;
  return buildTaskSpec({
    key: desired.key,
    containerId: id,
    run: record.run,
    spec: { ...spec, resources: keptLimits(resources, ports.settings.discardedLimits) },
    image: image.defaults,
    root: ports.graph.rootMount(id),
    hostname: hostnameOf(ports, desired, id),
    netnsFd: netnsOf(ports, desired),
    shared: sharedNamespaces(ports, desired),
    volumes,
    environment: ports.configuration.environmentOf(desired),
    seccomp: ports.configuration.seccompOf(desired),
    storedEnv: storedEnvironment(ports, desired),
    network: recordedNetwork(ports, desired, record),
    links: linkedContainers(ports, desired),
    files: textFiles(ports, desired, id),
    terminalSize: desired.request && consoleSizeOf(desired.request),
    log: {
      path: ports.containers.logPath(id),
      maxBytes: desired.spec.log.maxBytes,
      maxFiles: desired.spec.log.maxFiles,
    },
  });
}
