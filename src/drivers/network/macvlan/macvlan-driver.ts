import { type MacvlanMode, newMacvlan } from '../../../ffi/network/l2-links.ts';
import type { NetworkDriver } from '../../contract/network.ts';
import { L2Driver } from '../l2/l2-driver.ts';
import type { L2Kind } from '../l2/l2-kind.ts';
import type { NetworkDriverContext } from '../open.ts';
import { MACVLAN_FIELDS } from './fields.ts';

/** Interfaces with MACs of their own on an interface of the host (drivers/net/macvlan.c). */
const MACVLAN: L2Kind = {
  name: 'macvlan',
  modes: MACVLAN_FIELDS.modes,
  ownMac: MACVLAN_FIELDS.ownMac,
  routes: () => false,
  isAlone: (mode) => MACVLAN_FIELDS.modesForOne.includes(mode),
  oneMode: false,
  newInterface: (mode, wanted) => newMacvlan({ ...wanted, mode: mode as MacvlanMode }),
};

export function createMacvlanDriver(context: NetworkDriverContext): NetworkDriver {
  return new L2Driver(MACVLAN, context);
}
