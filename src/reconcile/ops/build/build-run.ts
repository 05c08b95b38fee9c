/** Commands of a build: containers that no manifest declares, and that are gone when the command is. */

import { mkdirSync, writeFileSync } from 'node:fs';
import { hostname as hostName } from 'node:os';
import { dirname, join } from 'node:path';
import type { ExecDriver, MountSpec, TaskExit, TaskSpec } from '../../../drivers/contract/exec.ts';
import type { RunLimits, RunRequest } from '../../../images/build/host.ts';
import { effectiveCapabilities } from '../../../model/capabilities.ts';
import { append } from '../../../model/lists.ts';
import { buildHosts } from '../../../state/containers/hosts.ts';
import { shortId } from '../../../state/ids.ts';
import {
  type BuildNetworkPorts,
  connect,
  disconnect,
  hostFile,
  inOrder,
  type NetworkPlace,
  resolvConfOf,
} from './build-network.ts';
import { BuildOutput } from './build-output.ts';
import type { BuildWork } from './build-work.ts';

export type BuildExec = Pick<ExecDriver, 'start' | 'kill' | 'running' | 'remove'>;

export interface RunPorts {
  readonly builds: Pick<BuildWork, 'onExit'>;
  readonly exec: BuildExec;
  readonly buildNetworks: BuildNetworkPorts;
}

const RUN = 1;
/** A command that writes more than this loses the beginning of what is shown, never of what it does. */
const LOG_MAX_BYTES = 64 * 1024 ** 2;

const NO_LIMITS: RunLimits = {
  memoryBytes: null,
  memorySwapBytes: null,
  cpus: null,
  cpuShares: null,
  cpuset: null,
  shmBytes: null,
  ulimits: {},
};

const logPath = (directory: string): string => join(directory, 'log', 'output.log');

/**
 * Runs a command in a tree of the graph with the isolation of a container and waits for its end. When the signal aborts the
 * command is killed. Nothing of it stays.
 * @param directory empty, for the files that are mounted into it.
 * @throws the reason of the signal, and what starting a container throws.
 */
export async function runCommand(
  ports: RunPorts,
  request: RunRequest,
  directory: string,
  signal: AbortSignal,
): Promise<TaskExit> {
  const { exec, buildNetworks } = ports;
  const { id } = request;
  mkdirSync(dirname(logPath(directory)), { recursive: true, mode: 0o700 });
  const output = new BuildOutput(logPath(directory), request.output);
  const cleanUp: (() => Promise<void> | void)[] = [() => output.finish()];
  try {
    signal.throwIfAborted();
    append(cleanUp, [...disconnect(buildNetworks, id).toReversed(), () => exec.remove(id)]);
    const place = connect(buildNetworks, id, request.network);
    const ended = exitOf(ports, id);
    cleanUp.push(async () => {
      if (exec.running(id) !== null) await exec.kill(id);
    });
    await exec.start(taskSpec(ports, request, directory, place));
    const kill = (): void => void exec.kill(id).catch(() => {});
    signal.addEventListener('abort', kill, { once: true });
    try {
      if (signal.aborted) kill();
      const exit = await ended;
      signal.throwIfAborted();
      return exit;
    } finally {
      signal.removeEventListener('abort', kill);
    }
  } finally {
    await inOrder(cleanUp.toReversed());
  }
}

/** Asked for before the start, so that an end at once is not missed. */
function exitOf({ builds }: Pick<RunPorts, 'builds'>, id: string): Promise<TaskExit> {
  return new Promise((resolve) => builds.onExit(id, resolve));
}

function taskSpec(ports: RunPorts, request: RunRequest, directory: string, place: NetworkPlace): TaskSpec {
  const { id, network, limits } = request;
  const { shmBytes, ulimits, ...resources } = limits ?? NO_LIMITS;
  const hostname = network === 'host' ? hostName() : shortId(id);
  return {
    containerId: id,
    run: RUN,
    root: request.root,
    readOnlyRoot: false,
    argv: request.argv,
    env: request.env,
    cwd: request.cwd,
    user: request.user,
    hostname,
    domainname: '',
    sysctls: {},
    mounts: [...textMounts(ports, request, directory, hostname, place), ...request.mounts],
    netnsFd: place.netnsFd,
    capabilities: effectiveCapabilities([], [], false),
    privileged: false,
    noNewPrivileges: false,
    devices: [],
    shmBytes,
    ulimits,
    resources: { ...resources, pids: null },
    tty: false,
    stdin: false,
    init: false,
    log: { path: logPath(directory), maxBytes: LOG_MAX_BYTES, maxFiles: 2 },
  };
}

function textMounts(
  ports: RunPorts,
  { network, extraHosts }: RunRequest,
  directory: string,
  hostname: string,
  { address }: NetworkPlace,
): MountSpec[] {
  const texts = {
    hosts:
      network === 'host'
        ? hostFile('/etc/hosts')
        : buildHosts({
            addresses: address === null ? [] : [address],
            hostname,
            domainname: '',
            links: [],
            extraHosts,
            hostGateway: [],
          }),
    hostname: `${hostname}\n`,
    'resolv.conf': resolvConfOf(ports.buildNetworks, network),
  };
  return Object.entries(texts).map(([name, text]) => {
    const source = join(directory, name);
    writeFileSync(source, text, { mode: 0o644 });
    return { type: 'bind', source, target: `/etc/${name}`, readOnly: false, copyUp: false, sizeBytes: null };
  });
}
