/** What callers do with an exec driver that lacks a feature: they ask its capabilities, and never try. */
import { afterEach, expect, test } from 'vitest';
import type { ExecDriver } from '../../../src/drivers/contract/exec.ts';
import { readSysinfo } from '../../../src/ffi/host/sysinfo.ts';
import { type StartPorts, startContainer } from '../../../src/reconcile/ops/containers/container-start.ts';
import { type UpdatePorts, updateContainer } from '../../../src/reconcile/ops/containers/container-update.ts';
import { FileReaders } from '../../../src/reconcile/ops/file-readers.ts';
import type { ContainerRecord } from '../../../src/state/containers/container-record.ts';
import { Pauses } from '../../../src/supervisor/requests/pauses.ts';
import { Supervisor, type SupervisorParts } from '../../../src/supervisor/supervisor.ts';
import { containerRecord } from '../../support/container-record.ts';
import { declare } from '../../support/declare.ts';
import { execSpec } from '../../support/exec-specs.ts';
import { BUSYBOX, Fixture, newId } from './fixture.ts';
import { SHIM_BINARY } from './hand-made.ts';
import { driverWithout } from './partial-driver.ts';

const KEY = 'container/blog/web';
const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
const sysinfo = readSysinfo();
const cause = { reason: 'declared', message: 'declared', source: null } as const;
const limited = () => declare({ blog: { containers: { web: { resources: { memory: '64MiB' } } } } });

let fixture: Fixture;

afterEach(() => fixture.dispose());

function open(lacking: keyof ExecDriver['capabilities']): ExecDriver {
  const create = driverWithout(lacking);
  fixture = new Fixture((instance) => create({ instance, clock, shimBinary: SHIM_BINARY, sysinfo }));
  return fixture.driver;
}

/** The records of one container. */
function recorded(record: ContainerRecord) {
  let current = record;
  return {
    get: (id: string) => (id === current.id ? current : undefined),
    update: (next: ContainerRecord) => {
      current = next;
    },
  };
}

async function runningRecord(driver: ExecDriver): Promise<ContainerRecord> {
  const id = newId();
  const handle = await driver.start(fixture.spec([BUSYBOX, 'sleep', '1000'], { containerId: id }));
  const { state } = containerRecord();
  return containerRecord({ id, run: 1, handle, state: { ...state, status: 'running', pid: handle.pid } });
}

/** The caller's own error: the driver's says something else. */
const lacking = (step: string, what: string) => ({
  code: 'TSD_DRIVER_LACKS',
  step,
  message: `exec driver partial cannot ${what}`,
});

test.each([
  ['attach', 'attach to a container', (supervisor: Supervisor) => supervisor.attach('web')],
  [
    'exec',
    'run a program in a container',
    (supervisor: Supervisor) => supervisor.exec('web', execSpec([BUSYBOX, 'true'])),
  ],
] as const)('without %s the supervisor refuses to %s', async (feature, what, call) => {
  const exec = open(feature);
  const record = await runningRecord(exec);
  const parts = { exec, named: { running: () => record } };
  const supervisor = new Supervisor(parts as unknown as SupervisorParts);
  await expect(call(supervisor)).rejects.toMatchObject(lacking(feature, what));
});

test('without pause the files of a running container are not read', async () => {
  const exec = open('pause');
  const record = await runningRecord(exec);
  const containers = recorded(record);
  const pauses = new Pauses({ containers, exec, fileReaders: new FileReaders(), onChange: () => {} });
  let reads = 0;
  const read = () => pauses.during(record, async () => void reads++);
  await expect(read()).rejects.toMatchObject({
    ...lacking('pause', 'pause a container'),
    key: KEY,
    hint: expect.stringContaining('Stop the container'),
  });
  expect([reads, containers.get(record.id)?.state.status]).toEqual([0, 'running']);
  await exec.kill(record.id);
  await read();
  expect(reads).toBe(1);
});

test('without limits a container with limits is not started', async () => {
  const exec = open('limits');
  const record = containerRecord();
  const containers = recorded(record);
  const ports = { desired: limited, containers, exec, runRecords: { containers } };
  const op = { op: 'container.start', key: KEY, containerId: record.id, cause, run: 1, restarts: 0, consecutive: 0 };
  const refused = lacking('limits', 'limit the resources of a container');
  await expect(startContainer(ports as unknown as StartPorts, op as never)).rejects.toMatchObject(refused);
  expect(exec.list()).toEqual([]);
  expect(containers.get(record.id)?.state.startError).toMatchObject({ message: refused.message });
});

test('without limits those of a running container are not changed', async () => {
  const exec = open('limits');
  const record = await runningRecord(exec);
  const ports = { desired: limited, containers: recorded(record), exec };
  const op = { op: 'container.update', key: KEY, containerId: record.id, cause, fields: ['resources.memory'] };
  await expect(updateContainer(ports as unknown as UpdatePorts, op as never)).rejects.toMatchObject(
    lacking('limits', 'limit the resources of a container'),
  );
  expect(exec.running(record.id)).toMatchObject({ pid: record.handle?.pid });
});
