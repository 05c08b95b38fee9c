/**
 * Docker's own client at its everyday work: Debian's dockerd wrote the transcript beside this file, and a supervisor gives the
 * same answers. `TSD_SCENARIO=dockerd` runs it against a private dockerd, `TSD_SCENARIO=write` writes what that says.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { DOCKER_INSTALLED, PrivateDocker } from '../support/private-docker.ts';
import { RegistryServer } from '../support/registry.ts';
import { ScenarioRun, type Side } from '../support/scenario/side.ts';
import { readTranscript, type Step, writeTranscript } from '../support/scenario/transcript.ts';
import { freePort } from '../support/servers.ts';
import { TestSupervisor } from '../support/supervisor.ts';

const MINUTE = 60_000;
const FILE = join(import.meta.dirname, 'docker-scenario', 'everyday.txt');
const EXPECTED = readTranscript(readFileSync(FILE, 'utf8'));
const WANTED = process.env.TSD_SCENARIO ?? '';

interface Otherwise {
  /** Beginning of the command line. */
  readonly line: string;
  readonly why: string;
  readonly outcome: readonly string[];
}

const STARTED =
  'failed to create task for container: failed to create shim task: OCI runtime create failed: runc create failed';
const UNABLE = `! docker: Error response from daemon: ${STARTED}: unable to start container process`;

/** What a supervisor answers otherwise. */
const OTHERWISE: readonly Otherwise[] = [
  {
    line: 'docker run --rm bb nofile',
    why: 'where it was looked for is said too',
    outcome: [
      `${UNABLE}: exec: "nofile": executable file not found in $PATH: unknown ("nofile" is not in the image in PATH (/bin:/sbin:/usr/bin:/usr/sbin)).`,
      '[127]',
    ],
  },
  {
    line: 'docker run --rm bb /etc',
    why: "the reason is the supervisor's own, without runc",
    outcome: [`${UNABLE}: exec: "/etc": permission denied: unknown (/etc is not an executable file).`, '[126]'],
  },
  {
    line: 'docker run --rm --dns 10.9.9.9',
    why: 'every container asks the resolver of the supervisor, which asks the servers of --dns',
    outcome: ['nameserver 127.0.0.11', 'search example.org'],
  },
  {
    line: 'docker run --rm --network nowhere',
    why: 'a network that is not there is refused when the container is created, not when it is started',
    outcome: ['Error response from daemon: network nowhere not found.', "See 'docker run --help'."],
  },
  {
    line: 'docker diff web',
    why: 'places of mounts are no changes of a container',
    outcome: [],
  },
  {
    line: 'docker run --name quiet --log-driver none',
    why: 'a warning says that the output is kept all the same',
    outcome: [
      'unseen',
      '! WARNING: log driver none: the output is kept on this host within the limits of a log',
      '! Error response from daemon: configured logging driver does not support reading',
      '[1]',
    ],
  },
  {
    line: 'docker save committed:1 bb:1',
    why: 'archives have the form that every release of Docker loads, not that of OCI beside it',
    outcome: ['1'],
  },
  {
    line: 'docker history built',
    why: 'steps are shown as they are written, as BuildKit does',
    outcome: ['CMD cat word file inner; id -u', 'EXPOSE 80'],
  },
];

async function play(side: Side): Promise<readonly Step[]> {
  const run = new ScenarioRun(side);
  onTestFinished(() => run.close());
  const steps: Step[] = [];
  for (const step of EXPECTED) {
    steps.push(await run.step(step));
    if (process.env.TSD_SCENARIO_OUT !== undefined) writeFileSync(process.env.TSD_SCENARIO_OUT, writeTranscript(steps));
  }
  return steps;
}

async function ofSupervisor(): Promise<readonly Step[]> {
  const supervisor = await new TestSupervisor().start();
  const registry = await new RegistryServer().start();
  onTestFinished(async () => {
    await registry.stop();
    await supervisor.destroy();
  }, 2 * MINUTE);
  const lan = supervisor.subnet.replace('10.232.', '10.222.');
  return play({ socket: supervisor.socket, registry: registry.host, port: await freePort(), lan, launcher: [] });
}

async function ofDocker(): Promise<readonly Step[]> {
  const dockerd = await new PrivateDocker([]).start();
  const launcher = ['nsenter', '-n', '-t', String(dockerd.pid)];
  const registry = await new RegistryServer().start({ launcher });
  onTestFinished(async () => {
    await registry.stop();
    await dockerd.stop();
  }, 2 * MINUTE);
  return play({ socket: dockerd.socket, registry: registry.host, port: await freePort(), lan: '10.222.33', launcher });
}

test('the everyday commands of docker do with a supervisor what they do with dockerd', {
  timeout: 8 * MINUTE,
}, async () => {
  const expected = EXPECTED.map((step) => {
    const other = OTHERWISE.find(({ line }) => step.line.startsWith(line));
    return other ? { ...step, outcome: other.outcome } : step;
  });
  expect(writeTranscript(await ofSupervisor())).toBe(writeTranscript(expected));
});

test('every difference is one of a step that there is', () => {
  for (const { line, outcome } of OTHERWISE) {
    const step = EXPECTED.find((one) => one.line.startsWith(line));
    expect(step, line).toBeDefined();
    expect(step?.outcome, line).not.toEqual(outcome);
  }
});

test.runIf(DOCKER_INSTALLED && WANTED !== '')(
  'the transcript is what dockerd says',
  { timeout: 8 * MINUTE },
  async () => {
    const found = writeTranscript(await ofDocker());
    if (WANTED === 'write') writeFileSync(FILE, found);
    else expect(found).toBe(writeTranscript(EXPECTED));
  },
);
