import type { NetworkDriverFields } from '../../../model/networks/driver-fields.ts';

export const MACVLAN_FIELDS: NetworkDriverFields = {
  fields: ['parent', 'vlan', 'mode'],
  modes: ['bridge', 'private', 'vepa', 'passthru'],
  modesWithoutGateway: [],
  ofHost: false,
  publishesPorts: false,
  ownMac: true,
  modesForOne: ['passthru'],
};
