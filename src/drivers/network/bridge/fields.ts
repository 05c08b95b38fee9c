import type { NetworkDriverFields } from '../../../model/networks/driver-fields.ts';

export const BRIDGE_FIELDS: NetworkDriverFields = {
  fields: ['bridgeName', 'icc', 'masquerade', 'gatewayMode', 'metadata', 'directAccess', 'hostAccess', 'spoofing'],
  modes: [],
  modesWithoutGateway: [],
  ofHost: true,
  publishesPorts: true,
  ownMac: true,
  modesForOne: [],
};
