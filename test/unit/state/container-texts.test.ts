import { describe, expect, it } from 'vitest';
import { buildHostname, buildHosts, withNames } from '../../../src/state/containers/hosts.ts';
import { buildResolvConf, buildResolverConf } from '../../../src/state/containers/resolv-conf.ts';

const none = { servers: [], search: [] };

describe('hosts', () => {
  it('names the container, the loopback, its links and extra hosts, in this order', () => {
    const text = buildHosts({
      addresses: ['10.80.0.2'],
      hostname: 'web',
      domainname: 'example.org',
      links: [
        { alias: 'db', address: '10.80.0.3' },
        { alias: 'database', address: '10.80.0.3' },
      ],
      extraHosts: ['printer:192.0.2.7', 'v6:2001:db8::1', 'host:host-gateway'],
      hostGateway: ['10.80.0.1', 'fd00:80::1'],
    });
    expect(text).toBe(
      [
        '10.80.0.2\tweb.example.org web',
        '127.0.0.1\tlocalhost',
        '::1\tlocalhost ip6-localhost ip6-loopback',
        'fe00::0\tip6-localnet',
        'ff00::0\tip6-mcastprefix',
        'ff02::1\tip6-allnodes',
        'ff02::2\tip6-allrouters',
        '10.80.0.3\tdb',
        '10.80.0.3\tdatabase',
        '192.0.2.7\tprinter',
        '2001:db8::1\tv6',
        '10.80.0.1\thost',
        'fd00:80::1\thost',
        '',
      ].join('\n'),
    );
  });

  it('omits the own line without an address', () => {
    const text = buildHosts({
      addresses: [],
      hostname: 'web',
      domainname: '',
      links: [],
      extraHosts: ['host:host-gateway'],
      hostGateway: [],
    });
    expect(text.startsWith('127.0.0.1\tlocalhost\n')).toBe(true);
  });

  it('refuses a name that would add a line', () => {
    const content = {
      addresses: [],
      hostname: 'web',
      domainname: '',
      links: [],
      extraHosts: ['a\n1.2.3.4 bank:1.1.1.1'],
      hostGateway: [],
    };
    expect(() => buildHosts(content)).toThrow(expect.objectContaining({ code: 'TSD_CONTAINER_SETUP' }));
  });

  describe('the names of a network', () => {
    const own = '10.0.0.2\tweb\n127.0.0.1\tlocalhost\n';
    const first = withNames(own, ['10.0.0.3\tdb']);

    it('follow the rest of the file as a block', () => {
      expect(first).toBe(
        `${own}# names on this network, kept by tsdocker\n10.0.0.3\tdb\n# end of the names on this network\n`,
      );
    });

    it('are replaced without changes to other lines', () => {
      const written = `# mine\n${first}192.0.2.1\tprinter\n`;
      expect(withNames(written, ['10.0.0.4\tcache'])).toBe(written.replace('10.0.0.3\tdb', '10.0.0.4\tcache'));
      expect(withNames(written, [])).toBe(`# mine\n${own}192.0.2.1\tprinter\n`);
    });

    it.each([own, first, '', 'no line end'])('written twice appear once: %j', (text) => {
      const once = withNames(text, ['10.0.0.3\tdb']);
      expect(withNames(once, ['10.0.0.3\tdb'])).toBe(once);
      expect(once.split('\tdb\n')).toHaveLength(2);
    });

    it('are written again where they were truncated', () => {
      const torn = first.slice(0, first.indexOf('# end'));
      expect(withNames(torn, ['10.0.0.3\tdb'])).toBe(first);
    });
  });

  it('writes the host name with its domain', () => {
    expect(buildHostname('web', '')).toBe('web\n');
    expect(buildHostname('web', 'example.org')).toBe('web.example.org\n');
  });
});

describe('resolv.conf', () => {
  const host = 'search corp.example\nnameserver 127.0.0.53\nnameserver 10.0.2.3\noptions edns0\n';

  it("copies the host's servers that a container can reach", () => {
    expect(buildResolvConf(none, none, host)).toBe('search corp.example\nnameserver 10.0.2.3\noptions edns0\n');
  });

  it('falls back to public servers', () => {
    expect(buildResolvConf(none, none, 'nameserver 127.0.0.1\n')).toBe('\nnameserver 8.8.8.8\nnameserver 8.8.4.4');
    expect(buildResolvConf(none, none, 'nameserver ::1\n')).toBe('\nnameserver 8.8.8.8\nnameserver 8.8.4.4');
  });

  it('prefers the container, then the supervisor, then the host, for servers and search alike', () => {
    const container = { servers: ['1.1.1.1'], search: [] };
    const supervisor = { servers: ['2.2.2.2'], search: ['lan'] };
    expect(buildResolvConf(container, supervisor, host)).toBe('nameserver 1.1.1.1\nsearch lan\n');
    expect(buildResolvConf({ servers: [], search: ['a', 'b'] }, none, host)).toBe('nameserver 10.0.2.3\nsearch a b\n');
    expect(buildResolvConf(container, none, host)).toBe('nameserver 1.1.1.1\nsearch corp.example\n');
  });

  it('writes no search list for a single dot', () => {
    expect(buildResolvConf({ servers: ['1.1.1.1'], search: ['.'] }, none, host)).toBe('nameserver 1.1.1.1\n');
  });
});

describe('resolv.conf of a container that asks the resolver', () => {
  const lines = (text: string) => text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  const conf = (host: string, own: readonly string[] = [], supervisor: readonly string[] = []) => {
    const { text, ndots } = buildResolverConf({ search: own }, { search: supervisor }, host);
    return { lines: lines(text), ndots };
  };

  it('has the one server, and names without a dot as they are first', () => {
    expect(conf('nameserver 192.0.2.1\n')).toEqual({
      lines: ['nameserver 127.0.0.11', 'options ndots:0'],
      ndots: null,
    });
  });

  it('takes search domains from container, supervisor or host, in this order, and options from the host', () => {
    const host = 'search old.example\ndomain corp.example\noptions edns0 trust-ad\noptions timeout:1\n';
    expect(conf(host).lines).toEqual([
      'nameserver 127.0.0.11',
      'search corp.example',
      'options edns0 trust-ad timeout:1 ndots:0',
    ]);
    expect(conf(host, [], ['a.example']).lines).toContain('search a.example');
    expect(conf(host, ['b.example', 'c.example'], ['a.example']).lines).toContain('search b.example c.example');
    expect(conf(host, ['.']).lines.some((line) => line.startsWith('search'))).toBe(false);
  });

  it("keeps the host's ndots", () => {
    expect(conf('options ndots:2\n')).toEqual({ lines: ['nameserver 127.0.0.11', 'options ndots:2'], ndots: 2 });
    expect(conf('options ndots:many\n').ndots).toBeNull();
  });
});
