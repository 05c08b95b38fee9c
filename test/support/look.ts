import { BUSYBOX_IMAGE } from './manifests.ts';
import type { TestSupervisor } from './supervisor.ts';

let serial = 0;

/**
 * One look at everything has ended since: what it found to do would have been done.
 * @param image one that is declared already; left out, one of its own
 */
export async function afterALook(supervisor: TestSupervisor, image?: string): Promise<void> {
  const name = `look${serial++}`;
  const images = image === undefined ? `${BUSYBOX_IMAGE}\n` : '';
  const container = `{ image: ${image ?? 'busybox'}, network: none, command: [busybox, "true"] }`;
  supervisor.drop(`${name}.yaml`, `${images}containers:\n  ${name}: ${container}\n`);
  await supervisor.waitFor(name, 'ended', ({ phase }) => phase === 'Exited');
}
