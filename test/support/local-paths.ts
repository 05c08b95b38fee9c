import { systemTimers } from '../../src/engine/timers.ts';
import { systemClock } from '../../src/ffi/boot-clock.ts';
import { PathBook } from '../../src/reconcile/path-book.ts';

/** For tests whose files are all on filesystems of this host. */
export const LOCAL_PATHS = new PathBook({
  clock: systemClock,
  timers: systemTimers,
  remoteOn: () => null,
  reach: (path) => Promise.reject(new Error(`${path} is a local file`)),
  onNews: () => {},
});
