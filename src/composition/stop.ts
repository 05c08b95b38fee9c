/** Last step: work ends in the order in which it is given out; what is left open is for the closers. */
import { stopAll } from '../supervisor/shutdown.ts';
import type { Served } from './serve.ts';

export async function stop({ wired, ...served }: Served): Promise<void> {
  const { opened, prober, collector, controller, adoption } = wired;
  const { config, log, service, loopPauses, world, sources } = opened;
  service.stopping();
  log.info('stopping');
  await served.closeManifests();
  prober.stop();
  await collector.stop();
  loopPauses.stop();
  await controller.stop();
  if (config.stopContainers) {
    await adoption.lastAnswers();
    await stopAll(world, sources.state);
  }
  // Log forwarding ends after it: until here something may still be written.
  await served.closeApi();
}
