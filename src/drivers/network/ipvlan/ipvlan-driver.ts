import { type IpvlanMode, newIpvlan } from '../../../ffi/network/l2-links.ts';
import type { NetworkDriver } from '../../contract/network.ts';
import { L2Driver } from '../l2/l2-driver.ts';
import type { L2Kind } from '../l2/l2-kind.ts';
import type { NetworkDriverContext } from '../open.ts';
import { IPVLAN_FIELDS } from './fields.ts';

/** Interfaces with the MAC of the interface of the host that they are on (Documentation/networking/ipvlan.rst). */
const IPVLAN: L2Kind = {
  name: 'ipvlan',
  modes: IPVLAN_FIELDS.modes,
  ownMac: IPVLAN_FIELDS.ownMac,
  routes: (mode) => IPVLAN_FIELDS.modesWithoutGateway.includes(mode),
  isAlone: () => false,
  oneMode: true,
  newInterface: (mode, wanted) => newIpvlan({ ...wanted, mode: mode as IpvlanMode }),
};

export function createIpvlanDriver(context: NetworkDriverContext): NetworkDriver {
  return new L2Driver(IPVLAN, context);
}
