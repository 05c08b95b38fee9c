import type { NetworkDriver } from '../../contract/network.ts';

/** Containers in the network namespace of the host. */
export function createHostDriver(): NetworkDriver {
  return {
    name: 'host',
    capabilities: {
      sandbox: false,
      ports: false,
      sharedAddresses: false,
      onHost: false,
      ownMac: false,
      bandwidth: false,
    },
    connections: null,
    fingerprint: () => ({ works: true, problems: [], attributes: {} }),
    close: () => {},
  };
}
