import { describe, expect, test } from 'vitest';
import { bridgeOptions } from '../../../src/drivers/network/bridge/bridge-options.ts';
import { BRIDGE_FIELDS } from '../../../src/drivers/network/bridge/fields.ts';
import { networkSchema } from '../../../src/model/kinds/network.ts';
import { networkConfig } from '../../../src/reconcile/ops/networks/network-config.ts';
import { EARLIER_DEFAULTS, type NetworkDefaults, PRESENT_DEFAULTS } from '../../../src/state/history/network-record.ts';

/** What a bridge is told of a network that says this. */
function access(written: object, defaults: NetworkDefaults) {
  const record = {
    key: 'network/app/n',
    specHash: '',
    written: networkSchema.parse(written),
    schemaVersion: 1,
    driver: 'bridge',
    interfaceName: 'br0',
    ipv4: { subnet: '10.80.0.0/24', gateway: '10.80.0.1' },
    ipv6: null,
    defaults,
  } as const;
  const settings = { mtu: 1500, networkDrivers: { bridge: BRIDGE_FIELDS } };
  const { metadata, directAccess, hostAccess, spoofing, gatewayMode4, gatewayMode6 } = bridgeOptions(
    networkConfig({ settings }, record as never).options,
  );
  return { metadata, directAccess, hostAccess, spoofing, gatewayMode4, gatewayMode6 };
}

const OPEN = { hostAccess: true, spoofing: false, gatewayMode4: 'nat', gatewayMode6: 'nat' };
const present = { ...PRESENT_DEFAULTS, ipv6: true };

describe('what a network lets through', () => {
  test('a new one keeps containers from metadata, and one of an earlier version does not', () => {
    expect(access({}, present)).toEqual({ ...OPEN, metadata: false, directAccess: false });
    expect(access({}, EARLIER_DEFAULTS)).toEqual({ ...OPEN, metadata: true, directAccess: false });
    expect(access({ metadata: true }, present)).toMatchObject({ metadata: true });
    expect(access({ metadata: false }, EARLIER_DEFAULTS)).toMatchObject({ metadata: false });
  });

  test('is as its manifest says', () => {
    const written = { directAccess: true, hostAccess: false, spoofing: true, gatewayMode: { ipv6: 'routed' } };
    expect(access(written, present)).toEqual({
      metadata: false,
      directAccess: true,
      hostAccess: false,
      spoofing: true,
      gatewayMode4: 'nat',
      gatewayMode6: 'routed',
    });
  });
});
