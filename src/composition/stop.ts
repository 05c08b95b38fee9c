/** Last step: asks all working parts to end. The engine ends running jobs and closes what is open. */
import type { Served } from './serve.ts';

/** Reason of the stopped loop during `--stop-containers`. */
const STOP_CONTAINERS = 'the supervisor ended with --stop-containers';

export async function stop({ wired, server }: Served): Promise<void> {
  const { opened, prober, collector, controller, stopStage } = wired;
  const { config, log, service } = opened;
  service.stopping();
  log.info('stopping');
  prober.stop();
  if (config.stopContainers) await stopStage.run(STOP_CONTAINERS);
  else await stopStage.ended();
  // Not waited for here: shutdown handlers do, for as long as they may.
  void collector.stop();
  void controller.stop();
  server.refuse();
}
