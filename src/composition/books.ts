/** Opens the in-memory books: of the disk, of the kernel, and of work in progress. */
import { systemClock } from '../ffi/boot-clock.ts';
import { DriftMemory } from '../reconcile/drift-memory.ts';
import { ExitRecorder } from '../reconcile/exits.ts';
import { HealthBook } from '../reconcile/health/health-book.ts';
import { OpFailureCache } from '../reconcile/op-failure-cache.ts';
import { BuildWork } from '../reconcile/ops/build/build-work.ts';
import { StopClocks } from '../reconcile/ops/containers/stop-clocks.ts';
import { FileReaders } from '../reconcile/ops/file-readers.ts';
import { ImageWork } from '../reconcile/ops/images/image-work.ts';
import { KeyedMutex } from '../reconcile/ops/keyed-mutex.ts';
import { UpdateBook } from '../reconcile/update-book.ts';
import type { Books, WorkInProgress } from './ports/op-ports.ts';
import type { Stores } from './stores.ts';

export function openBooks(
  { containers, history }: Stores,
  boot: string,
  opened: Pick<Books, 'names' | 'resolver' | 'leases' | 'paths'>,
): Books {
  return {
    ...opened,
    failures: new OpFailureCache(history.failures, boot),
    health: new HealthBook(history.health, containers.ids()),
    drifts: new DriftMemory(),
    updates: new UpdateBook(history.updates, systemClock, boot),
    exits: new ExitRecorder(containers, systemClock, boot),
    leftDown: new Set(),
    unanswered: new Map(),
  };
}

export function workInProgress(): WorkInProgress {
  return {
    imageWork: new ImageWork(),
    builds: new BuildWork(),
    making: new Set(),
    mutex: new KeyedMutex(),
    stopClocks: new StopClocks(systemClock),
    fileReaders: new FileReaders(),
  };
}
