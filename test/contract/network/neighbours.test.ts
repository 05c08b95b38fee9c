import { closeSync } from 'node:fs';
import { afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Networks } from '../../../src/drivers/contract/network.ts';
import { createNetns, inNetns } from '../../../src/ffi/process/namespaces.ts';
import {
  blocked,
  endpoint,
  endpoint6,
  enterPrivateHost,
  HOST_ADDRESS,
  INSTANCE,
  idOf,
  network,
  network6,
  newDriver,
  OUTSIDE_ADDRESS,
  PUBLISHED,
  reaches,
  serve,
  shell,
  sourceSeen,
  start,
  takeDown,
} from './private-host.ts';

const [HOST6, OUTSIDE6] = ['fd00:198:51::1', 'fd00:198:51::2'];

let outside: number;
let driver: Networks;

beforeAll(() => {
  outside = enterPrivateHost();
  shell(`ip addr add ${HOST6}/64 dev uplink nodad`);
  inNetns(outside, () => shell(`ip addr add ${OUTSIDE6}/64 dev wire nodad`));
});

const drift = () => driver.observe().networks.get('network/test/n1')?.drift;

beforeEach(() => {
  driver = newDriver();
});

afterEach(() => {
  takeDown(driver, ['a'], [1]);
  shell('nft flush ruleset');
});

describe('a filter table of iptables-nft', () => {
  const FORWARD = 'table ip filter { chain FORWARD { type filter hook forward priority 0; policy drop; }; }';
  const DOCKER = FORWARD.replace('chain', 'chain DOCKER-USER { counter return; }; chain').replace(
    'drop;',
    'drop; jump DOCKER-USER;',
  );

  test.each([
    ['that drops', FORWARD, 'FORWARD'],
    ['of dockerd', DOCKER, 'DOCKER-USER'],
  ])('%s passes traffic of our bridges and is restored', (_, ruleset, place) => {
    shell(`nft '${ruleset}'`);
    const before = shell('nft -s list ruleset');
    for (let pass = 0; pass < 2; pass++) driver.ensureNetwork(network(1));
    expect(shell('nft list ruleset').match(/jump tsd-/g)).toHaveLength(1);
    expect(shell(`nft list chain ip filter ${place}`)).toContain(`jump tsd-${INSTANCE} comment "tsd:${INSTANCE}:`);
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    serve(outside, 84);
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(reaches(a, OUTSIDE_ADDRESS, 84)).toBe(true);
    driver.detach(idOf('a'));
    driver.removeNetwork('network/test/n1');
    expect(shell('nft -s list ruleset')).toBe(before);
  });

  test.each([
    ['that drops', FORWARD, 'FORWARD'],
    ['of dockerd', DOCKER, 'DOCKER-USER'],
  ])('of IPv6 %s passes traffic of our bridges and is restored', (_, ruleset, place) => {
    shell(`nft '${ruleset.replace('table ip ', 'table ip6 ')}'`);
    const before = shell('nft -s list ruleset');
    for (let pass = 0; pass < 2; pass++) driver.ensureNetwork(network6(1));
    expect(shell('nft list ruleset').match(/jump tsd-/g)).toHaveLength(1);
    expect(shell(`nft list chain ip6 filter ${place}`)).toContain(`jump tsd-${INSTANCE} comment "tsd:${INSTANCE}:`);
    const a = start(driver, endpoint6('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80, '::');
    serve(outside, 86, '::');
    expect(reaches(outside, HOST6, 8080)).toBe(true);
    expect(reaches(a, OUTSIDE6, 86)).toBe(true);
    shell(`nft 'insert rule ip6 filter ${place} ip6 saddr ${OUTSIDE6} drop'`);
    expect(blocked(outside, HOST6, 8080)).toBe(true);
    shell(
      `nft delete rule ip6 filter ${place} handle $(nft -a list chain ip6 filter ${place} | sed -n 's/.* drop # handle //p')`,
    );
    driver.detach(idOf('a'));
    driver.removeNetwork('network/test/n1');
    expect(shell('nft -s list ruleset')).toBe(before);
  });

  test.each(['ip', 'ip6'])('that somebody changes after us is seen and opened again: %s', (family) => {
    const of = (text: string): string => text.replaceAll('ip filter', `${family} filter`);
    driver.ensureNetwork(network6(1));
    expect(drift()).toEqual([]);
    const healed = (): void => {
      expect(drift()).toEqual(['bridge or rules']);
      driver.ensureNetwork(network6(1));
      expect(drift()).toEqual([]);
    };
    shell(`nft '${of(FORWARD)}'`);
    healed();
    shell(of('nft flush chain ip filter FORWARD'));
    healed();
    shell(of(`nft flush chain ip filter tsd-${INSTANCE}`));
    healed();
    shell(of(`nft 'add chain ip filter DOCKER-USER; insert rule ip filter FORWARD jump DOCKER-USER'`));
    healed();
    expect(shell(of('nft list chain ip filter DOCKER-USER'))).toContain('jump tsd-');
    shell(of('nft delete table ip filter'));
    expect(drift()).toEqual([]);
  });

  test('is opened to an interface of the host that comes later', () => {
    shell(`nft '${FORWARD}'`);
    driver.ensureNetwork(network(1));
    expect(drift()).toEqual([]);
    shell('ip link add vpn0 type ifb && ip link set vpn0 up');
    try {
      expect(drift()).toEqual(['bridge or rules']);
      driver.ensureNetwork(network(1));
      expect(shell(`nft list chain ip filter tsd-${INSTANCE}`)).toContain('iifname "tsdt1" oifname "vpn0" accept');
      expect(drift()).toEqual([]);
    } finally {
      shell('ip link del vpn0');
    }
    expect(drift()).toEqual([]);
  });

  test('does not open a foreign bridge to our containers', () => {
    shell(`nft '${FORWARD}'`);
    shell('ip link add docker9 type bridge && ip addr add 10.231.99.1/24 dev docker9 && ip link set docker9 up');
    const theirs = createNetns(() => shell('ip link set lo up'));
    try {
      shell(
        `ip link add t9 master docker9 type veth peer name e9 && ip link set e9 netns /proc/${process.pid}/fd/${theirs}`,
      );
      shell('ip link set t9 up');
      inNetns(theirs, () =>
        shell('ip addr add 10.231.99.2/24 dev e9 && ip link set e9 up && ip route add default via 10.231.99.1'),
      );
      serve(theirs, 85);
      driver.ensureNetwork(network(1));
      const a = start(driver, endpoint('a', 1, 2));
      expect(reaches(null, '10.231.99.2', 85)).toBe(true);
      expect(blocked(a, '10.231.99.2', 85)).toBe(true);
    } finally {
      closeSync(theirs);
      shell('ip link del docker9');
    }
  });

  describe('keeps what the administrator drops', () => {
    const DROP = `ip saddr ${OUTSIDE_ADDRESS} counter drop`;

    test.each([
      ['in FORWARD, before we come', FORWARD.replace('drop;', `drop; ${DROP};`), null],
      ['in FORWARD, after we came', FORWARD, `FORWARD ${DROP}`],
      ['in DOCKER-USER, before we come', DOCKER.replace('counter return', `${DROP}; counter return`), null],
      ['in DOCKER-USER, after we came', DOCKER.replace('counter return;', ''), `DOCKER-USER ${DROP}`],
    ])('%s', (_, ruleset, later) => {
      shell(`nft '${ruleset}'`);
      driver.ensureNetwork(network(1));
      if (later !== null) {
        shell(`nft 'add rule ip filter ${later}'`);
        driver.ensureNetwork(network(1));
      }
      expect(shell('nft list ruleset').match(/jump tsd-/g)).toHaveLength(1);
      const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
      serve(a, 80);
      expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
      shell(`nft flush chain ip filter ${ruleset.includes('DOCKER') ? 'DOCKER-USER' : 'FORWARD'}`);
      driver.ensureNetwork(network(1));
      expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    });
  });

  test('whose last rule drops everything is kept, and doctor names it', () => {
    shell(`nft '${FORWARD.replace('policy drop;', 'policy drop; counter reject;')}'`);
    driver.ensureNetwork(network(1));
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    expect(blocked(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(driver.driver('bridge').fingerprint()).toMatchObject({
      works: true,
      attributes: { 'other firewalls': expect.stringContaining('chain FORWARD of table ip filter drops all') },
    });
  });

  test('with rules behind a RETURN for all has the jump before it, where it is looked at', () => {
    shell(`nft '${DOCKER}'`);
    shell(`nft 'add rule ip filter DOCKER-USER ip saddr ${OUTSIDE_ADDRESS} drop'`);
    driver.ensureNetwork(network(1));
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    expect(reaches(outside, HOST_ADDRESS, 8080)).toBe(true);
    expect(drift()).toEqual([]);
  });

  test('that accepts is not changed', () => {
    shell(`nft '${FORWARD.replace('drop', 'accept')}'`);
    driver.ensureNetwork(network(1));
    expect(shell('nft list table ip filter')).not.toContain('tsd-');
  });

  test('our jump rule is restored after its removal', () => {
    shell(`nft '${FORWARD}'`);
    driver.ensureNetwork(network(1));
    shell('nft flush chain ip filter FORWARD');
    driver.ensureNetwork(network(1));
    expect(shell('nft list chain ip filter FORWARD')).toContain('jump tsd-');
  });
});

test.each([
  ['firewalld', 'firewall-cmd --permanent --zone=trusted --add-interface=BRIDGE'],
  ['strict', 'accept our bridges there'],
])('a last rule of table %s that rejects is named, with what opens it', (table, remedy) => {
  shell(
    `nft 'table inet ${table} { chain through { type filter hook forward priority 10; ct status dnat accept; counter reject; }; }'`,
  );
  const said = driver.driver('bridge').fingerprint().attributes['other firewalls'];
  expect(said).toContain(`chain through of table inet ${table} drops what it does not know: ${remedy}`);
});

test('a drop that we cannot bypass is named', () => {
  shell("nft 'table inet strict { chain through { type filter hook forward priority 0; policy drop; }; }'");
  expect(driver.driver('bridge').fingerprint()).toMatchObject({
    works: true,
    attributes: { 'other firewalls': expect.stringContaining('chain through of table inet strict') },
  });
});

describe('a foreign bridge', () => {
  const foreign = network(1, { bridge: 'theirs', foreign: true });

  beforeEach(() =>
    shell(
      'ip link add theirs address 02:00:00:00:00:01 type bridge && ip link set theirs addrgenmode none && ip addr add 10.231.1.1/24 dev theirs && ip link set theirs up',
    ),
  );

  afterEach(() => {
    driver.detach(idOf('a'));
    driver.removeNetwork(foreign.key);
    shell('ip link del theirs');
  });

  test('is used, with ports also on 127.0.0.1, and not changed', async () => {
    const state = (): string =>
      shell('ip -o link show theirs; ip -o addr show theirs; cat /proc/sys/net/ipv4/conf/theirs/*').replace(
        /<[^>]*>|state \w+/g,
        '',
      );
    const before = state();
    driver.ensureNetwork(foreign);
    const a = start(driver, endpoint('a', 1, 2, { ports: [PUBLISHED] }));
    serve(a, 80);
    expect(await sourceSeen(outside, HOST_ADDRESS, 8080)).toBe(OUTSIDE_ADDRESS);
    expect(await sourceSeen(null, '127.0.0.1', 8080)).toBe('10.231.1.1');
    expect(await sourceSeen(null, '::1', 8080)).toBe('10.231.1.1');
    expect(driver.observe().networks.get(foreign.key)).toEqual({ found: false, drift: [] });
    expect(driver.observe().endpoints.get(idOf('a'))?.[0]?.ports).toEqual([PUBLISHED]);
    driver.detach(idOf('a'));
    driver.removeNetwork(foreign.key);
    expect(state()).toBe(before);
  });

  test('without the address of the network is refused, naming its addresses', () => {
    const other = { ...foreign, ipv4: { subnet: '10.231.9.0/24', gateway: '10.231.9.1' } };
    expect(() => driver.ensureNetwork(other)).toThrow(
      expect.objectContaining({ hint: expect.stringContaining('10.231.1.1/24') }),
    );
  });

  test('that does not exist is refused', () => {
    expect(() => driver.ensureNetwork({ ...foreign, interfaceName: 'nowhere' })).toThrow(
      /is not a bridge of this host/,
    );
  });
});
