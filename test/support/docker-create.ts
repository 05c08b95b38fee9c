/** What translations of the Docker API know in tests: a small host with an image, networks, volumes and containers. */
import type { CreateContext, KnownContainer, KnownNetwork } from '../../src/docker/create/context.ts';
import { imageFacts } from '../../src/docker/create/image-facts.ts';
import { containerSchema } from '../../src/model/kinds/container.ts';
import { networkSchema } from '../../src/model/kinds/network.ts';
import { DEFAULT_NETWORK } from '../../src/model/network-mode.ts';
import { IMPERATIVE_APP, type ResourceKey, resourceKey } from '../../src/model/resource.ts';

/** An image like busybox, with a port, a volume, labels and a signal of its own. */
const CONFIG = {
  Cmd: ['sh'],
  Env: ['PATH=/bin', 'FROM_IMAGE=1'],
  ExposedPorts: { '81/tcp': {} },
  Volumes: { '/image-volume': {} },
  Labels: { 'of.image': 'yes' },
};

const container = (name: string, written: object, app = IMPERATIVE_APP): KnownContainer => ({
  key: resourceKey('container', app, app === IMPERATIVE_APP ? name : name.slice(app.length + 1)),
  name,
  spec: containerSchema.parse({ image: 'busybox', ...written }),
});

const network = (name: string, written: object, key?: ResourceKey): KnownNetwork => ({
  name,
  key: key ?? resourceKey('network', IMPERATIVE_APP, name),
  spec: networkSchema.parse(written),
});

const CONTAINERS = [
  container('cc', { volumes: ['/taken'] }),
  container('hh', { network: 'host' }),
  container('shares', { network: `container:${IMPERATIVE_APP}/cc` }),
  container('shares-host', { network: `container:${IMPERATIVE_APP}/hh` }),
  container('on-un', { network: `${IMPERATIVE_APP}/un` }),
  container('blog-db', { network: 'back' }, 'blog'),
];

const NETWORKS: readonly KnownNetwork[] = [
  { name: 'bridge', key: DEFAULT_NETWORK, spec: null },
  { name: 'host', key: null, spec: null },
  { name: 'none', key: null, spec: null },
  network('un', { subnet: '10.99.0.0/24' }),
  network('nosub', {}),
  network('p_default', { subnet6: 'fd99::/64' }),
  network('blog-back', {}, 'network/blog/back'),
];

export function createContext(changes: Partial<CreateContext> & { readonly config?: object } = {}): CreateContext {
  const { config = {}, ...rest } = changes;
  const volumes: Readonly<Record<string, ResourceKey>> = {
    vv: `volume/${IMPERATIVE_APP}/vv`,
    'blog-data': 'volume/blog/data',
  };
  return {
    minor: 45,
    imageId: 'f'.repeat(64),
    image: imageFacts(JSON.stringify({ config: { ...CONFIG, ...config } })),
    cpus: 2,
    network: (reference) => NETWORKS.find(({ name }) => name === reference || `id-of-${name}` === reference) ?? null,
    container: (reference) =>
      CONTAINERS.find(({ name, key }) => name === reference || key === `container/${reference}`) ?? null,
    volume: (name) => volumes[name] ?? null,
    exists: (path) => ['/', '/tmp', '/srv'].includes(path),
    isPublished: ({ port }) => port === 8000,
    ...rest,
  };
}
