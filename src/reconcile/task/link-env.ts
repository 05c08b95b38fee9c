/** Environment variables of a link, as Docker 1.4 made them. */

import type { ExposedPort } from '../../model/kinds/short-forms.ts';
import { append } from '../../model/lists.ts';

export interface LinkedContainer {
  readonly alias: string;
  /** Engine name of the container that has the link. */
  readonly parentName: string;
  readonly address: string;
  readonly ports: readonly ExposedPort[];
  /** The linked container's own environment as `K=V`. */
  readonly env: readonly string[];
}

const protocolOrder = { tcp: 0, udp: 1, sctp: 2 } as const;

function byNumber(a: ExposedPort, b: ExposedPort): number {
  return a.port - b.port || protocolOrder[a.protocol] - protocolOrder[b.protocol];
}

function url(address: string, { port, protocol }: ExposedPort): string {
  return `${protocol}://${address}:${port}`;
}

/** Runs of consecutive numbers of one protocol. */
function contiguousRuns(ports: readonly ExposedPort[]): ExposedPort[][] {
  const runs: ExposedPort[][] = [];
  for (const protocol of ['tcp', 'udp'] as const) {
    for (const port of ports.filter((candidate) => candidate.protocol === protocol).sort(byNumber)) {
      const last = runs.at(-1);
      const previous = last?.at(-1);
      if (last && previous?.protocol === protocol && previous.port + 1 === port.port) last.push(port);
      else runs.push([port]);
    }
  }
  return runs.sort((a, b) => byNumber(a[0] as ExposedPort, b[0] as ExposedPort));
}

function singlePort(prefix: string, address: string, port: ExposedPort): string[] {
  const name = `${prefix}_PORT_${port.port}_${port.protocol.toUpperCase()}`;
  return [
    `${name}=${url(address, port)}`,
    `${name}_ADDR=${address}`,
    `${name}_PORT=${port.port}`,
    `${name}_PROTO=${port.protocol}`,
  ];
}

function portRange(prefix: string, address: string, first: ExposedPort, last: ExposedPort): string[] {
  const name = `${prefix}_PORT_${first.port}_${first.protocol.toUpperCase()}`;
  return [
    `${name}_START=${url(address, first)}`,
    `${name}_ADDR=${address}`,
    `${name}_PROTO=${first.protocol}`,
    `${name}_PORT_START=${first.port}`,
    `${name}_END=${url(address, last)}`,
    `${name}_PORT_END=${last.port}`,
  ];
}

/** Three or more consecutive ports are folded into a range. */
const RANGE_LENGTH = 3;

function inheritedEnv(prefix: string, env: readonly string[]): string[] {
  return env.flatMap((entry) => {
    const parts = entry.split('=');
    if (parts.length !== 2 || parts[0] === 'HOME' || parts[0] === 'PATH') return [];
    return [`${prefix}_ENV_${parts[0]}=${parts[1]}`];
  });
}

/** `DB_PORT=tcp://10.0.0.2:5432`, `DB_PORT_5432_TCP_ADDR=…`, `DB_NAME=/web/db`, `DB_ENV_…`, in Docker's order. */
export function linkEnv(link: LinkedContainer): string[] {
  const prefix = link.alias.toUpperCase().replaceAll('-', '_');
  const env: string[] = [];
  const lowest = [...link.ports].sort(
    (a, b) => protocolOrder[a.protocol] - protocolOrder[b.protocol] || a.port - b.port,
  )[0];
  if (lowest) env.push(`${prefix}_PORT=${url(link.address, lowest)}`);
  for (const run of contiguousRuns(link.ports)) {
    const first = run[0] as ExposedPort;
    if (run.length >= RANGE_LENGTH) append(env, portRange(prefix, link.address, first, run.at(-1) as ExposedPort));
    else
      append(
        env,
        run.flatMap((port) => singlePort(prefix, link.address, port)),
      );
  }
  env.push(`${prefix}_NAME=/${link.parentName}/${link.alias}`);
  append(env, inheritedEnv(prefix, link.env));
  return env;
}
