/** Containers that really run and stand still, read by several at once. */
import { EventEmitter, once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Instance } from '../../../src/drivers/contract/driver.ts';
import type { ExecDriver, TaskHandle } from '../../../src/drivers/contract/exec.ts';
import { createNativeDriver } from '../../../src/drivers/exec/native/native-driver.ts';
import { bootId } from '../../../src/ffi/process/processes.ts';
import { rootTar } from '../../../src/images/export/root-tar.ts';
import { ExitRecorder } from '../../../src/reconcile/exits.ts';
import { FileReaders } from '../../../src/reconcile/ops/file-readers.ts';
import type { RunStatus } from '../../../src/state/containers/container-record.ts';
import { ContainerStore } from '../../../src/state/containers/containers.ts';
import { StateFiles } from '../../../src/state/files/durable.ts';
import { Pauses } from '../../../src/supervisor/requests/pauses.ts';
import { takeOverRuns } from '../../../src/supervisor/take-over/restored-runs.ts';
import { CONTAINER_TEXTS, containerRecord } from '../../support/container-record.ts';
import { Fixture, newId, shell } from '../exec/fixture.ts';
import { SHIM_BINARY } from '../exec/hand-made.ts';

const clock = { now: () => ({ wallMs: Date.now(), bootMs: performance.now() }) };
const makeDriver = (instance: Instance) => createNativeDriver({ instance, clock, shimBinary: SHIM_BINARY });

let fixture: Fixture;
let id: string;
let handle: TaskHandle;
let containers: ContainerStore;
let fileReaders: FileReaders;

beforeEach(async () => {
  fixture = new Fixture(makeDriver);
  id = newId();
  handle = await fixture.driver.start(fixture.spec(shell('while :; do :; done'), { containerId: id }));
  const { root } = fixture.instance;
  mkdirSync(join(root, 'state'));
  for (const name of ['tmp', 'containers']) mkdirSync(join(root, 'state', name));
  const files = new StateFiles(join(root, 'state/tmp'));
  containers = new ContainerStore(join(root, 'state'), files);
  const batch = files.batch();
  const { state, hostConfig } = containerRecord();
  const record = { run: 1, handle, state: { ...state, status: 'running' as const, pid: handle.pid } };
  const host = { ...hostConfig, NetworkMode: 'host' };
  containers.create(containerRecord({ id, ...record, hostConfig: host }), CONTAINER_TEXTS, batch);
  await batch.commit();
  fileReaders = new FileReaders();
});
afterEach(() => fixture.dispose());

const record = () => containers.get(id) ?? expect.unreachable();
const status = (): RunStatus => record().state.status;

function isFrozen(): boolean {
  const unified = /^0::(.*)$/m.exec(readFileSync(`/proc/${handle.pid}/cgroup`, 'utf8'))?.[1];
  const mount = existsSync('/sys/fs/cgroup/unified') ? '/sys/fs/cgroup/unified' : '/sys/fs/cgroup';
  return readFileSync(join(mount, unified ?? '', 'cgroup.events'), 'utf8').includes('frozen 1');
}

/** @param seen the states of the container whenever it changes */
function openPauses(exec: ExecDriver, seen: RunStatus[] = []): Pauses {
  return new Pauses({ containers, exec, fileReaders, onChange: () => void seen.push(status()) });
}

/** A reader that runs until the test ends it. */
function reader(pauses: Pauses) {
  const end = new EventEmitter();
  const ended = once(end, 'end');
  const begun = once(end, 'begun');
  const read = pauses.during(record(), async (_still, disturbed) => {
    end.emit('begun');
    await ended;
    disturbed.throwIfAborted();
    return 'whole';
  });
  read.catch(() => {});
  return { begun, end: () => end.emit('end'), read };
}

const CHANGED = { code: 'TSD_CONTAINER_CHANGED' };
/** As a stop that is cancelled when it has asked. */
const stop = () => fileReaders.changing(record(), 'stopped', () => fixture.driver.unpause(id));

test('the container is paused until its last reader ends', async () => {
  const pauses = openPauses(fixture.driver);
  const [first, second] = [reader(pauses), reader(pauses)];
  await Promise.all([first.begun, second.begun]);
  first.end();
  expect(await first.read).toBe('whole');
  expect([isFrozen(), status()]).toEqual([true, 'paused']);
  second.end();
  expect(await second.read).toBe('whole');
  expect([isFrozen(), status()]).toEqual([false, 'running']);
});

test('a reader after a cancelled stop gets its own pause, which earlier readers do not end', async () => {
  const pauses = openPauses(fixture.driver);
  const before = reader(pauses);
  await before.begun;
  await stop();
  expect(isFrozen()).toBe(false);
  const after = reader(pauses);
  await after.begun;
  expect([isFrozen(), status()]).toEqual([true, 'paused']);
  before.end();
  await expect(before.read).rejects.toMatchObject(CHANGED);
  expect([isFrozen(), status()]).toEqual([true, 'paused']);
  after.end();
  expect(await after.read).toBe('whole');
  expect([isFrozen(), status()]).toEqual([false, 'running']);
});

test('a queued pause does not begin after a stop request', async () => {
  const seen: RunStatus[] = [];
  const pauses = openPauses(fixture.driver, seen);
  const before = reader(pauses);
  await fileReaders.changing(record(), 'stopped', async () => {});
  // The pause before it is just being carried out.
  const waiting = reader(pauses);
  seen.length = 0;
  await fileReaders.changing(record(), 'stopped', async () => {
    before.end();
    await expect(before.read).rejects.toMatchObject(CHANGED);
    await expect(waiting.read).rejects.toMatchObject(CHANGED);
  });
  expect(seen).not.toContain('paused');
  expect([isFrozen(), status()]).toEqual([false, 'running']);
});

test('files that change during a pause are reported as changes of the container', async () => {
  const source = join(fixture.instance.root, 'rootfs');
  // The first that is read.
  const large = join(source, '0-large');
  writeFileSync(large, Buffer.alloc(2 << 20));
  const read = openPauses(fixture.driver).during(record(), async (still, disturbed) => {
    for await (const _piece of still(rootTar({ type: 'bind', source }, disturbed))) writeFileSync(large, 'short');
  });
  await expect(read).rejects.toMatchObject({
    ...CHANGED,
    message: 'container blog-web: 0-large changed while it was read',
    cause: { code: 'TSD_IMAGE_SOURCE' },
  });
});

test('a tree scan ends when the container is stopped', async () => {
  const source = join(fixture.instance.root, 'rootfs');
  let pieces = 0;
  const read = openPauses(fixture.driver).during(record(), async (_still, disturbed) => {
    const stopped = stop();
    for await (const _piece of rootTar({ type: 'bind', source }, disturbed)) pieces++;
    await stopped;
  });
  await expect(read).rejects.toMatchObject(CHANGED);
  expect(pieces).toBe(0);
});

test('a reader of a container is notified when its run is adopted', async () => {
  const found = fixture.newDriver();
  const { exec, reading } = { exec: found, reading: reader(openPauses(found)) };
  await reading.begun;
  const exits = new ExitRecorder(containers, clock, bootId());
  const network = { sandbox: () => null, adoptSandbox: () => expect.unreachable() };
  const ports = { containers, exec, fileReaders, exits, clock, network, bootId: bootId() };
  const { graphDriver, execDriver } = record();
  const input = { containers: [record()], graphDriver, execDriver, bootId: bootId(), execIds: new Set([id]) };
  const problems: string[] = [];
  const report = await takeOverRuns(ports, input, new Map([[id, await found.adopt(handle)]]), {
    onFound: () => {},
    onProblem: (text) => void problems.push(text),
  });
  expect([report.running, problems]).toEqual([1, []]);
  reading.end();
  await expect(reading.read).rejects.toMatchObject(CHANGED);
});
