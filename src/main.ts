/** Composition root: the only place, with its folder, that constructs clock, state, drivers and controller. */
import { Closers, type FailedClose } from './composition/closers.ts';
import { open } from './composition/open.ts';
import { requireHost, requireRoot } from './composition/preconditions.ts';
import { announce, serve } from './composition/serve.ts';
import { stop } from './composition/stop.ts';
import { wire } from './composition/wire.ts';
import type { DaemonConfig } from './daemon-config.ts';
import { trapSignals } from './engine/signals.ts';
import { describeError } from './model/errors/errors.ts';
import { createLogger, type Logger } from './supervisor/log.ts';

/** Runs the supervisor until a signal ends it. @throws TsdError when it cannot start; nothing is open then. */
export async function runDaemon(config: DaemonConfig): Promise<void> {
  requireRoot();
  requireHost();
  const log = createLogger(config.logLevel, process.stderr.isTTY === true);
  const closers = new Closers();
  try {
    const opened = await open(config, log, closers);
    const wired = wire(opened, closers);
    const served = await serve(wired, closers);
    closers.add('supervisor', () => stop(served));
    const ended = untilSignal(log, closers);
    announce(served, closers);
    await ended;
  } catch (error) {
    await closeAll(log, closers);
    throw error;
  }
}

/** Resolves when everything is closed after a signal; the process exits then, with 1 where that failed. */
async function untilSignal(log: Logger, closers: Closers): Promise<void> {
  await new Promise<void>((stopped) => {
    trapSignals(
      { on: (signal, listener) => process.on(signal, listener), exit: (code) => process.exit(code) },
      async () => {
        const [failed] = await closeAll(log, closers);
        if (failed !== undefined) throw failed.error;
        stopped();
      },
    );
  });
}

async function closeAll(log: Logger, closers: Closers): Promise<readonly FailedClose[]> {
  const failed = await closers.close();
  for (const { name, error } of failed)
    log.error({ code: error.code }, `cannot close ${name}: ${describeError(error)}`);
  return failed;
}
