import type { NetworkDriver } from '../../contract/network.ts';

/** Containers with a network namespace of their own that only loopback is in. */
export function createNoneDriver(): NetworkDriver {
  return {
    name: 'none',
    capabilities: {
      sandbox: true,
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
