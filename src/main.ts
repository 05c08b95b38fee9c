/** Composition root: the only place, with its folder, that constructs clock, state, drivers and controller. */
import { type Core, createCore } from './composition/core.ts';
import { open } from './composition/open.ts';
import { requireHost, requireRoot } from './composition/preconditions.ts';
import { announce, type Served, serve } from './composition/serve.ts';
import { stop } from './composition/stop.ts';
import { UntilAsked } from './composition/until-asked.ts';
import { wire } from './composition/wire.ts';
import { describeError } from './model/errors/errors.ts';
import type { DaemonConfig } from './settings/daemon-config.ts';
import { createLogger } from './supervisor/log.ts';

/** Runs the supervisor until a signal ends it, and the process with it. @throws TsdError when it cannot start; nothing is open then. */
export async function runDaemon(config: DaemonConfig): Promise<void> {
  requireRoot();
  requireHost();
  const core = createCore(createLogger(config.logLevel, process.stderr.isTTY === true));
  const asked = new UntilAsked(core);
  let clean: boolean;
  try {
    const served = await start(config, core, asked);
    if (served !== null) {
      asked.stopStage = served.wired.stopStage;
      await announce(served);
      await asked.request;
      await stop(served);
    }
  } finally {
    clean = await closeAll(core);
  }
  process.exit(clean ? 0 : 1);
}

/** Null when it was asked to end meanwhile. */
async function start(config: DaemonConfig, core: Core, asked: UntilAsked): Promise<Served | null> {
  const opened = await open(config, core);
  if (asked.isAsked) return null;
  const wired = wire(opened);
  const served = await serve(wired);
  return served;
}

/** Whether all ended as it should. */
async function closeAll({ engine, log }: Core): Promise<boolean> {
  const { late, hanging, failed } = await engine.shutdown();
  for (const job of late) log.warn(`${job} was cancelled: it took too long for a supervisor that ends`);
  for (const name of hanging) log.error(`the supervisor ends without waiting for: ${name}`);
  for (const { name, error } of failed)
    log.error({ code: error.code }, `cannot close ${name}: ${describeError(error)}`);
  return hanging.length + failed.length === 0;
}
