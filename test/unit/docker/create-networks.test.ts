/** Bodies of POST /networks/create and /volumes/create: what they mean, and what Docker 26.1 answers to bad ones. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { specOfNetwork } from '../../../src/docker/create/network-spec.ts';
import { specOfVolume } from '../../../src/docker/create/volume-spec.ts';
import { DockerError } from '../../../src/docker/wire/docker-error.ts';
import { networkSchema } from '../../../src/model/kinds/network.ts';

/** What `docker network create` of Docker 26.1 sends. */
const CLIENT = {
  Driver: 'bridge',
  Scope: '',
  EnableIPv6: false,
  IPAM: { Driver: 'default', Options: {}, Config: [] },
  Internal: false,
  Attachable: false,
  Ingress: false,
  ConfigOnly: false,
  ConfigFrom: null,
  Options: {},
  Labels: {},
  Name: 'back',
};
const BRIDGE = 'com.docker.network.bridge.';
const PLAIN = { driver: 'bridge', ipv6: false };

function answerTo(make: () => unknown): string {
  try {
    make();
  } catch (error) {
    if (error instanceof DockerError) return `${error.status} ${error.message}`;
    throw error;
  }
  return 'accepted';
}

describe('a network', () => {
  test.each<[string, object, object]>([
    ['plain', {}, {}],
    ['of Compose, without a driver of addresses', { Driver: '', IPAM: { Config: [{}] }, Attachable: true }, {}],
    ['with labels, without a way out', { Internal: true, Labels: { a: 'b' } }, { internal: true, labels: { a: 'b' } }],
    [
      'with addresses of both families',
      {
        EnableIPv6: true,
        IPAM: {
          Config: [
            {
              Subnet: '10.9.0.0/24',
              IPRange: '10.9.0.128/25',
              Gateway: '10.9.0.1',
              AuxiliaryAddresses: { r: '10.9.0.5' },
            },
            { Subnet: 'fd00:9::/64' },
          ],
        },
      },
      {
        ipv6: true,
        subnet: '10.9.0.0/24',
        ipRange: '10.9.0.128/25',
        gateway: '10.9.0.1',
        reserved: ['10.9.0.5'],
        subnet6: 'fd00:9::/64',
      },
    ],
    ['of IPv6 alone', { EnableIPv4: false, EnableIPv6: true }, { ipv4: false, ipv6: true }],
    ['with a pool of a family that it does not have', { IPAM: { Config: [{ Subnet: 'fd00:9::/64' }] } }, {}],
    [
      'with options of the bridge',
      {
        Options: {
          [`${BRIDGE}name`]: 'br9',
          [`${BRIDGE}enable_icc`]: 'false',
          [`${BRIDGE}enable_ip_masquerade`]: '0',
          [`${BRIDGE}host_binding_ipv4`]: '0.0.0.0',
          [`${BRIDGE}gateway_mode_ipv4`]: 'routed',
          'com.docker.network.driver.mtu': '1400',
          unknown: 'x',
        },
      },
      { bridgeName: 'br9', icc: false, masquerade: false, gatewayMode: { ipv4: 'routed' }, mtu: 1400 },
    ],
    [
      'on an interface of the host',
      { Driver: 'macvlan', Options: { parent: 'eth0.10', macvlan_mode: 'private' } },
      { driver: 'macvlan', parent: 'eth0.10', mode: 'private' },
    ],
  ])('%s', (_title, body, expected) => {
    const found = specOfNetwork({ ...CLIENT, ...body });
    expect(found.written).toEqual({ ...PLAIN, ...expected });
    expect(found.name).toBe('back');
    expect(networkSchema.parse(found.written)).toEqual(found.spec);
  });

  const pool = (Config: object): object => ({ IPAM: { Config: [Config] } });
  const invalid = (why: string): string => `400 invalid network config:\n${why}`;
  test.each<[string, object, string]>([
    ['no name', { Name: '' }, '400 invalid name: '],
    ['a predefined name', { Name: 'bridge' }, '403 operation is not permitted on predefined bridge network '],
    [
      'a swarm',
      { Driver: 'overlay' },
      '403 This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    ],
    ['the scope of a swarm', { Scope: 'swarm' }, '403 cannot create a swarm scoped network when swarm is not active'],
    ['an ingress', { Ingress: true }, '403 Ingress network can only be global scope network'],
    ['another network of the host', { Driver: 'host' }, '403 only one instance of "host" network is allowed'],
    ['a plugin', { Driver: 'foo' }, '404 plugin "foo" not found'],
    ['a plugin for addresses', { IPAM: { Driver: 'foo' } }, '404 plugin "foo" not found'],
    ['no subnet', pool({ Subnet: 'x' }), invalid('invalid subnet x: invalid CIDR block notation')],
    ['host bits', pool({ Subnet: '10.77.0.5/24' }), invalid('invalid subnet 10.77.0.5/24: it should be 10.77.0.0/24')],
    [
      'a gateway elsewhere',
      pool({ Subnet: '10.77.0.0/24', Gateway: '10.78.0.1' }),
      invalid("invalid gateway 10.78.0.1: parent subnet 10.77.0.0/24 doesn't contain this address"),
    ],
    ['no gateway', pool({ Subnet: '10.77.0.0/24', Gateway: 'foo' }), invalid('invalid gateway foo: invalid address')],
    [
      'a range elsewhere',
      pool({ Subnet: '10.77.0.0/24', IPRange: '10.78.0.0/25' }),
      invalid("invalid ip-range 10.78.0.0/25: parent subnet 10.77.0.0/24 doesn't contain ip-range"),
    ],
    [
      'an address of others',
      pool({ Subnet: '10.77.0.0/24', AuxiliaryAddresses: { a: 'x' } }),
      invalid('invalid auxiliary address a: invalid address'),
    ],
    [
      'a gateway without a subnet',
      pool({ Gateway: '10.77.0.1' }),
      invalid('invalid subnet : invalid CIDR block notation'),
    ],
    [
      'two subnets',
      { IPAM: { Config: [{ Subnet: '10.77.0.0/24' }, { Subnet: '10.78.0.0/24' }] } },
      "403 bridge driver doesn't support multiple subnets",
    ],
    [
      'no truth',
      { Options: { [`${BRIDGE}enable_icc`]: 'foo' } },
      `400 failed to parse ${BRIDGE}enable_icc value: foo (strconv.ParseBool: parsing "foo": invalid syntax)`,
    ],
    [
      'no number',
      { Options: { 'com.docker.network.driver.mtu': 'foo' } },
      '400 failed to parse com.docker.network.driver.mtu value: foo (strconv.Atoi: parsing "foo": invalid syntax)',
    ],
    [
      'ports on one address only',
      { Options: { [`${BRIDGE}host_binding_ipv4`]: '127.0.0.1' } },
      `400 network option ${BRIDGE}host_binding_ipv4 is not supported`,
    ],
  ])('with %s is refused', (_title, body, message) => {
    expect(answerTo(() => specOfNetwork({ ...CLIENT, ...body }))).toBe(message);
  });
});

describe('a volume', () => {
  test('as the client asks for it, and with nothing', () => {
    expect(specOfVolume({ Driver: 'local', Labels: { a: 'b' }, Name: 'My_data.1' })).toMatchObject({
      name: 'My_data.1',
      spec: { onRemove: 'delete', labels: { a: 'b' } },
    });
    expect(specOfVolume(undefined)).toMatchObject({ name: '', spec: { onRemove: 'delete', labels: {} } });
  });

  test.each<[string, object, string]>([
    [
      'a bad name',
      { Name: 'a b' },
      '400 create a b: "a b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    [
      'a short name',
      { Name: 'a' },
      '400 create a: volume name is too short, names should be at least two alphanumeric characters',
    ],
    [
      'a plugin',
      { Name: 'xx', Driver: 'foo' },
      '404 create xx: error looking up volume plugin foo: plugin "foo" not found',
    ],
    ['an unknown option', { Name: 'xx', DriverOpts: { foo: 'x' } }, '400 create xx: invalid option: "foo"'],
    [
      'options',
      { Name: 'xx', DriverOpts: { type: 'nfs' } },
      '400 create xx: the options type, device and o are not supported; mount it on this host and bind it',
    ],
    [
      'a cluster',
      { Name: 'xx', ClusterVolumeSpec: {} },
      '503 This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.',
    ],
  ])('with %s is refused', (_title, body, message) => {
    expect(answerTo(() => specOfVolume(body))).toBe(message);
  });
});

test('whatever is sent, the answer is a specification or an error of a client', () => {
  const members = [...Object.keys(CLIENT), 'EnableIPv4', 'DriverOpts'];
  const odd = fc.oneof(
    fc.jsonValue({ maxDepth: 3 }),
    fc.constantFrom({ Config: [{ Subnet: '10.0.0.0/8', Gateway: '::1' }] }, { '': '', __proto__: 'x' }),
  );
  const judge = (body: unknown): void => {
    for (const make of [specOfNetwork, specOfVolume]) answerTo(() => make(body));
  };
  fc.assert(fc.property(fc.jsonValue(), judge));
  fc.assert(
    fc.property(fc.constantFrom(...members), odd, (member, value) => judge({ ...CLIENT, [member]: value })),
    { numRuns: 500 },
  );
});
