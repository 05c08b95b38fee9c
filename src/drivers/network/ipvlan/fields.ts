import type { NetworkDriverFields } from '../../../model/networks/driver-fields.ts';

const ROUTING = ['l3', 'l3s'];

export const IPVLAN_FIELDS: NetworkDriverFields = {
  fields: ['parent', 'vlan', 'mode'],
  modes: ['l2', ...ROUTING],
  modesWithoutGateway: ROUTING,
  ofHost: false,
  publishesPorts: false,
  ownMac: false,
  modesForOne: [],
};
