/** The field `health`: probes in short and long form. Everything below it arrives as text or numbers. */
import { z } from 'zod';
import { field } from '../field.ts';
import { type HealthSpec, NO_PROBES, type ProbeCheck, type ProbeSpec } from '../health.ts';
import { isIP } from './port-forms.ts';
import { commandLine, orNull, scalarText, shortForm, textOrNumber } from './schema-parts.ts';
import { type Parsed, parseDuration, parsed, refused } from './short-forms.ts';

/** @internal */
export const PROBE_DEFAULTS = {
  intervalMs: 10_000,
  timeoutMs: 5_000,
  retries: 3,
  successes: 1,
  initialDelayMs: 0,
  startPeriodMs: 30_000,
  startIntervalMs: 1_000,
} as const satisfies Omit<ProbeSpec, 'check'>;

/** Shorter ones would only measure the host. */
const MIN_WAIT_MS = 10;

const positiveDuration = shortForm(textOrNumber(), parseDuration).refine(
  (ms) => ms >= MIN_WAIT_MS,
  `expected at least ${MIN_WAIT_MS}ms`,
);

const count = shortForm(textOrNumber(), (written): Parsed<number> => {
  const number = Number(written);
  return Number.isInteger(number) && number >= 1 && number <= 1000
    ? parsed(number)
    : refused(`"${written}" is not a count from 1 to 1000`);
});

function parsePortNumber(written: string | number): Parsed<number> {
  const number = Number(written);
  return Number.isInteger(number) && number >= 1 && number <= 65_535
    ? parsed(number)
    : refused(`"${written}" is not a port`);
}

const port = shortForm(textOrNumber(), parsePortNumber);

/** An address in the container's network; names would need its resolver. */
const host = z
  .string()
  .transform((text) => (text === 'localhost' ? '127.0.0.1' : text))
  .refine(isIP, 'expected an IP address or localhost');

type TcpCheck = Extract<ProbeCheck, { type: 'tcp' }>;
type HttpCheck = Extract<ProbeCheck, { type: 'http' }>;

const tcpCheck = z.union(
  [
    port.transform((number): TcpCheck => ({ type: 'tcp', host: null, port: number })),
    z.strictObject({ port, host: orNull(host) }).transform(({ port, host }): TcpCheck => ({ type: 'tcp', host, port })),
  ],
  { error: 'expected a port, or a mapping with port and host' },
);

const httpPath = z.string().regex(/^\/[^\s\p{Cc}]*$/u, 'expected a path such as /healthz');

/** RFC 9110: a token, and a value that ends the line nowhere. */
const headers = z.record(
  z.string().regex(/^[\w!#$%&'*+.^`|~-]+$/, 'expected the name of a header'),
  scalarText().refine((text) => !/[\r\n\0]/.test(text), 'a header is one line'),
);

/** `8080`, `8080/healthz`. */
function parseHttp(written: string | number): Parsed<HttpCheck> {
  const [, number = '', path = '/'] = /^(\d+)(\/\S*)?$/.exec(String(written)) ?? [];
  const parsedPort = parsePortNumber(number === '' ? String(written) : number);
  if (!parsedPort.ok) return refused(`"${written}" is not a port with a path; write for example 8080/healthz`);
  return parsed({ type: 'http', scheme: 'http', host: null, port: parsedPort.value, path, headers: {} });
}

const httpCheck = z.union(
  [
    shortForm(textOrNumber(), parseHttp),
    z
      .strictObject({
        port,
        path: httpPath.default('/'),
        host: orNull(host),
        scheme: z.enum(['http', 'https']).default('http'),
        headers: headers.prefault({}),
      })
      .transform((written): HttpCheck => ({ type: 'http', ...written })),
  ],
  { error: 'expected a port with a path, or a mapping with port, path, host, scheme and headers' },
);

const probeFields = {
  exec: field(commandLine(), {
    doc: 'Program that is run in the container; exit 0 is success. A text is run by `/bin/sh -c`.',
    change: 'in-place',
    example: ['pg_isready'],
  }),
  http: field(orNull(httpCheck), {
    doc: 'HTTP request; 200 to 399 is success. `port/path`, or `port`, `path`, `host`, `scheme` (`https` is not verified) and `headers`. Sent by the supervisor, without a process. `host: localhost` reaches a server on the loopback of the container.',
    change: 'in-place',
    example: '8080/healthz',
  }),
  tcp: field(orNull(tcpCheck), {
    doc: 'TCP connection that must be accepted: a port, or `port` and `host`.',
    change: 'in-place',
    example: 5432,
  }),
  interval: field(positiveDuration.optional(), {
    doc: 'Time between two tries; 10s.',
    change: 'in-place',
    example: '5s',
  }),
  timeout: field(positiveDuration.optional(), {
    doc: 'Timeout of a try; 5s. A slower program is killed.',
    change: 'in-place',
    example: '2s',
  }),
  retries: field(count.optional(), {
    doc: 'Consecutive failures until the probe fails; 3.',
    change: 'in-place',
    example: 5,
  }),
  successes: field(count.optional(), {
    doc: 'Consecutive successes until it passes; 1.',
    change: 'in-place',
    example: 2,
  }),
  initialDelay: field(shortForm(textOrNumber(), parseDuration).optional(), {
    doc: 'Wait after the start before the first try; 0s.',
    change: 'in-place',
    example: '2s',
  }),
  startPeriod: field(shortForm(textOrNumber(), parseDuration).optional(), {
    doc: 'Time after the start in which failures do not count, until the first success; 30s.',
    change: 'in-place',
    example: '1m',
  }),
  startInterval: field(positiveDuration.optional(), {
    doc: 'Longest wait between two tries in that time; 1s. The first tries follow sooner.',
    change: 'in-place',
    example: '500ms',
  }),
};

const probeObject = z.strictObject(probeFields);
type WrittenProbe = z.output<typeof probeObject>;
type Refuse = (message: string, member?: string) => void;

const TIMES = [
  'interval',
  'timeout',
  'retries',
  'successes',
  'initialDelay',
  'startPeriod',
  'startInterval',
] as const satisfies readonly (keyof WrittenProbe)[];
const CHECKS = ['exec', 'http', 'tcp'] as const;

function checkOf({ exec, http, tcp }: WrittenProbe): ProbeCheck | null {
  return exec ? { type: 'exec', argv: exec } : (http ?? tcp);
}

function probeOf(written: WrittenProbe, refuse: Refuse): ProbeSpec | null {
  const given = CHECKS.filter((name) => written[name] !== null);
  const check = checkOf(written);
  if (given.length !== 1 || check === null) {
    refuse(
      given.length === 0 ? 'a probe needs one of exec, http and tcp' : `${given.join(' and ')}: a probe is one of them`,
    );
    return null;
  }
  if (check.type === 'exec' && check.argv.length === 0) refuse('cannot be empty', 'exec');
  const d = PROBE_DEFAULTS;
  return {
    check,
    intervalMs: written.interval ?? d.intervalMs,
    timeoutMs: written.timeout ?? d.timeoutMs,
    retries: written.retries ?? d.retries,
    successes: written.successes ?? d.successes,
    initialDelayMs: written.initialDelay ?? d.initialDelayMs,
    startPeriodMs: written.startPeriod ?? d.startPeriodMs,
    startIntervalMs: written.startInterval ?? d.startIntervalMs,
  };
}

const probe = probeObject.transform((written, context) =>
  probeOf(written, (message, member) => context.addIssue({ code: 'custom', message, path: member ? [member] : [] })),
);

const purpose = (doc: string) => field(orNull(probe), { doc, change: 'in-place', example: { http: '8080/healthz' } });

export const healthFields = z.strictObject({
  ...probeFields,
  startup: purpose('Probe that must pass once before the others begin; the container restarts when it fails.'),
  readiness: purpose('Probe that decides whether others may use it: links, updates and `--wait` wait for it.'),
  liveness: purpose('Probe that decides whether it works at all; the container restarts when it fails.'),
});

const probes = healthFields.transform((written, context): HealthSpec => {
  const { startup, readiness, liveness } = written;
  const refuse: Refuse = (message, member) =>
    context.addIssue({ code: 'custom', message, path: member ? [member] : [] });
  if (!startup && !readiness && !liveness) return { ...NO_PROBES, check: probeOf(written, refuse) };
  const own = [...CHECKS, ...TIMES].filter((name) => written[name] !== null && written[name] !== undefined);
  for (const name of own) refuse('belongs under startup, readiness or liveness where these are used', name);
  return { check: null, startup, readiness, liveness };
});

const none = shortForm(
  z.string(),
  (text): Parsed<'none'> =>
    text === 'none' ? parsed(text) : refused('expected none, or a mapping with exec, http or tcp'),
);

/** {@link HealthSpec} as it may be written. */
export const health = orNull(z.union([none, probes], { error: 'expected none, or a mapping with exec, http or tcp' }));
