import { describe, expect, test } from 'vitest';
import { containerEnv } from '../../../src/reconcile/task/container-env.ts';
import { linkEnv } from '../../../src/reconcile/task/link-env.ts';

const tcp = (port: number) => ({ port, protocol: 'tcp' as const });
const udp = (port: number) => ({ port, protocol: 'udp' as const });
const link = { alias: 'db', parentName: 'shop-web', address: '172.17.0.2', env: [] };

describe('linkEnv', () => {
  test('one port', () => {
    expect(linkEnv({ ...link, ports: [tcp(5432)], env: ['USER=me', 'HOME=/x', 'PATH=/y', 'A=b=c', 'BARE'] })).toEqual([
      'DB_PORT=tcp://172.17.0.2:5432',
      'DB_PORT_5432_TCP=tcp://172.17.0.2:5432',
      'DB_PORT_5432_TCP_ADDR=172.17.0.2',
      'DB_PORT_5432_TCP_PORT=5432',
      'DB_PORT_5432_TCP_PROTO=tcp',
      'DB_NAME=/shop-web/db',
      'DB_ENV_USER=me',
    ]);
  });

  test('folds three contiguous ports into a range, two not', () => {
    const names = linkEnv({ ...link, alias: 'my-db', ports: [tcp(82), tcp(80), tcp(81), udp(80), udp(81)] }).map(
      (entry) => entry.split('=')[0],
    );
    expect(names).toEqual([
      'MY_DB_PORT',
      'MY_DB_PORT_80_TCP_START',
      'MY_DB_PORT_80_TCP_ADDR',
      'MY_DB_PORT_80_TCP_PROTO',
      'MY_DB_PORT_80_TCP_PORT_START',
      'MY_DB_PORT_80_TCP_END',
      'MY_DB_PORT_80_TCP_PORT_END',
      'MY_DB_PORT_80_UDP',
      'MY_DB_PORT_80_UDP_ADDR',
      'MY_DB_PORT_80_UDP_PORT',
      'MY_DB_PORT_80_UDP_PROTO',
      'MY_DB_PORT_81_UDP',
      'MY_DB_PORT_81_UDP_ADDR',
      'MY_DB_PORT_81_UDP_PORT',
      'MY_DB_PORT_81_UDP_PROTO',
      'MY_DB_NAME',
    ]);
  });

  test('puts the lowest tcp port before a lower udp one', () => {
    expect(linkEnv({ ...link, ports: [udp(53), tcp(80)] })[0]).toBe('DB_PORT=tcp://172.17.0.2:80');
  });

  test('has only a name without ports', () => {
    expect(linkEnv({ ...link, ports: [] })).toEqual(['DB_NAME=/shop-web/db']);
  });
});

describe('containerEnv', () => {
  test('lets later layers win and keys keep their first position', () => {
    expect(
      containerEnv({
        hostname: 'web',
        domainname: 'example.com',
        tty: true,
        layers: [['A=1', 'B=1'], ['PATH=/bin', 'B=2'], ['A=3']],
      }),
    ).toEqual(['PATH=/bin', 'HOSTNAME=web.example.com', 'TERM=xterm', 'A=3', 'B=2']);
  });
});
