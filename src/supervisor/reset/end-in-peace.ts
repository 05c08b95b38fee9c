import type { ExecDriver } from '../../drivers/contract/exec.ts';
import { signalNumber } from '../../model/signals.ts';
import type { ContainerRecord } from '../../state/containers/container-record.ts';
import { ContainerStore } from '../../state/containers/containers.ts';
import { containerSpecOf } from '../../state/containers/written-spec.ts';
import type { StateRoot } from '../../state/root.ts';

const DEFAULT_STOP_MS = 10_000;

/** Asks every container of the driver that runs to end, and gives each the time that its manifest gives it. None of it is required. */
export async function endInPeace(exec: ExecDriver, { root, files }: StateRoot): Promise<void> {
  const ended = new Map<string, () => void>();
  exec.onExit(({ containerId }) => ended.get(containerId)?.());
  const stop = async (record: ContainerRecord): Promise<void> => {
    const { id, run, handle, owner } = record;
    const known = handle?.run === run ? handle : { containerId: id, run };
    const answer = await exec.adopt(known);
    if (answer.state !== 'running') return;
    const spec = owner ? containerSpecOf(owner) : null;
    const gone = new Promise<void>((done) => ended.set(id, done));
    await exec.signal(id, signalNumber(spec?.stopSignal ?? 'SIGTERM'));
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<void>((done) => {
      timer = setTimeout(done, record.stopTimeoutMs ?? spec?.stopTimeoutMs ?? DEFAULT_STOP_MS);
    });
    await Promise.race([gone, late]).finally(() => clearTimeout(timer));
  };
  const began = new ContainerStore(root, files)
    .all()
    .filter(({ run, execDriver }) => run > 0 && execDriver === exec.name);
  // A process that does not answer is killed next.
  await Promise.allSettled(began.map(stop));
}
