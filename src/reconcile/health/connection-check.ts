/** Probes that are connections of the supervisor: no process, no packet of the payload's that is not asked for. */
import { request } from 'node:http';
import { connect, isIPv6, Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import type { Networks } from '../../drivers/contract/network.ts';
import type { Timers } from '../../model/clock.ts';
import type { Desired, DesiredState } from '../../model/desired.ts';
import { describeError, TsdError, toTsdError } from '../../model/errors/errors.ts';
import { PROBE_OUTPUT_BYTES, type ProbeCheck } from '../../model/health.ts';
import { type NetworkMode, networkMode, sharedNetwork } from '../../model/network-mode.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import type { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import { type KnownNetworks, networkConfigs } from '../ops/networks/network-config.ts';
import type { CheckResult } from './prober.ts';

type ConnectionCheck = Exclude<ProbeCheck, { type: 'exec' }>;

/** What finds a container's network and connects within it. */
export interface ConnectionPorts {
  desired(): DesiredState;
  readonly containers: Pick<ContainerStore, 'byKey'>;
  readonly network: Pick<Networks, 'openSocket' | 'driver'>;
  readonly networks: Omit<KnownNetworks, 'defaultNetworkProblem'>;
}

/** Where a check leads: an address of the host's network, or of the network namespace of a container. */
interface Route {
  readonly address: string;
  readonly port: number;
  /** The container whose namespace the socket has to be of; null for the host's. */
  readonly inside: string | null;
}

const LOOPBACK = '127.0.0.1';

/** The container whose network this one uses: itself, or the one it shares. */
function networkOwner(
  { desired: declared, containers }: Pick<ConnectionPorts, 'desired' | 'containers'>,
  record: ContainerRecord,
  mode: NetworkMode,
): ContainerRecord {
  if (mode.type !== 'container') return record;
  const key = record.owner?.key;
  const desired = key && (declared().resources.get(key) as Desired<'container'> | undefined);
  const owner = desired?.references.networkContainer && containers.byKey(desired.references.networkContainer);
  if (owner) return owner;
  throw new TsdError('TSD_NETWORK', `${sharedNetwork(mode.name)}, whose network it shares, is not there`);
}

/** Whether the host reaches the address of a container: on an interface of the host it does not. */
function isReached({ network, networks }: Pick<ConnectionPorts, 'network' | 'networks'>, bridge: string): boolean {
  const config = networkConfigs(networks).find(({ interfaceName }) => interfaceName === bridge);
  return config === undefined || network.driver(config.driver).capabilities.onHost;
}

/**
 * A container on a bridge is reached at its address, as others reach it; what has none, an address that was asked for, and
 * what the host does not reach, from within. @throws TsdError TSD_NETWORK.
 */
function routeTo(ports: ConnectionPorts, record: ContainerRecord, { host, port }: ConnectionCheck): Route {
  const mode = networkMode(record.owner ? containerSpecOf(record.owner).network : '');
  if (mode.type === 'host') return { address: host ?? LOOPBACK, port, inside: null };
  const owner = networkOwner(ports, record, mode);
  const address = owner.network?.address ?? null;
  if (host === null && address !== null) {
    return { address, port, inside: isReached(ports, owner.network?.bridge ?? '') ? null : owner.id };
  }
  return { address: host ?? LOOPBACK, port, inside: owner.id };
}

/** A socket on its way to the address. */
function open(network: ConnectionPorts['network'], { address, port, inside }: Route): Socket {
  if (inside === null) return connect({ host: address, port });
  const fd = network.openSocket(inside, 'tcp', isIPv6(address) ? 'ipv6' : 'ipv4');
  // Without manualStart it would be read before it is connected.
  return new Socket({ fd, manualStart: true } as ConstructorParameters<typeof Socket>[0]).connect({
    host: address,
    port,
  });
}

const place = ({ address, port }: Route): string => `${isIPv6(address) ? `[${address}]` : address}:${port}`;

function failureText(error: Error, route: Route): string {
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'ECONNREFUSED') {
    const hint = route.inside === null ? '; what listens on loopback only needs host: localhost' : '';
    return `nothing listens on ${place(route)}${hint}`;
  }
  if (code === 'ECONNRESET') return `${place(route)} closed the connection without an answer`;
  return `${place(route)}: ${error.message}`;
}

type HttpCheck = Extract<ProbeCheck, { type: 'http' }>;

/** Answers with the status; `body` is read for failures only. */
function ask(socket: Socket, check: HttpCheck, route: Route): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    const stream =
      check.scheme === 'http' ? socket : connectTls({ socket, rejectUnauthorized: false }).on('error', reject);
    const sent = request({
      createConnection: () => stream,
      method: 'GET',
      path: check.path,
      headers: { Host: place(route), 'User-Agent': 'tsdocker-probe', Connection: 'close', ...check.headers },
    });
    sent.on('error', reject);
    sent.on('response', (response) => {
      const status = response.statusCode ?? 0;
      const ok = status >= 200 && status < 400;
      let body = '';
      const answered = (): void => {
        const text = body.trim().slice(0, PROBE_OUTPUT_BYTES);
        resolve({ ok, output: ok || text === '' ? `HTTP ${status}` : `HTTP ${status}: ${text}` });
      };
      if (ok) {
        answered();
        return;
      }
      response.setEncoding('utf8');
      response.on('data', (text: string) => {
        body += text;
        if (body.length >= PROBE_OUTPUT_BYTES) answered();
      });
      response.on('error', answered);
      response.on('close', answered);
    });
    sent.end();
  });
}

function accepted(socket: Socket, route: Route): Promise<CheckResult> {
  return new Promise((resolve, reject) => {
    socket.on('error', reject);
    socket.on('connect', () => resolve({ ok: true, output: `${place(route)} accepts connections` }));
  });
}

/** Connects, and asks where it is HTTP. */
export async function checkConnection(
  ports: ConnectionPorts,
  timers: Timers,
  record: ContainerRecord,
  check: ConnectionCheck,
  timeoutMs: number,
  signal: AbortSignal,
): Promise<CheckResult> {
  let cancel = () => {};
  let socket: Socket | undefined;
  let route: Route | undefined;
  try {
    route = routeTo(ports, record, check);
    socket = open(ports.network, route);
    // A waiter handles its errors; one after the answer has no effect.
    socket.on('error', () => {});
    const late = new Promise<CheckResult>((resolve) => {
      const output = `no answer from ${place(route as Route)} within ${timeoutMs / 1000} s`;
      const cancelTimer = timers.after(timeoutMs, () => resolve({ ok: false, output }));
      const onAbort = () => resolve({ ok: false, output: 'cancelled' });
      signal.addEventListener('abort', onAbort, { once: true });
      // The signal is the run's and outlives this try.
      cancel = () => {
        cancelTimer();
        signal.removeEventListener('abort', onAbort);
      };
    });
    const answer = check.type === 'tcp' ? accepted(socket, route) : ask(socket, check, route);
    answer.catch(() => {});
    return await Promise.race([answer, late]);
  } catch (error) {
    const output =
      route && !(error instanceof TsdError) ? failureText(error as Error, route) : describeError(toTsdError(error));
    return { ok: false, output };
  } finally {
    cancel();
    socket?.destroy();
  }
}
