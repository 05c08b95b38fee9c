import { readTextOrEmpty } from '../../../ffi/files/text-files.ts';
import { parseAddress } from '../../../model/addresses.ts';

/** IPv4 name servers of /etc/resolv.conf other than the host itself. */
export function nameServers(): string[] {
  return readTextOrEmpty('/etc/resolv.conf')
    .split('\n')
    .flatMap((line) => {
      const [keyword, address = ''] = line.trim().split(/\s+/);
      const usable = keyword === 'nameserver' && parseAddress(address, 'ipv4') !== null && !address.startsWith('127.');
      return usable ? [address] : [];
    });
}
