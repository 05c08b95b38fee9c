/** Puts together what answers the names of containers. */
import { fileURLToPath } from 'node:url';
import type { Networks } from '../drivers/contract/network.ts';
import { systemTimers } from '../engine/timers.ts';
import { systemClock } from '../ffi/boot-clock.ts';
import type { Peer } from '../reconcile/names/peer-index.ts';
import { ZoneBook } from '../reconcile/names/zone-book.ts';
import { networksByInterface } from '../reconcile/ops/networks/network-config.ts';
import type { DaemonConfig } from '../settings/daemon-config.ts';
import type { StateRoot } from '../state/root.ts';
import type { Logger } from '../supervisor/log.ts';
import { ResolverGroup } from '../supervisor/resolver/resolver-group.ts';
import { ResolverPlaces } from '../supervisor/resolver/resolver-program.ts';
import { ResolverService } from '../supervisor/resolver/resolver-service.ts';
import type { Stores } from './stores.ts';
import type { Wires } from './wires.ts';

/** The program that `npm run build` makes of src/resolver/. */
const RESOLVER_PROGRAM = fileURLToPath(new URL('../../dist/resolver.js', import.meta.url));

interface Around {
  readonly config: DaemonConfig;
  readonly state: StateRoot;
  readonly stores: Stores;
  readonly log: Logger;
  readonly wires: Wires;
}

interface ResolverSurroundings {
  readonly network: Networks;
  readonly networks: Parameters<typeof networksByInterface>[0];
  readonly unread: (id: string) => readonly Peer[];
}

export function openResolver(
  { config, state, stores: { containers }, log, wires }: Around,
  { network, networks, unread }: ResolverSurroundings,
): ResolverService {
  const networkOf = networksByInterface(networks);
  return new ResolverService({
    program: {
      path: RESOLVER_PROGRAM,
      group: new ResolverGroup(state.instanceId),
      places: new ResolverPlaces(state.runDir),
    },
    book: new ZoneBook({ containers, networkOf, unread, servers: config.dns }),
    network,
    containers,
    clock: systemClock,
    timers: systemTimers,
    onProblem: (text) => log.error(text),
    onEvent: (event) => wires.emit('resolver', event),
  });
}
