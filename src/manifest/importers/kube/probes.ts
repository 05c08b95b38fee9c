/** Probes of a container: one line for each field of the Kubernetes API, "Probe v1 core". */
import { unlessZero } from '../docker-health.ts';
import type { ResourceDraft } from '../draft.ts';
import type { FieldTable, Part } from '../part.ts';

interface Probe {
  readonly container: ResourceDraft;
  readonly written: Record<string, unknown>;
  /** Numbers of the pod's named ports. */
  readonly portNames: ReadonlyMap<string, string>;
}

const portOf = (part: Part | undefined, { portNames }: Probe): string => {
  const text = part?.text() ?? '';
  return portNames.get(text) ?? text;
};

const seconds =
  (name: string) =>
  (part: Part, { written }: Probe): void => {
    if (name === 'initialDelay' || unlessZero(part.text()) !== undefined) written[name] = `${part.text()}s`;
  };
const count =
  (name: string) =>
  (part: Part, { written }: Probe): void => {
    if (unlessZero(part.text()) !== undefined) written[name] = Number(part.text());
  };

function httpGet(part: Part, probe: Probe): void {
  const headers = Object.fromEntries(
    (part.get('httpHeaders')?.items() ?? []).map((item) => [item.textOf('name') ?? '', item.textOf('value') ?? '']),
  );
  const host = part.textOf('host');
  probe.written.http = {
    port: portOf(part.get('port'), probe),
    path: part.textOf('path') ?? '/',
    ...(host !== undefined && { host }),
    ...(part.textOf('scheme')?.toUpperCase() === 'HTTPS' && { scheme: 'https' }),
    ...(Object.keys(headers).length > 0 && { headers }),
  };
}

const PROBE: FieldTable<Probe> = {
  exec: (part, { written }) => {
    written.exec = (part.get('command')?.items() ?? []).map((item) => item.text());
  },
  httpGet,
  tcpSocket: (part, probe) => {
    const host = part.textOf('host');
    probe.written.tcp = { port: portOf(part.get('port'), probe), ...(host !== undefined && { host }) };
  },
  grpc: 'later',
  initialDelaySeconds: seconds('initialDelay'),
  timeoutSeconds: seconds('timeout'),
  periodSeconds: seconds('interval'),
  failureThreshold: count('retries'),
  successThreshold: count('successes'),
  terminationGracePeriodSeconds: 'no meaning: a container has one time to stop',
};

/** What the API takes where the manifest does not say; every failure counts from the start. */
const DEFAULTS = { interval: '10s', timeout: '1s', retries: 3, successes: 1, startPeriod: '0s' } as const;

const PURPOSES = { startupProbe: 'startup', readinessProbe: 'readiness', livenessProbe: 'liveness' } as const;

/** Reads the probes of a container, once the pod's ports are known. */
export function addProbes(part: Part, container: ResourceDraft, portNames: ReadonlyMap<string, string>): void {
  for (const [field, purpose] of Object.entries(PURPOSES)) {
    const probe = part.get(field);
    if (!probe || probe.isNothing) continue;
    const written: Record<string, unknown> = { ...DEFAULTS };
    probe.each(PROBE, { container, written, portNames }, container);
    const checks = ['exec', 'http', 'tcp'].filter((name) => name in written);
    if (checks.length > 0) container.put('health', purpose, written, probe.keyAt);
    else container.warn(probe.keyAt, `${field} has no check that can be made and is left out`);
  }
}
