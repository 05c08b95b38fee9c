/** What networks of other tools become: one line for each thing that they can say. */
import { describe, expect, test } from 'vitest';
import { NETWORK_DRIVER_TABLE } from '../../../src/drivers/network-table.ts';
import { desiredState } from '../../../src/manifest/desired-state.ts';
import { type Files, service, translated, translatedUnits } from './translation.ts';

type Fields = Record<string, unknown>;

/** A Compose file with one network `n` and one service on it. */
const compose = (network: string, use = '[ n ]') =>
  service(`networks: ${use}`, { '.': `networks:\n  n: ${network === '' ? '{}' : network}\n` });

/** A .network unit and a container on it. */
const unit = (lines: string, use = 'Network=n.network') =>
  translatedUnits({
    '/units/n.network': `[Network]\n${lines}\n`,
    '/units/a.container': `[Container]\nImage=x\n${use}\n`,
  });

const options = (text: string) => `{ driver_opts: { ${text} } }`;
const ipam = (...configs: string[]) => `{ ipam: { config: [ ${configs.join(', ')} ] } }`;

describe('a network of Compose', () => {
  test.each<[string, Fields]>([
    ['{ driver: bridge }', {}],
    ['{ driver: default }', {}],
    ['{ driver: macvlan, driver_opts: { parent: eth0 } }', { driver: 'macvlan', parent: 'eth0' }],
    [
      '{ driver: macvlan, driver_opts: { parent: eth0.10, macvlan_mode: vepa } }',
      { driver: 'macvlan', parent: 'eth0.10', mode: 'vepa' },
    ],
    [
      '{ driver: ipvlan, driver_opts: { parent: eth0, ipvlan_mode: l3s, ipvlan_flag: bridge } }',
      { driver: 'ipvlan', parent: 'eth0', mode: 'l3s' },
    ],
    [options('com.docker.network.bridge.name: br-n'), { bridgeName: 'br-n' }],
    [options('com.docker.network.driver.mtu: 1400'), { mtu: 1400 }],
    [options('com.docker.network.bridge.enable_icc: "false"'), { icc: false }],
    [options('com.docker.network.bridge.enable_ip_masquerade: "0"'), { masquerade: false }],
    [
      options(
        'com.docker.network.bridge.gateway_mode_ipv4: routed, com.docker.network.bridge.gateway_mode_ipv6: nat-unprotected',
      ),
      { gatewayMode: { ipv4: 'routed', ipv6: 'nat-unprotected' } },
    ],
    [options('com.docker.network.bridge.gateway_mode_ipv6: routed'), { gatewayMode: { ipv6: 'routed' } }],
    [options('com.docker.network.enable_ipv6: "true"'), { ipv6: true }],
    [options('com.docker.network.enable_ipv4: "false"'), { ipv4: false }],
    ['{ enable_ipv6: true }', { ipv6: true }],
    ['{ enable_ipv6: false }', { ipv6: false }],
    ['{ enable_ipv4: false, enable_ipv6: true }', { ipv4: false, ipv6: true }],
    ['{ internal: true }', { internal: true }],
    ['{ labels: [ a=b ] }', { labels: { a: 'b' } }],
    [
      ipam('{ subnet: 10.80.0.0/24, gateway: 10.80.0.254, ip_range: 10.80.0.128/26 }'),
      { subnet: '10.80.0.0/24', gateway: '10.80.0.254', ipRange: '10.80.0.128/26' },
    ],
    [
      ipam('{ subnet: "fd00:1::/64", gateway: "fd00:1::9", ip_range: "fd00:1::100/120" }'),
      { subnet6: 'fd00:1::/64', gateway6: 'fd00:1::9', ipRange6: 'fd00:1::100/120' },
    ],
    [
      ipam('{ subnet: 10.80.0.0/24 }', '{ subnet: "fd00:1::/64", aux_addresses: { r: "fd00:1::5" } }'),
      { subnet: '10.80.0.0/24', subnet6: 'fd00:1::/64', reserved: ['fd00:1::5'] },
    ],
    [
      ipam('{ subnet: 10.80.0.0/24, aux_addresses: { nas: 10.80.0.5, router: 10.80.0.6 } }'),
      { subnet: '10.80.0.0/24', reserved: ['10.80.0.5', '10.80.0.6'] },
    ],
  ])('%s is taken over', (written, expected) => {
    const { manifest, issues, warnings } = compose(written);
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.networks).toEqual({ n: expected });
    expect(manifest.containers?.a).toMatchObject({ network: 'n' });
  });

  test.each<[string, Fields, string]>([
    ['{ driver: overlay, attachable: true }', {}, 'driver overlay: there is one host; it is a bridge'],
    ['{ attachable: true }', {}, 'attachable: every container of the app may join'],
    ['{ name: other }', {}, 'name: the name is the key, within its app'],
    ['{ external: true, name: other }', {}, 'external: a network of this name is made for this app'],
    ['{ ipam: { driver: dhcp } }', {}, 'ipam.driver: addresses are given out by tsdocker'],
    ['{ ipam: { options: { a: b } } }', {}, 'options: addresses are given out by tsdocker'],
    [options('foo.bar: 1'), {}, 'option "foo.bar" is left out'],
    [options('com.docker.network.bridge.inhibit_ipv4: "true"'), {}, 'inhibit_ipv4: the bridge has the address'],
    [options('com.docker.network.bridge.trusted_host_interfaces: eth1'), {}, 'trusted_host_interfaces: hosts'],
    [options('com.docker.network.container_iface_prefix: net'), {}, 'container_iface_prefix: interfaces are eth0'],
    [options('com.docker.network.host_ipv4: 192.0.2.1'), {}, 'host_ipv4: packets leave with the address'],
    [
      ipam('{ subnet: 10.80.0.0/24 }', '{ subnet: 10.81.0.0/24, gateway: 10.81.0.1 }'),
      { subnet: '10.80.0.0/24' },
      'a network has one subnet of a family, here 10.80.0.0/24; 10.81.0.0/24 is left out',
    ],
    [
      ipam('{ subnet: 10.80.0.0/24, aux_addresses: { DefaultGatewayIPv4: 10.80.0.2 } }'),
      { subnet: '10.80.0.0/24', reserved: ['10.80.0.2'] },
      'DefaultGatewayIPv4: it is reserved, and is not the gateway',
    ],
    [
      '{ driver: macvlan, driver_opts: { parent: eth0 }, ipam: { config: [ { subnet: 192.0.2.0/24 } ] } }',
      { driver: 'macvlan', parent: 'eth0', subnet: '192.0.2.0/24', gateway: '192.0.2.1' },
      'the router is 192.0.2.1, the first address of 192.0.2.0/24, as no gateway is written',
    ],
  ])('%s has a warning', (written, expected, warning) => {
    const { manifest, issues, warnings } = compose(written);
    expect(issues).toEqual([]);
    expect(warnings).toContainEqual(expect.stringContaining(warning));
    expect(manifest.networks).toEqual({ n: expected });
  });

  test.each([
    [options('com.docker.network.driver.mtu: big'), 'expected a number, found "big"'],
    [options('com.docker.network.bridge.enable_icc: perhaps'), 'expected true or false, found "perhaps"'],
    [options('com.docker.network.bridge.gateway_mode_ipv4: open'), 'expected'],
    ['{ driver: ipvlan, driver_opts: { ipvlan_flag: private } }', 'ipvlan_flag private'],
    [ipam('{ subnet: 10.80.0.0/24, ip_range: 10.81.0.0/25 }'), '10.81.0.0/25 is not a part of 10.80.0.0/24'],
    [ipam('{ gateway: 10.80.0.1 }'), 'a gateway needs a subnet'],
    [ipam('{ subnet: 10.80.0.0/24, aux_addresses: { a: 10.81.0.1 } }'), '10.81.0.1 is not in 10.80.0.0/24'],
    ['{ enable_ipv4: false, enable_ipv6: false }', 'a network has addresses of one family at least'],
  ])('%s is refused at its place', (written, message) => {
    expect(compose(written).issues).toContainEqual(expect.stringMatching(/^\/app\/shop.yaml:\d+:\d+: /));
    expect(compose(written).issues).toContainEqual(expect.stringContaining(message));
  });

  test('without a router on its own wire has none by default where the mode or the network needs none', () => {
    const subnet = 'ipam: { config: [ { subnet: 192.0.2.0/24 } ] }';
    for (const rest of ['driver: ipvlan, driver_opts: { ipvlan_mode: l3 }', 'driver: macvlan, internal: true']) {
      const { manifest, warnings } = compose(`{ ${rest}, ${subnet} }`);
      expect(warnings).toEqual([]);
      expect(manifest.networks?.n).not.toHaveProperty('gateway');
    }
  });

  test('of a driver that is not there is refused where it is written, with those that are', () => {
    const bridge = NETWORK_DRIVER_TABLE.bridge;
    const text = 'services: { a: { image: x } }\nnetworks:\n  default:\n    driver: weave\n';
    const { sources } = desiredState(
      [{ sourceId: 's', file: 'shop.yaml', baseDir: '/m', content: { ok: true, text }, lastGood: null }],
      {
        generation: 1,
        defaultHostIp: '0.0.0.0',
        networkDrivers: { drivers: { bridge, host: null }, standard: 'bridge' },
        readFile: (path) => ({ ok: false, reason: 'missing', message: path }),
        hashSecret: () => '',
      },
    );
    expect(sources.get('s')?.issues).toMatchObject([
      { message: 'there is no network driver "weave"', hint: 'There are bridge.', position: { line: 4 } },
    ]);
  });
});

describe('an external network of Compose', () => {
  test.each([
    ['{ external: true, name: host }', 'host'],
    ['{ external: true, name: none }', 'none'],
    ['{ external: true, name: bridge }', 'bridge'],
    ['{ external: { name: host } }', 'host'],
    ['{ external: true, name: blog/front }', 'blog/front'],
  ])('%s is %s, and nothing is made', (written, network) => {
    const { manifest, issues, warnings } = compose(written);
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest).not.toHaveProperty('networks');
    expect(manifest.containers?.a).toMatchObject({ network });
  });

  test('that is the network of the host cannot be combined with others', () => {
    const rest = { '.': 'networks:\n  h: { external: true, name: host }\n  back: {}\n' };
    expect(service('networks: [ h, back ]', rest).issues).toEqual([
      expect.stringContaining('host cannot be combined with other networks'),
    ]);
  });
});

describe('a service of Compose on its networks', () => {
  test.each<[string, Fields]>([
    ['{ n: { aliases: [ db, data ] } }', { aliases: ['db', 'data'] }],
    ['{ n: { ipv4_address: 10.80.0.5 } }', { ipv4: '10.80.0.5' }],
    ['{ n: { ipv6_address: "fd00:1::5" } }', { ipv6: 'fd00:1::5' }],
    ['{ n: { mac_address: "02:42:0a:50:00:05" } }', { mac: '02:42:0a:50:00:05' }],
    ['{ n: { priority: 7, gw_priority: -1 } }', { priority: 7, gatewayPriority: -1 }],
    ['{ n: { interface_name: lan0 } }', { interfaceName: 'lan0' }],
    ['{ n: { driver_opts: { com.docker.network.endpoint.ifname: lan0 } } }', { interfaceName: 'lan0' }],
    [
      '{ n: { driver_opts: { com.docker.network.endpoint.sysctls: "net.ipv4.conf.IFNAME.rp_filter=2, net.ipv6.conf.IFNAME.mtu=1400" } } }',
      { sysctls: { 'net.ipv4.conf.IFNAME.rp_filter': '2', 'net.ipv6.conf.IFNAME.mtu': '1400' } },
    ],
  ])('%s', (use, expected) => {
    const { manifest, issues, warnings } = compose('{}', use);
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.containers?.a?.networks).toEqual({ n: expected });
  });

  test('has no link-local addresses of its own', () => {
    const { issues } = compose('{}', '{ n: { link_local_ips: [ 169.254.8.8 ] } }');
    expect(issues).toEqual([expect.stringMatching(/^\/app\/shop\.yaml:4:\d+: link_local_ips: an interface has/)]);
  });

  test('has a warning for each option of an endpoint that is left out', () => {
    const opts = 'com.docker.network.endpoint.other: b';
    const { issues, warnings } = compose('{}', `{ n: { driver_opts: { ${opts} } } }`);
    expect(issues).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining('"com.docker.network.endpoint.other" is left out')]);
  });

  const mac = '"02:42:0a:50:00:05"';
  test.each<[string, Fields]>([
    [`mac_address: ${mac}`, { default: { mac: '02:42:0a:50:00:05' } }],
    [`mac_address: ${mac}\nnetworks: [ n, m ]`, { m: { mac: '02:42:0a:50:00:05' }, n: {} }],
    [
      `mac_address: ${mac}\nnetworks: { m: {}, n: { priority: 1 } }`,
      { m: {}, n: { priority: 1, mac: '02:42:0a:50:00:05' } },
    ],
    [`mac_address: ${mac}\nnetwork_mode: bridge`, { bridge: { mac: '02:42:0a:50:00:05' } }],
  ])('%s: the address is that on the first network', (lines, expected) => {
    const { manifest, issues, warnings } = service(lines, { '.': 'networks: { n: {}, m: {} }' });
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.containers?.a?.networks).toEqual(expected);
    expect(manifest.containers?.a).not.toHaveProperty('network');
  });

  test('has one address on a network', () => {
    const { issues } = service(`mac_address: ${mac}\nnetworks: { default: { mac_address: "02:00:00:00:00:01" } }`);
    expect(issues).toEqual([expect.stringContaining('the network default gives 02:00:00:00:00:01')]);
    const { warnings } = service(`mac_address: ${mac}\nnetwork_mode: host`);
    expect(warnings).toEqual([expect.stringContaining('mac_address has no meaning with the network host')]);
  });

  test('publishes its ports at the address of the network that has one', () => {
    const lo = 'driver_opts: { com.docker.network.bridge.host_binding_ipv4: 127.0.0.1 }';
    const ports = 'ports: [ "8080:80", "81", "10.0.0.1:82:82", "[::1]:83:83/udp" ]';
    const at = (networks: string, rest: string) => service(`networks: ${networks}\n${ports}`, { '.': rest });
    const alone = at('[ n ]', `networks: { n: { ${lo} } }`);
    expect([alone.issues, alone.warnings]).toEqual([[], []]);
    const bound = ['127.0.0.1:8080:80', '127.0.0.1::81', '10.0.0.1:82:82', '[::1]:83:83/udp'];
    expect(alone.manifest.containers?.a?.ports).toEqual(bound);
    expect(at('[ n, m ]', `networks: { m: {}, n: { ${lo} } }`).manifest.containers?.a?.ports).toEqual(bound);
    expect(service(ports, { '.': `networks: { default: { ${lo} } }` }).manifest.containers?.a?.ports).toEqual(bound);
    const two = `networks: { m: { ${lo.replace('127.0.0.1', '10.0.0.9')} }, n: { ${lo} } }`;
    expect(at('[ n, m ]', two).issues).toEqual([
      expect.stringContaining('ports are published at 127.0.0.1 by another'),
    ]);
  });

  const vpn: Files & { '.': string } = { '.': '  vpn_1: { image: y, container_name: tunnel }\n' };
  test.each([
    ['service:vpn_1', 'container:vpn-1'],
    ['container:tunnel', 'container:vpn-1'],
    ['container:elsewhere', 'container:elsewhere'],
    ['host', 'host'],
    ['none', 'none'],
    ['bridge', 'bridge'],
  ])('network_mode %s is %s', (mode, network) => {
    const { manifest } = service(`network_mode: "${mode}"`, vpn);
    expect(manifest.containers?.a).toMatchObject({ network });
    expect(manifest.containers?.a).not.toHaveProperty('networks');
  });

  test('refuses a network_mode that is none', () => {
    expect(service('network_mode: "ns:/proc/1/ns/net"').issues).toEqual([
      expect.stringContaining('network_mode "ns:/proc/1/ns/net" cannot be translated'),
    ]);
  });
});

describe('a .network unit', () => {
  test.each<[string, Fields]>([
    ['Driver=bridge', {}],
    ['Driver=macvlan\nOptions=parent=eth0,mode=private', { driver: 'macvlan', parent: 'eth0', mode: 'private' }],
    ['InterfaceName=eth0\nDriver=ipvlan\nOptions=mode=l3', { driver: 'ipvlan', parent: 'eth0', mode: 'l3' }],
    ['InterfaceName=br-n', { bridgeName: 'br-n' }],
    ['Options=mtu=1400', { mtu: 1400 }],
    [
      'Options=com.docker.network.bridge.name=br-n com.docker.network.driver.mtu=1400',
      { bridgeName: 'br-n', mtu: 1400 },
    ],
    ['Options=mode=managed,isolate=true', {}],
    ['Internal=true', { internal: true }],
    ['IPv6=true', { ipv6: true }],
    ['IPv6=true\nSubnet=10.80.0.0/24', { ipv6: true, subnet: '10.80.0.0/24' }],
    [
      'Subnet=10.80.0.0/24\nSubnet=fd00:1::/64\nGateway=10.80.0.9\nGateway=fd00:1::9\nIPRange=10.80.0.128/25',
      {
        subnet: '10.80.0.0/24',
        subnet6: 'fd00:1::/64',
        gateway: '10.80.0.9',
        gateway6: 'fd00:1::9',
        ipRange: '10.80.0.128/25',
      },
    ],
    [
      'Subnet=10.80.0.0/24\nIPRange=10.80.0.10-10.80.0.14',
      { subnet: '10.80.0.0/24', ipRange: '10.80.0.8/29', reserved: ['10.80.0.8/31', '10.80.0.15/32'] },
    ],
    ['Subnet=10.80.0.0/24\nIPRange=10.80.0.64-10.80.0.127', { subnet: '10.80.0.0/24', ipRange: '10.80.0.64/26' }],
    ['Subnet=10.80.0.0/24\nIPRange=10.80.0.7-10.80.0.7', { subnet: '10.80.0.0/24', ipRange: '10.80.0.7/32' }],
    [
      'Subnet=fd00:1::/64\nIPRange=fd00:1::10-fd00:1::1e',
      { subnet6: 'fd00:1::/64', ipRange6: 'fd00:1::10/124', reserved: ['fd00:1::1f/128'] },
    ],
    ['IPAMDriver=host-local\nDisableDNS=false\nLabel=a=b', { labels: { a: 'b' } }],
  ])('%j is taken over', (lines, expected) => {
    const { manifest, issues, warnings } = unit(lines);
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.networks).toEqual({ n: expected });
    expect(manifest.containers?.a).toMatchObject({ network: 'n' });
  });

  test.each([
    ['IPAMDriver=dhcp', 'IPAMDriver: addresses are given out by tsdocker'],
    ['DisableDNS=true', 'DisableDNS: containers of a network find each other in any case'],
    ['Options=isolate=false', 'isolate=false: networks never reach each other here'],
    ['Options=vrf=blue', 'option "vrf" is left out'],
    ['NetworkDeleteOnStop=true', 'NetworkDeleteOnStop: a network is there as long as it is declared'],
    ['Subnet=10.80.0.0/24\nSubnet=10.81.0.0/24', '10.81.0.0/24: the network has the subnet 10.80.0.0/24'],
    ['Driver=macvlan\nSubnet=192.0.2.0/24', 'the router is 192.0.2.1'],
  ])('%j has a warning', (lines, warning) => {
    const { issues, warnings } = unit(lines);
    expect(issues).toEqual([]);
    expect(warnings).toEqual([expect.stringContaining(warning)]);
  });

  test.each([
    ['Subnet=10.80.0.0/24\nIPRange=10.80.0.9-10.80.0.3', '"10.80.0.9-10.80.0.3" is not a range of addresses'],
    ['Subnet=10.80.0.0/24\nIPRange=10.80.0.9-fd00::1', '"10.80.0.9-fd00::1" is not a range of addresses'],
    ['Options=mode=unmanaged', 'mode=unmanaged: a bridge is made and removed here'],
    ['Subnet=10.80.0.0/24\nGateway=10.80.0.1\nGateway=10.80.0.2', 'more of Gateway than of Subnet'],
  ])('%j is refused', (lines, message) => {
    expect(unit(lines).issues).toContainEqual(expect.stringContaining(message));
  });

  test('gives its name servers to containers that name none', () => {
    expect(unit('DNS=9.9.9.9\nDNS=1.1.1.1').manifest.containers?.a).toMatchObject({ dns: ['9.9.9.9', '1.1.1.1'] });
    const own = unit('DNS=9.9.9.9', 'Network=n.network\nDNS=8.8.8.8');
    expect(own.manifest.containers?.a).toMatchObject({ dns: ['8.8.8.8'] });
  });
});

describe('a .container unit on its networks', () => {
  const SUBNETS = 'Subnet=10.80.0.0/24\nSubnet=fd00:1::/64';
  test.each<[string, Fields]>([
    ['Network=n.network\nIP=10.80.0.5', { network: 'n', address: '10.80.0.5' }],
    ['Network=n.network\nIP6=fd00:1::5', { networks: { n: { ipv6: 'fd00:1::5' } } }],
    ['Network=n.network\nIP=10.80.0.5\nIP6=fd00:1::5', { networks: { n: { ipv4: '10.80.0.5', ipv6: 'fd00:1::5' } } }],
    ['Network=n.network\nNetworkAlias=db\nNetworkAlias=data', { networks: { n: { aliases: ['db', 'data'] } } }],
    [
      'Network=n.network:alias=x,ip=10.80.0.5,ip6=fd00:1::5,mac=02:42:0a:50:00:05,interface_name=up0\nNetworkAlias=db',
      {
        networks: {
          n: {
            aliases: ['x', 'db'],
            ipv4: '10.80.0.5',
            ipv6: 'fd00:1::5',
            mac: '02:42:0a:50:00:05',
            interfaceName: 'up0',
          },
        },
      },
    ],
    [
      'Network=n.network\nNetwork=bridge\nNetworkAlias=db',
      { networks: { bridge: { aliases: ['db'] }, n: { aliases: ['db'] } } },
    ],
    ['NetworkAlias=db', { networks: { bridge: { aliases: ['db'] } } }],
  ])('%j', (use, expected) => {
    const { manifest, issues, warnings } = unit(SUBNETS, use);
    expect([issues, warnings]).toEqual([[], []]);
    expect(manifest.containers?.a).toMatchObject(expected);
  });

  test('an address without a network is refused where there are several', () => {
    expect(unit(SUBNETS, 'Network=n.network\nNetwork=bridge\nIP=10.80.0.5').issues).toContainEqual(
      expect.stringContaining('IP needs a single network; write Network=NAME:ip=10.80.0.5'),
    );
  });

  test('in a pod has the network of the pod', () => {
    const { manifest, warnings } = translatedUnits({
      '/units/n.network': `[Network]\n${SUBNETS}\n`,
      '/units/p.pod': '[Pod]\nNetwork=n.network\nIP6=fd00:1::5\nNetworkAlias=db\n',
      '/units/a.container': '[Container]\nImage=x\nPod=p.pod\n',
      '/units/b.container': '[Container]\nImage=x\nPod=p.pod\nIP=10.80.0.5\n',
    });
    expect(manifest.containers?.a).toMatchObject({ networks: { n: { aliases: ['db'], ipv6: 'fd00:1::5' } } });
    expect(manifest.containers?.b).toMatchObject({ network: 'container:a' });
    expect(warnings).toEqual([expect.stringContaining('IP: the network is that of the pod; write it in p.pod')]);
  });
});

describe('pods of Kubernetes in a .kube unit', () => {
  const pod = (spec: string) =>
    translatedUnits({
      '/units/n.network': '[Network]\nSubnet=10.80.0.0/24\nDNS=9.9.9.9\n',
      '/units/k.kube': '[Kube]\nYaml=/units/p.yaml\nNetwork=n.network:ip=10.80.0.5\n',
      '/units/p.yaml': `apiVersion: v1\nkind: Pod\nmetadata: { name: p }\nspec: { ${spec} }\n`,
    });

  test('are on its networks, init containers too', () => {
    const { manifest, issues } = pod(
      'initContainers: [ { name: i, image: x } ], containers: [ { name: c, image: x }, { name: d, image: x } ]',
    );
    expect(issues).toEqual([]);
    expect(manifest.containers?.['p-c']).toMatchObject({ network: 'n', address: '10.80.0.5', dns: ['9.9.9.9'] });
    expect(manifest.containers?.['p-i']).toMatchObject({ network: 'n' });
    expect(manifest.containers?.['p-i']).not.toHaveProperty('address');
    expect(manifest.containers?.['p-d']).toMatchObject({ network: 'container:p-c' });
  });

  test('stay on the network of the host where they ask for it', () => {
    const { manifest, warnings } = pod('hostNetwork: true, containers: [ { name: c, image: x } ]');
    expect(manifest.containers?.p).toMatchObject({ network: 'host' });
    expect(warnings).toContainEqual(expect.stringContaining('p is on the network of the host'));
  });
});

test('a network of another app that Compose names is shown as it is written', () => {
  const text =
    'services: { a: { image: x, networks: [ n ] } }\nnetworks: { n: { external: true, name: blog/front } }\n';
  expect(translated('/app/shop.yaml', { '/app/shop.yaml': text }).specs['container/a']).toMatchObject({
    network: 'blog/front',
  });
});
